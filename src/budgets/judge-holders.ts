import { sumUsed, type UsedPart } from '../../pricing/budgets/amounts.ts';
import { isMoney } from '../../pricing/budgets/budget.ts';
import {
  type Forecast,
  type ForecastReason,
  forecastHistoryStart,
  forecastUse,
} from '../../pricing/budgets/forecast.ts';
import { type JudgedSteps, judgeSteps } from '../../pricing/budgets/judge.ts';
import { hourlyRateOf } from '../../pricing/budgets/overshoot.ts';
import {
  type BudgetOverrides,
  type BudgetStanding,
  effectiveLimitAt,
} from '../../pricing/budgets/standing.ts';
import { type ConversionMiss, type Conversions, conversionFor } from '../../pricing/exchange/rates.ts';
import { readConversions } from '../costs/exchange/rates.ts';
import { addMs, DAY_MS, floorToHour } from '../platform/clock.ts';
import type { LedgerTransaction } from '../platform/database/database.ts';
import type { Budget } from './budgets.ts';
import { readDailyParts, readOpenDays } from './histories.ts';
import { type HolderFacts, type HolderWindow, rateSinceOf } from './holders.ts';

/** More users than this, of those that are judged at once, are not carried forward; those with least use are not asked for. */
const MOST_FORECASTS = 500;
/** Of users, those that used less than a tenth of their limit are not carried forward. */
const LEAST_SHARE = 10n;

/** What became of a holder in a window. */
export interface JudgedHolder extends HolderWindow {
  budget: Budget;
  standing: BudgetStanding;
  unknownReason: ConversionMiss | null;
  unpricedTokenCount: bigint;
  forecastReason: ForecastReason | null;
  hourlyRate: bigint;
  isOver: boolean;
  steps: JudgedSteps;
}

export interface JudgeTerms {
  budgets: ReadonlyMap<string, Budget>;
  overrides: BudgetOverrides;
  /** Budgets that are judged as a whole. */
  whole: ReadonlySet<string>;
  knownUntil: Date | null;
  now: Date;
}

/** Judges holders by their facts. What was never judged in a window that is over is not begun with. */
export async function judgeHolders(
  transaction: LedgerTransaction,
  holders: readonly HolderWindow[],
  facts: readonly HolderFacts[],
  terms: JudgeTerms,
): Promise<JudgedHolder[]> {
  const { budgets, overrides, knownUntil, now } = terms;
  const forecasts = new ForecastReader(transaction, terms);
  const conversions = await readNeeded(transaction, budgets, facts, now);
  const conversionOf = (currency: string) => conversionFor(currency, conversions);
  const judged: JudgedHolder[] = [];
  for (const [place, holder] of holders.entries()) {
    const budget = budgets.get(holder.budgetId);
    const fact = facts[place];
    if (budget === undefined || fact === undefined) continue;
    const { window } = holder;
    const isOver = window.end <= now;
    if (isOver && fact.before === null) continue;
    const sum = (parts: readonly UsedPart[]) => sumUsed(parts, budget, conversionOf);
    const [total, late] = [sum(fact.parts), sum(fact.lateParts)];
    const isKnown = typeof total === 'bigint';
    // Nobody knows what it is now: what was known stays, and the reason is told beside.
    const used = isKnown ? total : (fact.before?.used ?? 0n);
    const isOverridden = overrides.isOverridden(budget, holder);
    const effectiveLimit = isOver
      ? (fact.before?.effectiveLimit ?? budget.limit)
      : effectiveLimitAt(budget, window, now);
    const forecast = isOver
      ? { amount: null, reason: 'period_is_over' as const }
      : isOverridden || !isKnown
        ? { amount: null, reason: 'not_asked' as const }
        : await forecasts.read(budget, holder, { used, fact, sum });
    const standing = { used, forecast: forecast.amount, effectiveLimit };
    const known = knownUntil ?? now;
    judged.push({
      ...holder,
      budget,
      standing,
      unknownReason: isKnown ? null : total,
      unpricedTokenCount: fact.unpricedTokenCount,
      forecastReason: forecast.reason,
      hourlyRate:
        typeof late === 'bigint' ? hourlyRateOf(late, known.getTime() - rateSinceOf(known).getTime()) : 0n,
      isOver,
      steps: judgeSteps({
        steps: budget.steps,
        standing: isKnown ? standing : null,
        open: fact.open,
        isGraced: effectiveLimit > budget.limit,
        isOverridden,
        isOver,
      }),
    });
  }
  return judged;
}

