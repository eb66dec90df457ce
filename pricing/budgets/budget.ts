/** Of what a budget is: everything, a customer, a feature of whoever, or one user of a customer. */
export const BUDGET_SCOPES = ['all', 'customer', 'feature', 'user'] as const;
export type BudgetScope = (typeof BUDGET_SCOPES)[number];

/** The scope that is meant where these are named and none is chosen. */
export function narrowestScope(named: {
  customerId: string | undefined;
  feature: string | undefined;
  userId: string | undefined;
}): BudgetScope {
  if (named.userId !== undefined) return 'user';
  if (named.feature !== undefined) return 'feature';
  return named.customerId === undefined ? 'all' : 'customer';
}

/** How long its windows are, see `windowAt`. */
export const BUDGET_PERIODS = ['day', 'week', 'month', 'rolling_days', 'billing_period'] as const;
export type BudgetPeriod = (typeof BUDGET_PERIODS)[number];

/** What of usage is counted: what it costs us, what it brings us, tokens, or calls. */
export const BUDGET_MEASURES = ['cost', 'revenue', 'tokens', 'calls'] as const;
export type BudgetMeasure = (typeof BUDGET_MEASURES)[number];

/**
 * What is done at a step, from mild to hard: somebody is told; calls are slowed down to so many tokens a minute; they go to
 * another deployment; they are refused; or what is unpaid is invoiced before its period ends.
 */
export const STEP_ACTIONS = ['tell', 'slow', 'swap', 'stop', 'bill'] as const;
export type StepAction = (typeof STEP_ACTIONS)[number];

/** At a share of what is used, or of what the forecast says will have been used when the window ends. */
export const STEP_BASES = ['actual', 'forecast'] as const;
type StepBasis = (typeof STEP_BASES)[number];

export interface BudgetStep {
  /** Of the limit, in thousandths. */
  sharePermille: number;
  on: StepBasis;
  action: StepAction;
  /** Of `slow`: what is let through. */
  tokensPerMinute?: number | undefined;
  /** Of `swap`: where calls go instead. */
  deployment?: string | undefined;
  /** Whom to ask. */
  contact?: string | undefined;
}

/** More, for one time: until an instant, in the window in which it was granted. */
export interface BudgetGrace {
  /** Pico of the currency, or a count, as the limit is. */
  extra: bigint;
  until: Date;
  windowStart: Date;
  reason: string;
  grantedBy: string;
}

/** What a budget allows. An amount is pico of its currency for money, and a count for tokens and calls. */
export interface BudgetTerms {
  scope: BudgetScope;
  customerId: string | null;
  feature: string | null;
  subject: string | null;
  perUser: boolean;
  period: BudgetPeriod;
  rollingDayCount: number | null;
  measure: BudgetMeasure;
  /** Null for counts. */
  currency: string | null;
  limit: bigint;
  steps: readonly BudgetStep[];
}

export function isMoney(measure: string): measure is 'cost' | 'revenue' {
  return measure === 'cost' || measure === 'revenue';
}

/** Which step it is, whatever else of it changes. */
export function stepKey({ on, sharePermille, action }: BudgetStep): string {
  return `${on}-${sharePermille}-${action}`;
}
