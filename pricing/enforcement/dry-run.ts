import type { BudgetPeriod, BudgetStep } from '../budgets/budget.ts';
import { windowAt } from '../budgets/windows.ts';

/** What a holder used in an hour. */
export interface ReplayedHour {
  hour: Date;
  /** Of the holder; empty where all usage of the budget is one. */
  customerId: string;
  subject: string;
  costPicoUsd: bigint;
  tokenCount: bigint;
  callCount: bigint;
}

export interface ReplayedTerms {
  period: BudgetPeriod;
  rollingDayCount: number | null;
  measure: 'cost' | 'tokens' | 'calls';
  limit: bigint;
  steps: readonly BudgetStep[];
}

export interface ReplayedSums {
  costPicoUsd: bigint;
  tokenCount: bigint;
  callCount: bigint;
}

/** What a step would have billed early. */
export interface ReplayedBill {
  /** The end of the hour in which the step is reached. */
  at: Date;
  sharePermille: number;
  /** From when on what is used would have been unbilled: the window's beginning, or the bill before. */
  since: Date;
  used: ReplayedSums;
}

/** What would have become of one holder. */
export interface ReplayedHolder {
  customerId: string;
  subject: string;
  used: ReplayedSums;
  /** Of it, what would not have been let through. */
  stopped: ReplayedSums;
  slowed: ReplayedSums;
  firstStoppedAt: Date | null;
  firstSlowedAt: Date | null;
  bills: ReplayedBill[];
}

const NOTHING: ReplayedSums = { costPicoUsd: 0n, tokenCount: 0n, callCount: 0n };
const MINUTES = 60n;
const HOUR_MS = 3_600_000;

/**
 * Plays used hours through a budget's ladder: what a stop would have held back, and a rate. A step acts from the hour after the one in
 * which it is reached, for what is known is whole hours; what is not let through counts no more. The rest of an hour that is slowed
 * down is taken in proportion, and no caller is taken to try again.
 * @param hours of the budget's usage, in their order; from before `since` where its window began before
 * @param since what lies before is counted towards the limit, and not told
 */
export function replay(hours: readonly ReplayedHour[], terms: ReplayedTerms, since: Date): ReplayedHolder[] {
  const byHolder = Map.groupBy(hours, ({ customerId, subject }) => `${customerId}\n${subject}`);
  return [...byHolder.values()].map((own) => replayHolder(own, terms, since));
}

function replayHolder(hours: readonly ReplayedHour[], terms: ReplayedTerms, since: Date): ReplayedHolder {
  const [{ customerId, subject } = { customerId: '', subject: '' }] = hours;
  const told: ReplayedHolder = {
    customerId,
    subject,
    used: NOTHING,
    stopped: NOTHING,
    slowed: NOTHING,
    firstStoppedAt: null,
    firstSlowedAt: null,
    bills: [],
  };
  const bills = new BillsOfHolder(terms);
  const letThrough: { hour: Date; amount: bigint }[] = [];
  let [first, counted] = [0, 0n];
  for (const hour of hours) {
    const window = windowAt(terms, hour.hour, null);
    if (window === null) throw new RangeError('a period whose windows are not known');
    for (; (letThrough[first]?.hour ?? hour.hour) < window.start; first += 1) {
      counted -= letThrough[first]?.amount ?? 0n;
    }
    const { stops, tokensPerMinute } = reachedBy(counted, terms);
    const held = stops ? hour : slowDown(hour, tokensPerMinute);
    const amount = amountOf(hour, terms) - amountOf(held, terms);
    letThrough.push({ hour: hour.hour, amount });
    counted += amount;
    const billed = bills.take(window.start, hour, counted);
    if (hour.hour < since) continue;
    told.bills.push(...billed);
    told.used = add(told.used, hour);
    if (stops) {
      told.stopped = add(told.stopped, held);
      told.firstStoppedAt ??= hour.hour;
    } else if (held.tokenCount > 0n) {
      told.slowed = add(told.slowed, held);
      told.firstSlowedAt ??= hour.hour;
    }
  }
  return told;
}

/** Which steps bill when, one window after the other; one that is reached no more in days that roll may be reached again. */
class BillsOfHolder {
  readonly #terms: ReplayedTerms;
  readonly #reached = new Set<BudgetStep>();
  #windowStart: Date | null = null;
  #since: Date | null = null;
  #unbilled = NOTHING;

  constructor(terms: ReplayedTerms) {
    this.#terms = terms;
  }

  take(windowStart: Date, hour: ReplayedHour, counted: bigint): ReplayedBill[] {
    const { period, limit, steps } = this.#terms;
    const isTurned = this.#windowStart?.getTime() !== windowStart.getTime();
    if (isTurned && (period !== 'rolling_days' || this.#since === null)) {
      this.#reached.clear();
      this.#since = windowStart;
      this.#unbilled = NOTHING;
    }
    this.#windowStart = windowStart;
    this.#unbilled = add(this.#unbilled, hour);
    const bills = steps.filter(({ action, on }) => action === 'bill' && on === 'actual');
    const isReached = ({ sharePermille }: BudgetStep) => counted * 1_000n >= limit * BigInt(sharePermille);
    for (const step of bills) if (!isReached(step)) this.#reached.delete(step);
    const fresh = bills.filter((step) => isReached(step) && !this.#reached.has(step));
    for (const step of fresh) this.#reached.add(step);
    // Two that are reached at once are one invoice.
    const step = fresh.toSorted((one, other) => other.sharePermille - one.sharePermille)[0];
    if (step === undefined) return [];
    const at = new Date(hour.hour.getTime() + HOUR_MS);
    const bill = {
      at,
      sharePermille: step.sharePermille,
      since: this.#since ?? windowStart,
      used: this.#unbilled,
    };
    this.#since = at;
    this.#unbilled = NOTHING;
    return [bill];
  }
}

function reachedBy(counted: bigint, { limit, steps }: ReplayedTerms) {
  const reached = steps.filter(
    ({ on, sharePermille }) => on === 'actual' && counted * 1_000n >= limit * BigInt(sharePermille),
  );
  const [slow] = reached
    .filter(({ action }) => action === 'slow')
    .sort((a, b) => b.sharePermille - a.sharePermille);
  return {
    stops: reached.some(({ action }) => action === 'stop'),
    tokensPerMinute: slow?.tokensPerMinute ?? null,
  };
}

/** What of an hour would not have been let through. */
function slowDown(hour: ReplayedHour, tokensPerMinute: number | null): ReplayedSums {
  if (tokensPerMinute === null) return NOTHING;
  const most = BigInt(tokensPerMinute) * MINUTES;
  if (hour.tokenCount <= most) return NOTHING;
  const held = hour.tokenCount - most;
  return {
    costPicoUsd: (hour.costPicoUsd * held) / hour.tokenCount,
    tokenCount: held,
    callCount: (hour.callCount * held) / hour.tokenCount,
  };
}

function amountOf(sums: ReplayedSums, { measure }: ReplayedTerms): bigint {
  return { cost: sums.costPicoUsd, tokens: sums.tokenCount, calls: sums.callCount }[measure];
}

/** What all of them come to. */
export function sumReplayed(sums: readonly ReplayedSums[]): ReplayedSums {
  return sums.reduce(add, NOTHING);
}

function add(a: ReplayedSums, b: ReplayedSums): ReplayedSums {
  return {
    costPicoUsd: a.costPicoUsd + b.costPicoUsd,
    tokenCount: a.tokenCount + b.tokenCount,
    callCount: a.callCount + b.callCount,
  };
}
