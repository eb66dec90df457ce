import { EXPERIMENTATION } from '../../../pricing/budgets/templates.ts';
import { PICO_DIGITS, parseDecimal } from '../../../pricing/money.ts';
import type { FirstLookFacts, LookedAtClose } from './gather.ts';

/** A feature costs too much that costs so many times the next one. */
const STANDS_OUT = 4n;
/** A day is unlike the others that costs so many times the middle one, of at least so many. */
const UNLIKE = 4n;
const LEAST_DAYS = 5;

/** What the data of this very run show, each null where they do not. Amounts are pico of the unit. */
export interface FirstLook {
  loser: {
    customerId: string;
    currency: string;
    tokenPercent: number;
    revenue: string;
    cost: bigint;
  } | null;
  wrongModel: {
    feature: string;
    model: string;
    cost: bigint;
    /** Of the next feature. */
    timesTenths: bigint;
    /** What its neighbours run on, the most used first. */
    candidates: string[];
  } | null;
  oddDay: { day: string; customerId: string; feature: string; cost: bigint; times: bigint } | null;
  waited: { close: LookedAtClose; from: string; to: string; note: string | null } | null;
  /** Experiments of the house that reached their cap. */
  stopped: { passedCallCount: number; stoppedCallCount: number } | null;
}

export function decideFirstLook(whole: FirstLookFacts): FirstLook {
  // What the house tries itself is no product, and its odd days are told by its cap.
  const isSold = ({ customerId }: { customerId: string | null }) => customerId !== EXPERIMENTATION.customerId;
  const facts = { ...whole, customers: whole.customers.filter(isSold), costs: whole.costs.filter(isSold) };
  const { experiments } = facts;
  return {
    stopped: experiments !== null && experiments.stoppedCallCount > 0 ? experiments : null,
    loser: findLoser(facts),
    wrongModel: findWrongModel(facts),
    oddDay: findOddDay(facts),
    waited: findWaited(facts.closes),
  };
}

const pico = (amount: string) => parseDecimal(amount, PICO_DIGITS);

/** Of the customers that cost more than they bring, the one with the most tokens. */
function findLoser({ customers }: FirstLookFacts): FirstLook['loser'] {
  const all = customers.reduce((sum, { tokenCount }) => sum + BigInt(tokenCount), 0n);
  const [loser] = customers
    .filter(({ knownMargin }) => knownMargin.amount?.startsWith('-') === true)
    .sort((left, right) => compare(BigInt(right.tokenCount), BigInt(left.tokenCount)));
  if (loser === undefined || loser.revenue.amount === null || all === 0n) return null;
  const { customerId, currency, tokenCount, knownCost } = loser;
  return {
    customerId,
    currency,
    tokenPercent: Number((BigInt(tokenCount) * 100n + all / 2n) / all),
    revenue: loser.revenue.amount,
    cost: pico(knownCost),
  };
}

function findWrongModel({ costs }: FirstLookFacts): FirstLook['wrongModel'] {
  const [first, next] = mostFirst(sumBy(costs, ({ feature }) => feature));
  if (first === undefined || next === undefined || next[1] === 0n) return null;
  const [feature, cost] = first;
  if (cost < STANDS_OUT * next[1]) return null;
  const own = costs.filter((row) => row.feature === feature);
  const model = mostFirst(sumBy(own, (row) => row.model))[0]?.[0] ?? '';
  const others = costs.filter((row) => row.feature !== feature && row.model !== model);
  const byTokens = sumBy(
    others,
    (row) => row.model,
    ({ tokenCount }) => BigInt(tokenCount),
  );
  const candidates = mostFirst(byTokens).map(([name]) => name);
  return { feature, model, cost, timesTenths: (cost * 10n + next[1] / 2n) / next[1], candidates };
}

/** The customer's day that is the furthest above the middle one of that customer's days. */
function findOddDay({ costs }: FirstLookFacts): FirstLook['oddDay'] {
  let oddest: (FirstLook['oddDay'] & { excess: bigint }) | null = null;
  for (const [customerId, rows] of Map.groupBy(costs, (row) => row.customerId)) {
    if (customerId === null) continue;
    const days = mostFirst(sumBy(rows, ({ day }) => day));
    const [top] = days;
    const middle = days[Math.floor(days.length / 2)]?.[1] ?? 0n;
    if (top === undefined || days.length < LEAST_DAYS || middle === 0n || top[1] < UNLIKE * middle) continue;
    const excess = top[1] - middle;
    if (oddest !== null && oddest.excess >= excess) continue;
    const ofDay = rows.filter(({ day }) => day === top[0]);
    const [feature] = mostFirst(sumBy(ofDay, (row) => row.feature));
    oddest = {
      day: top[0],
      customerId,
      feature: feature?.[0] ?? '',
      cost: top[1],
      times: top[1] / middle,
      excess,
    };
  }
  return oddest;
}

/** The invoice that was held for the longest, and went out after all. */
function findWaited(closes: readonly LookedAtClose[]): FirstLook['waited'] {
  let longest: (FirstLook['waited'] & { waitedMs: number }) | null = null;
  for (const close of closes.filter(({ state }) => state === 'finalized')) {
    const at = close.steps.findIndex(({ state }) => state === 'held');
    const held = close.steps[at];
    const after = close.steps[at + 1];
    if (held === undefined || after === undefined) continue;
    const waitedMs = Date.parse(after.at) - Date.parse(held.at);
    if (longest !== null && longest.waitedMs >= waitedMs) continue;
    longest = { close, from: held.at, to: after.at, note: held.note, waitedMs };
  }
  return longest;
}

type Row = FirstLookFacts['costs'][number];

function sumBy(
  rows: readonly Row[],
  key: (row: Row) => string,
  value: (row: Row) => bigint = (row) => pico(row.knownCost),
): Map<string, bigint> {
  const sums = new Map<string, bigint>();
  for (const row of rows) sums.set(key(row), (sums.get(key(row)) ?? 0n) + value(row));
  return sums;
}

function mostFirst(sums: Map<string, bigint>): [string, bigint][] {
  return [...sums].sort((left, right) => compare(right[1], left[1]));
}

function compare(left: bigint, right: bigint): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
