import type { PeriodCharge, PeriodMinimum } from '../invoices/minimum.ts';
import { nextInvoice } from '../invoices/next-invoice.ts';
import { standingRates } from '../invoices/standing.ts';
import { PICO_DIGITS } from '../money.ts';
import { rateUsage } from '../rating/rate-usage.ts';
import { exactAmountPicoMinor, splitAmount } from '../rating/rating.ts';
import type { SellRate } from '../rating/sell-rates.ts';
import { sum } from '../statistics.ts';
import { type Figure, known, sumOf, unknown } from './figures.ts';
import type { QuotedRate, RatedPart } from './parts.ts';

const PICO = 10n ** BigInt(PICO_DIGITS);

/** What one rate charges without and with the usage. Amounts are null where its price could not be read. */
export interface PricedRate {
  rateId: string;
  rate: QuotedRate;
  quantityBefore: bigint;
  quantityAfter: bigint;
  /** Exact, in pico of the minor unit. */
  exactBefore: bigint | null;
  exactAfter: bigint | null;
  /** Minor units, rounded line by line as the invoice rounds. */
  amountBeforeMinor: bigint | null;
  amountAfterMinor: bigint | null;
}

interface SidePrice {
  price: Figure;
  invoiceAmountMinor: Figure;
}

export interface RatePrices {
  invoiceLines: PricedRate[];
  priceOfPart(part: RatedPart): Figure;
  added: SidePrice;
  before: SidePrice;
  after: SidePrice;
  topUpMinor: { before: bigint; after: bigint };
  matchedRates: QuotedRate[];
}

/** What a quote charges beside the price of tokens. */
export interface QuoteCharges {
  isNew: boolean;
  currency: string;
  /** Of the plan, over all of its rates. */
  minimumMinor: bigint;
  /** Of a customer's plans, each over its own rates. */
  minimums: readonly PeriodMinimum[];
  /** Counts towards these, and is not of the quote. */
  elsewhere: readonly PeriodCharge[];
  /** Rates that are on the invoice whether they are used or not; null: a quote from before they were. */
  standing: readonly QuotedRate[] | null;
}

/**
 * Prices what parts add to existing usage, rate by rate: tiers, allowances and the minimum see all of a rate's usage,
 * so each rate charges its amount with the added usage less that without it. A new customer is charged nothing
 * before; an existing one the minimum, and what a tier charges for no usage. Rates that nothing is used at charge that, too.
 */
export function priceByRate(
  added: readonly RatedPart[],
  existing: readonly RatedPart[],
  charges: QuoteCharges,
): RatePrices {
  const standing = unusedCharges(charges.standing ?? [], [...added, ...existing]);
  const after = rateParts([...added, ...existing], standing, charges);
  const before = charges.isNew
    ? null
    : rateParts([...added.map((part) => ({ ...part, tokenCount: 0n })), ...existing], standing, charges);
  const matched = [...matchedRates([...added, ...existing]), ...standing];
  const invoiceLines = firstOfEachId(matched).map((rate): PricedRate => {
    const without = before?.lineByRate.get(rate.rateId);
    const withUsage = after.lineByRate.get(rate.rateId);
    const isRead = rate.price !== null;
    return {
      rateId: rate.rateId,
      rate,
      quantityBefore: without?.quantity ?? 0n,
      quantityAfter: withUsage?.quantity ?? 0n,
      exactBefore: isRead ? (without?.amountPicoMinor ?? 0n) : null,
      exactAfter: isRead ? (withUsage?.amountPicoMinor ?? 0n) : null,
      amountBeforeMinor: isRead ? (without?.amountMinor ?? 0n) : null,
      amountAfterMinor: isRead ? (withUsage?.amountMinor ?? 0n) : null,
    };
  });
  const sideBefore = before?.side ?? NOTHING;
  const gap = missingRate(added);
  const gapBefore = missingRate(existing);
  const shares = sharesByPart(added, invoiceLines);
  const unless = (reason: Figure | null, side: Side): SidePrice =>
    reason === null
      ? { price: known(side.exact), invoiceAmountMinor: known(side.minor) }
      : { price: reason, invoiceAmountMinor: reason };
  return {
    invoiceLines,
    priceOfPart: (part) => shares.get(part) ?? missingPart(part) ?? unknown('priced_with_others'),
    added: unless(gap, {
      exact: after.side.exact - sideBefore.exact,
      minor: after.side.minor - sideBefore.minor,
    }),
    before: unless(gapBefore, sideBefore),
    after: unless(gap ?? gapBefore, after.side),
    topUpMinor: { before: before?.topUpMinor ?? 0n, after: after.topUpMinor },
    matchedRates: matched,
  };
}

