import type { PeriodMinimum } from '../invoices/minimum.ts';
import { type InvoiceCharge, nextInvoice } from '../invoices/next-invoice.ts';
import { standingRates } from '../invoices/standing.ts';
import type { KnownMargin } from '../rating/margin.ts';
import { type RatedUsage, rateUsage } from '../rating/rate-usage.ts';
import { findSellRate, type RateKey, type SellRate } from '../rating/sell-rates.ts';

export type Rateable = RateKey & { tokenCount: bigint; picoUsdPerToken: bigint | null };

interface MonthRevenue {
  rated: RatedUsage<Rateable>[];
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
  }: {
    stated: readonly Rateable[];
    overridden: readonly Rateable[];
    rates: readonly SellRate[];
    overrides: readonly SellRate[];
  },
  { minimums, currency }: { minimums: readonly PeriodMinimum[]; currency: string },
): MonthRevenue {
  const own = rateUsage(withStanding(stated, rates), rates);
  const other = rateUsage(overridden, overrides);
  const { unratedTokenCount } = own.totals;
  const ratedMinor = own.totals.ratedAmountMinor + other.totals.ratedAmountMinor;
  const rated = [own, other];
  if (minimums.length === 0) return { rated, revenueMinor: ratedMinor, unratedTokenCount };
  const charges = [
    ...own.lines.map(({ rate, amountMinor }) => charged(rate.rateId, amountMinor)),
    // At another price it is still usage of the rate that the customer has.
    ...other.lines.map(({ parts: [part], amountMinor }) =>
      charged(part === undefined ? '' : (findSellRate(rates, part.usage)?.rateId ?? ''), amountMinor),
    ),
  ];
  const { topUps } = nextInvoice({ charges, minimums, currency });
  const topUpMinor = topUps.reduce((total, topUp) => total + (topUp.topUpMinor ?? 0n), 0n);
  return { rated, revenueMinor: ratedMinor + topUpMinor, unratedTokenCount };
}

/** What has a rate and a price, beside the customer's share of capacity, which is paid whatever happens. */
export function knownPart(
  rated: readonly RatedUsage<Rateable>[],
  provisionedCostPicoUsd: bigint,
): KnownMargin {
  const known: KnownMargin = { tokenCount: 0n, revenuePicoMinor: 0n, costPicoUsd: provisionedCostPicoUsd };
  for (const { parts } of rated.flatMap(({ lines }) => lines)) {
    for (const { usage, amountPicoMinor } of parts) {
      if (amountPicoMinor === null || usage.picoUsdPerToken === null) continue;
      known.tokenCount += usage.tokenCount;
      known.revenuePicoMinor += amountPicoMinor;
      known.costPicoUsd += usage.tokenCount * usage.picoUsdPerToken;
    }
  }
  return known;
}

/** With what is on the invoice although nothing was used of it. */
function withStanding(usage: readonly Rateable[], rates: readonly SellRate[]): readonly Rateable[] {
  const standing = standingRates(rates);
  if (standing.length === 0) return usage;
  return [
    ...usage,
    ...standing.map(({ model, feature, tokenType }) => ({
      model,
      feature,
      tokenType,
      tokenCount: 0n,
      picoUsdPerToken: 0n,
    })),
  ];
}

function charged(meterId: string, amountMinor: bigint): InvoiceCharge {
  return { meterId, amountMinor, isOfPeriod: true };
}
