import type { PeriodMinimum } from '../invoices/minimum.ts';
import { type InvoiceCharge, nextInvoice } from '../invoices/next-invoice.ts';
import { standingRates } from '../invoices/standing.ts';
import type { KnownMargin } from '../rating/margin.ts';
import { rateUsage } from '../rating/rate-usage.ts';
import { findSellRate, type SellRate } from '../rating/sell-rates.ts';
import { changedLine, type Rateable, type ScenarioLine, scaled } from './change.ts';

interface MonthRevenue {
  lines: ScenarioLine[];
  /** As an invoice rounds it, top-ups included, in minor units; what has no rate is not in it. */
  revenueMinor: bigint;
  unratedTokenCount: bigint;
}

/** What a customer's month brings: by its rates, and by those that a scenario puts in their place. */
export function rateMonth(
  {
    stated,
    overridden,
    rates,
    overrides,
    factorOfRate,
  }: {
    stated: readonly Rateable[];
    overridden: readonly Rateable[];
    rates: readonly SellRate[];
    overrides: readonly SellRate[];
    /** Of what is on the invoice although nothing was used of it. */
    factorOfRate: (rate: SellRate) => bigint;
  },
  { minimums, currency }: { minimums: readonly PeriodMinimum[]; currency: string },
): MonthRevenue {
  const ofRates = rateUsage(withStanding(stated, rates, factorOfRate), rates);
  const other = rateUsage(overridden, overrides);
  let { unratedTokenCount } = ofRates.totals;
  const own: ScenarioLine[] = [];
  for (const line of ofRates.lines) {
    const changed = changedLine(line);
    if (changed !== null) own.push(changed);
    else unratedTokenCount += line.quantity;
  }
  const lines: ScenarioLine[] = [...own, ...other.lines];
  const ratedMinor = lines.reduce((total, { amountMinor }) => total + amountMinor, 0n);
  if (minimums.length === 0) return { lines, revenueMinor: ratedMinor, unratedTokenCount };
  const charges = [
    ...own.map(({ rate, amountMinor }) => charged(rate.rateId, amountMinor)),
    // At another price it is still usage of the rate that the customer has.
    ...other.lines.map(({ parts: [part], amountMinor }) =>
      charged(part === undefined ? '' : (findSellRate(rates, part.usage)?.rateId ?? ''), amountMinor),
    ),
  ];
  const { topUps } = nextInvoice({ charges, minimums, currency });
  const topUpMinor = topUps.reduce((total, topUp) => total + (topUp.topUpMinor ?? 0n), 0n);
  return { lines, revenueMinor: ratedMinor + topUpMinor, unratedTokenCount };
}

/**
 * What has a rate and a price, beside the customer's share of capacity, which is paid whatever happens.
 * @param factor what revenue is multiplied by, as a discount does, in millionths
 */
export function knownPart(
  lines: readonly ScenarioLine[],
  provisionedCostPicoUsd: bigint,
  factor: bigint,
): KnownMargin {
  const known: KnownMargin = { tokenCount: 0n, revenuePicoMinor: 0n, costPicoUsd: provisionedCostPicoUsd };
  for (const { parts } of lines) {
    for (const { usage, amountPicoMinor } of parts) {
      if (amountPicoMinor === null || usage.picoUsdPerToken === null) continue;
      known.tokenCount += usage.tokenCount;
      known.revenuePicoMinor += scaled(amountPicoMinor, factor);
      known.costPicoUsd += usage.tokenCount * usage.picoUsdPerToken;
    }
  }
  return known;
}

/** With what is on the invoice although nothing was used of it. */
function withStanding(
  usage: readonly Rateable[],
  rates: readonly SellRate[],
  factorOfRate: (rate: SellRate) => bigint,
): readonly Rateable[] {
  const standing = standingRates(rates);
  if (standing.length === 0) return usage;
  return [
    ...usage,
    ...standing.map((rate) => ({
      model: rate.model,
      feature: rate.feature,
      tokenType: rate.tokenType,
      tokenCount: 0n,
      picoUsdPerToken: 0n,
      factor: factorOfRate(rate),
    })),
  ];
}

function charged(meterId: string, amountMinor: bigint): InvoiceCharge {
  return { meterId, amountMinor, isOfPeriod: true };
}
