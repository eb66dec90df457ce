import { divideHalfUp, parseDecimal } from '../money.ts';
import type { RatedUsageLine } from '../rating/rate-usage.ts';
import { roundToMinor } from '../rating/rating.ts';
import type { RateKey, SellRate } from '../rating/sell-rates.ts';
import { nameKey } from '../usage/names.ts';
import type { TokenType } from '../usage/tokens.ts';

/** Usage of a month as a scenario rates it. */
export type Rateable = RateKey & {
  tokenCount: bigint;
  picoUsdPerToken: bigint | null;
  /** What it brings under its rate is multiplied by, in millionths. */
  factor: bigint;
};

/** What some usage costs or brings, by so many percent more (`-10`: less). `*` matches any. */
export interface PercentChange {
  model: string;
  feature: string;
  tokenType: TokenType | '*';
  percent: string;
}

/** A percentage has at most four decimals. */
const PERCENT_DIGITS = 4;
/** What is left as it is, in millionths. */
export const UNCHANGED = 10n ** BigInt(PERCENT_DIGITS + 2);

/** A percentage as what is multiplied by, in millionths: `10` is 1,100,000. @throws RangeError below -100 */
export function factorOf(percent: string): bigint {
  const factor = UNCHANGED + parseDecimal(percent, PERCENT_DIGITS);
  if (factor < 0n) throw new RangeError(`a change of ${percent} % would leave less than nothing`);
  return factor;
}

/** An amount in pico, times so many millionths. */
export function scaled(amountPico: bigint, factor: bigint): bigint {
  return factor === UNCHANGED ? amountPico : divideHalfUp(amountPico * factor, UNCHANGED);
}

/** The change of some usage: of those that match, the one that says most; model goes before feature, feature before type. */
export function changeFactor(changes: readonly PercentChange[], usage: RateKey): bigint {
  let best: PercentChange | null = null;
  let bestRank = -1;
  for (const change of changes) {
    if (change.model !== '*' && change.model !== usage.model) continue;
    if (change.feature !== '*' && nameKey(change.feature) !== nameKey(usage.feature)) continue;
    if (change.tokenType !== '*' && change.tokenType !== usage.tokenType) continue;
    const rank =
      (change.model === '*' ? 0 : 4) + (change.feature === '*' ? 0 : 2) + (change.tokenType === '*' ? 0 : 1);
    if (rank > bestRank) {
      best = change;
      bestRank = rank;
    }
  }
  return best === null ? UNCHANGED : factorOf(best.percent);
}

/** A line of a month as a scenario has it. */
export interface ScenarioLine {
  rate: SellRate;
  amountMinor: bigint;
  parts: readonly { usage: Rateable; amountPicoMinor: bigint | null }[];
}

/**
 * A line after its usage's changes. Where all of it changes alike, each tier is rounded as an invoice would; else the shares
 * of the usage change, each by its own, and their sum is rounded once. Null: corrections leave no honest shares.
 */
export function changedLine(line: RatedUsageLine<Rateable>): ScenarioLine | null {
  const used = line.parts.filter(({ usage }) => usage.tokenCount !== 0n);
  const factors = new Set((used.length === 0 ? line.parts : used).map(({ usage }) => usage.factor));
  if (factors.size === 1 && factors.has(UNCHANGED)) return line;
  const parts = line.parts.map(({ usage, amountPicoMinor }) => ({
    usage,
    amountPicoMinor: amountPicoMinor === null ? null : scaled(amountPicoMinor, usage.factor),
  }));
  const [factor] = factors;
  if (factors.size === 1 && factor !== undefined) {
    const amounts = line.tierLines.map(({ amountPicoMinor }) =>
      roundToMinor(scaled(amountPicoMinor, factor)),
    );
    return { rate: line.rate, amountMinor: amounts.reduce((sum, amount) => sum + amount, 0n), parts };
  }
  let amountPicoMinor = 0n;
  for (const part of parts) {
    if (part.amountPicoMinor === null) return null;
    amountPicoMinor += part.amountPicoMinor;
  }
  return { rate: line.rate, amountMinor: roundToMinor(amountPicoMinor), parts };
}