interface Side {
  /** Pico of the minor unit. */
  exact: bigint;
  minor: bigint;
}

const NOTHING: Side = { exact: 0n, minor: 0n };

/** Rates that charge something, and have no usage. */
function unusedCharges(rates: readonly QuotedRate[], parts: readonly RatedPart[]): QuotedRate[] {
  const used = new Set(parts.flatMap(({ rate }) => rate?.rateId ?? []));
  return standingRates(rates).filter(({ rateId }) => !used.has(rateId));
}

/** What all of it is charged together. Usage without a rate, or whose price could not be read, is told apart. */
function rateParts(parts: readonly RatedPart[], standing: readonly QuotedRate[], charges: QuoteCharges) {
  const usage = parts
    .filter(({ rate }) => rate !== null && rate.price !== null)
    .map(({ usage: { model, feature }, tokenType, tokenCount }) => ({
      model,
      feature,
      tokenType,
      tokenCount,
    }));
  const unused = standing.map(({ model, feature, tokenType }) => ({
    model,
    feature,
    tokenType,
    tokenCount: 0n,
  }));
  const rates = [...matchedRates(parts), ...standing].filter((rate): rate is SellRate => rate.price !== null);
  const rated = rateUsage([...usage, ...unused], rates, charges.minimumMinor);
  const topUp = topUpOf(rated, charges);
  return {
    lineByRate: new Map(rated.lines.map((line) => [line.rate.rateId, line])),
    topUpMinor: topUp,
    side: {
      exact: rated.totals.ratedAmountPicoMinor + topUp * PICO,
      minor: rated.totals.ratedAmountMinor + topUp,
    },
  };
}

/** As the close tops up. Quotes from before took what was lacking of the plan's minimum as it was. */
function topUpOf(
  { lines, minimumTopUpMinor }: ReturnType<typeof rateUsage>,
  { standing, minimumMinor, minimums, elsewhere, currency }: QuoteCharges,
): bigint {
  if (standing === null) return minimumTopUpMinor;
  const { topUps } = nextInvoice({
    charges: lines.map(({ rate, amountMinor }) => ({
      meterId: rate.rateId,
      amountMinor,
      isOfPeriod: true,
    })),
    elsewhere,
    minimums: [{ minimumMinor, meterIds: null }, ...minimums],
    currency,
  });
  return sum(topUps.map(({ topUpMinor }) => topUpMinor ?? 0n));
}

/** Of several rates under one id (a meter that two models feed) the first stands for all. */
function firstOfEachId(rates: readonly QuotedRate[]): QuotedRate[] {
  return rates.filter((rate, index) => rates.findIndex(({ rateId }) => rateId === rate.rateId) === index);
}

function matchedRates(parts: readonly RatedPart[]): QuotedRate[] {
  return [...new Set(parts.flatMap(({ rate }) => (rate === null ? [] : [rate])))];
}

/**
 * Each part's share of what its rate adds. A price per unit says it outright. What tiers add is shared out by tokens
 * and the shares sum to it exactly; where some parts add usage and others take it away there is no such share.
 */
function sharesByPart(parts: readonly RatedPart[], invoiceLines: readonly PricedRate[]) {
  const shares = new Map<RatedPart, Figure>();
  for (const line of invoiceLines) {
    const { price } = line.rate;
    const ofRate = parts.filter((part) => part.rate?.rateId === line.rateId);
    if (price?.kind === 'per_unit') {
      for (const part of ofRate) {
        shares.set(part, known(exactAmountPicoMinor(part.tokenCount, price.unitAmountDecimal)));
      }
      continue;
    }
    const amount = difference(line.exactAfter, line.exactBefore);
    const counts = ofRate.map((part) => part.tokenCount);
    const isOneWay = counts.every((count) => count > 0n) || counts.every((count) => count < 0n);
    if (amount === null || !isOneWay || counts.length === 0) continue;
    const amounts = splitAmount(
      amount,
      counts.map((count) => (count < 0n ? -count : count)),
    );
    ofRate.forEach((part, index) => {
      shares.set(part, known(amounts[index] ?? 0n));
    });
  }
  return shares;
}

function missingPart({ rate }: RatedPart): Figure | null {
  if (rate === null) return unknown('no_sell_rate');
  return rate.price === null ? unknown('tiered_sell_rate') : null;
}

/** Why a sum over these parts does not exist; null when it does. */
function missingRate(parts: readonly RatedPart[]): Figure | null {
  const gap = sumOf(parts.map((part) => missingPart(part) ?? known(0n)));
  return gap.value === null ? gap : null;
}

function difference(after: bigint | null, before: bigint | null): bigint | null {
  return after === null || before === null ? null : after - before;
}
