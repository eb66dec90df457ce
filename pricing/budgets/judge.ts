import { type BudgetStep, stepKey } from './budget.ts';
import type { BudgetStanding } from './standing.ts';

/** A forecast moves to and fro: it must fall this far below a step before that is withdrawn. */
const FORECAST_SLACK_PERMILLE = 900n;

/** A step that was reached and is not withdrawn. */
export interface StandingStep {
  stepEventId: bigint;
  stepKey: string;
  /** Of when it was reached. */
  effectiveLimit: bigint;
}

export interface JudgedSteps {
  reached: BudgetStep[];
  withdrawn: { stepEventId: bigint; reason: 'less_used' | 'changed' | 'grace' | 'overridden' }[];
}

export interface StepQuestion {
  steps: readonly BudgetStep[];
  /** Null: nobody knows, and what was told stands. */
  standing: BudgetStanding | null;
  open: readonly StandingStep[];
  /** Whether the limit is raised by a grace at present. */
  isGraced: boolean;
  /** Whether the holder is under a narrower budget instead. */
  isOverridden: boolean;
  /** Whether the window is over: nothing is reached in it any more. */
  isOver: boolean;
}

/**
 * Which steps are reached that were not, and which no longer are. Asked again of its own outcome it answers with nothing: each is
 * told of once, and withdrawn once.
 */
export function judgeSteps(question: StepQuestion): JudgedSteps {
  const { steps, standing, open, isOverridden, isOver } = question;
  const byKey = new Map(steps.map((step) => [stepKey(step), step]));
  const openKeys = new Set(open.map((event) => event.stepKey));
  const withdrawn = open.flatMap((event): JudgedSteps['withdrawn'] => {
    const reason = withdrawnBecause(event, byKey.get(event.stepKey), question);
    return reason === null ? [] : [{ stepEventId: event.stepEventId, reason }];
  });
  const mayReach = standing !== null && !isOverridden && !isOver;
  const reached = mayReach
    ? steps.filter((step) => !openKeys.has(stepKey(step)) && isReached(step, standing))
    : [];
  return { reached, withdrawn };
}

/** Whether a share of the limit is used, or will be. */
function isReached(step: BudgetStep, standing: BudgetStanding): boolean {
  return isAbove(step, standing, 1_000n);
}

function isAbove(
  { on, sharePermille }: BudgetStep,
  standing: BudgetStanding,
  slackPermille: bigint,
): boolean {
  const { used, forecast, effectiveLimit } = standing;
  // What is used already will not be less in the end.
  const amount = on === 'forecast' && forecast !== null && forecast > used ? forecast : used;
  return amount * 1_000_000n >= effectiveLimit * BigInt(sharePermille) * slackPermille;
}

function withdrawnBecause(
  event: StandingStep,
  step: BudgetStep | undefined,
  { standing, isGraced, isOverridden }: StepQuestion,
): JudgedSteps['withdrawn'][number]['reason'] | null {
  if (isOverridden) return 'overridden';
  if (step === undefined) return 'changed';
  if (standing === null) return null;
  if (step.on === 'forecast' && standing.forecast === null) return null;
  if (isAbove(step, standing, step.on === 'forecast' ? FORECAST_SLACK_PERMILLE : 1_000n)) return null;
  if (standing.effectiveLimit <= event.effectiveLimit) return 'less_used';
  return isGraced ? 'grace' : 'changed';
}
