/** What a gateway can be asked to do, the mildest first. */
export const ENFORCED_ACTIONS = ['swap', 'slow', 'stop'] as const;
export type EnforcedAction = (typeof ENFORCED_ACTIONS)[number];

/** A step of a budget that was reached, and what it asks of the gateway. */
export interface OpenStep {
  budgetId: string;
  budgetName: string;
  /** Whom and what it holds for; null: every customer, every user, every feature. */
  customerId: string | null;
  subject: string | null;
  feature: string | null;
  action: EnforcedAction;
  /** Of the limit; of two steps that ask for the same, the higher counts. */
  sharePermille: number;
  /** Of `slow`. */
  tokensPerMinute: number | null;
  /** Of `swap`: which answers in place of any other. */
  deployment: string | null;
  /** Whom to ask; as the budget's owner wrote it. */
  contact: string | null;
  /** Of its window, half-open. */
  startsAt: Date;
  endsAt: Date;
  /** An operator lifted it until then. */
  liftedUntil: Date | null;
}

/** What a gateway does with the calls of one caller. `slow` and `swap` may both be asked at once. */
export interface Ruling {
  /** The strictest of what is asked. */
  action: 'allow' | EnforcedAction;
  /** Of a stop. */
  status: 403 | 429 | null;
  tokensPerMinute: number | null;
  /** Whose calls share the tokens of a minute. */
  counterKey: string | null;
  deployment: string | null;
  /** Of the step that decided. */
  budgetId: string | null;
  budgetName: string | null;
  contact: string | null;
  until: Date | null;
}

export const ALLOWED: Ruling = {
  action: 'allow',
  status: null,
  tokensPerMinute: null,
  counterKey: null,
  deployment: null,
  budgetId: null,
  budgetName: null,
  contact: null,
  until: null,
};

/**
 * A stop that ends so soon answers 429 with Retry-After; any other 403. Clients repeat a 429 by themselves, and one that is told
 * to come back in three weeks would do so in vain.
 */
const WORTH_WAITING_MS = 3_600_000;

/** What all steps that fit a caller ask, together, at an instant. The strictest counts. */
export function rule(steps: readonly OpenStep[], now: Date): Ruling {
  const open = steps.filter((step) => isOpen(step, now));
  const stop = strictest(open.filter(({ action }) => action === 'stop'));
  if (stop !== undefined) {
    return { ...ALLOWED, ...namesOf(stop), action: 'stop', status: statusOf(stop, now) };
  }
  const slow = slowest(open);
  const swap = strictest(open.filter(({ action, deployment }) => action === 'swap' && deployment !== null));
  const decider = slow ?? swap;
  if (decider === undefined) return ALLOWED;
  return {
    ...ALLOWED,
    ...namesOf(decider),
    action: decider.action,
    tokensPerMinute: slow?.tokensPerMinute ?? null,
    counterKey: slow === undefined ? null : counterKeyOf(slow),
    deployment: swap?.deployment ?? null,
  };
}

/** When what `rule` says of these steps changes by time alone; null: never. */
export function nextChange(steps: readonly OpenStep[], now: Date): Date | null {
  const instants = steps.flatMap(({ action, startsAt, endsAt, liftedUntil }) => [
    startsAt.getTime(),
    endsAt.getTime(),
    ...(liftedUntil === null ? [] : [liftedUntil.getTime()]),
    ...(action === 'stop' ? [endsAt.getTime() - WORTH_WAITING_MS] : []),
  ]);
  const next = instants.reduce(
    (soonest, instant) => (instant > now.getTime() && instant < soonest ? instant : soonest),
    Number.POSITIVE_INFINITY,
  );
  return next === Number.POSITIVE_INFINITY ? null : new Date(next);
}

function isOpen({ startsAt, endsAt, liftedUntil }: OpenStep, now: Date): boolean {
  return startsAt <= now && endsAt > now && (liftedUntil === null || liftedUntil <= now);
}

/** The narrowest holder first, then the highest step; of equals the one that lasts longest. */
function strictest(steps: readonly OpenStep[]): OpenStep | undefined {
  return [...steps].sort(
    (a, b) =>
      lastingOf(b) - lastingOf(a) ||
      narrownessOf(b) - narrownessOf(a) ||
      b.sharePermille - a.sharePermille ||
      (a.budgetId < b.budgetId ? -1 : 1),
  )[0];
}

/** The lowest rate; of one budget only its highest step, which may be meant to be milder than the one before. */
function slowest(open: readonly OpenStep[]): OpenStep | undefined {
  const highest = new Map<string, OpenStep>();
  for (const step of open) {
    if (step.action !== 'slow' || step.tokensPerMinute === null) continue;
    const key = [step.budgetId, step.customerId, step.subject, step.feature].join('\n');
    const known = highest.get(key);
    if (known === undefined || step.sharePermille > known.sharePermille) highest.set(key, step);
  }
  return [...highest.values()].sort(
    (a, b) =>
      (a.tokensPerMinute ?? 0) - (b.tokensPerMinute ?? 0) || (counterKeyOf(a) < counterKeyOf(b) ? -1 : 1),
  )[0];
}

const lastingOf = ({ action, endsAt }: OpenStep) => (action === 'stop' ? endsAt.getTime() : 0);
const narrownessOf = ({ customerId, subject, feature }: OpenStep) =>
  [customerId, subject, feature].filter((part) => part !== null).length;

function statusOf({ endsAt }: OpenStep, now: Date): 403 | 429 {
  return endsAt.getTime() - now.getTime() <= WORTH_WAITING_MS ? 429 : 403;
}

function counterKeyOf({ budgetId, customerId, subject }: OpenStep): string {
  return [budgetId, customerId ?? '', subject ?? ''].join('|');
}

function namesOf({ budgetId, budgetName, contact, endsAt }: OpenStep) {
  return { budgetId, budgetName, contact, until: endsAt };
}