async function readNeeded(
  transaction: LedgerTransaction,
  budgets: ReadonlyMap<string, Budget>,
  facts: readonly HolderFacts[],
  now: Date,
): Promise<Conversions> {
  const currencies = [
    ...[...budgets.values()].map(({ currency }) => currency),
    ...facts.flatMap(({ parts }) => parts.map(({ currency }) => currency)),
  ].filter((currency) => currency !== null);
  return await readConversions(transaction, { window: { end: addMs(now, DAY_MS) }, currencies, now });
}

/** How windows will end; read once an hour for each holder, for it is a look at eight weeks. */
class ForecastReader {
  readonly #transaction: LedgerTransaction;
  readonly #terms: JudgeTerms;
  readonly #openDays = new Map<string, Set<number>>();
  #count = 0;

  constructor(transaction: LedgerTransaction, terms: JudgeTerms) {
    this.#transaction = transaction;
    this.#terms = terms;
  }

  async read(
    budget: Budget,
    holder: HolderWindow,
    {
      used,
      fact,
      sum,
    }: { used: bigint; fact: HolderFacts; sum: (parts: readonly UsedPart[]) => bigint | ConversionMiss },
  ): Promise<Forecast> {
    const { knownUntil, now, whole } = this.#terms;
    const { before } = fact;
    if (!this.#isAsked(budget, used)) return { amount: null, reason: 'not_asked' };
    if (
      before !== null &&
      before.forecastReason !== 'not_asked' &&
      !whole.has(budget.budgetId) &&
      floorToHour(before.judgedAt).getTime() === floorToHour(now).getTime()
    ) {
      const amount = before.forecast !== null && before.forecast < used ? used : before.forecast;
      return { amount, reason: before.forecastReason as ForecastReason | null };
    }
    this.#count += 1;
    const known = knownUntil ?? now;
    const from = forecastHistoryStart(holder.window, known);
    const ownFrom = firstWholeDay(budget.summedFrom ?? holder.window.start);
    const daily = await readDailyParts(this.#transaction, budget, holder, { from, ownFrom, until: known });
    const amounts = [...daily].map(([day, parts]) => [day, sum(parts)] as const);
    return forecastUse({
      window: holder.window,
      knownUntil: known,
      used,
      dailyAmounts: new Map(
        amounts.flatMap(([day, amount]) => (typeof amount === 'bigint' ? [[day, amount]] : [])),
      ),
      openDays: await this.#readOpenDays(from, ownFrom),
      isMoney: isMoney(budget.measure),
    });
  }

  #isAsked({ perUser, steps, limit }: Budget, used: bigint): boolean {
    if (!perUser) return true;
    return (
      steps.some(({ on }) => on === 'forecast') && used * LEAST_SHARE >= limit && this.#count < MOST_FORECASTS
    );
  }

  async #readOpenDays(from: Date, until: Date): Promise<Set<number>> {
    const key = `${from.getTime()} ${until.getTime()}`;
    const known = this.#openDays.get(key) ?? (await readOpenDays(this.#transaction, from, until));
    this.#openDays.set(key, known);
    return known;
  }
}

/** The first midnight from an instant on: of the day before, its own hours are not all there. */
function firstWholeDay(instant: Date): Date {
  return new Date(Math.ceil(instant.getTime() / DAY_MS) * DAY_MS);
}
