import { divideHalfUp } from './money.ts';
import { type DeploymentType, findPrice, type PriceBook, type PriceNote } from './price-book.ts';
import type { RatePrice } from './rate-price.ts';
import { costPicoUsd, exactAmount, rateQuantity, splitAmount } from './rating.ts';
import { findSellRate, type SellRate } from './sell-rates.ts';
import { TOKEN_TYPES, type TokenBuckets, type TokenType } from './tokens.ts';

export interface QuoteUsage {
  model: string;
  feature: string;
  deployment?: string;
  deploymentType?: DeploymentType;
  tokens: TokenBuckets;
}

/** A sell rate; a price that could not be read is null, and what it would have priced is said to be unknown. */
export type QuotedRate = Omit<SellRate, 'price'> & { price: RatePrice | null };

export type QuoteInput = {
  usage: readonly QuoteUsage[];
  sellRates: readonly QuotedRate[];
  /** Of the sell rates, lower case. */
  currency: string;
  priceBook: PriceBook;
};

export type UnknownReason =
  | 'unknown_model'
  | 'no_price_for_token_type'
  | 'no_sell_rate'
  | 'tiered_sell_rate'
  | 'currency_differs_from_cost'
  | 'cost_unknown'
  | 'price_unknown'
  | 'price_is_zero';

/** A figure, or the reason why there is none. Never a zero that means "unknown". */
export type Figure = { value: bigint; reason: null } | { value: null; reason: UnknownReason };

export interface Figures {
  /** Pico-USD. */
  cost: Figure;
  /** Pico of the currency's minor unit. */
  price: Figure;
  /** Pico of the currency's minor unit. */
  margin: Figure;
  /** Hundredths of a per cent of the price. */
  marginBasisPoints: Figure;
}

export interface QuoteLine extends Figures {
  model: string;
  feature: string;
  deployment: string;
  tokenType: TokenType;
  tokenCount: bigint;
  rateId: string | null;
  notes: PriceNote[];
}

export interface QuoteInvoiceLine {
  rateId: string;
  description: string;
  quantity: bigint;
  unitAmountDecimal: string | null;
  amountMinor: bigint | null;
}

export interface Quote {
  currency: string;
  priceBookVersion: string;
  lines: QuoteLine[];
  /** The lines as an invoice would show them: one for each rate, each rounded once. */
  invoiceLines: QuoteInvoiceLine[];
  /** Exact sums of the lines. */
  totals: Figures & { tokenCount: bigint; invoiceAmountMinor: Figure };
}

/** What this usage costs us and brings us. Pure: the same input gives the same quote for ever. */
export function createQuote(input: QuoteInput): Quote {
  const parts = input.usage.flatMap((usage) =>
    TOKEN_TYPES.filter((tokenType) => usage.tokens[tokenType] !== 0n).map((tokenType) =>
      toPart(input, usage, tokenType),
    ),
  );
  const lines = priceParts(parts).map(({ part, price }) => createLine(input, part, price));
  const invoiceLines = createInvoiceLines(input, lines);
  const cost = sumOf(lines.map((line) => line.cost));
  const price = sumOf(lines.map((line) => line.price));
  return {
    currency: input.currency,
    priceBookVersion: input.priceBook.version,
    lines,
    invoiceLines,
    totals: {
      tokenCount: lines.reduce((sum, line) => sum + line.tokenCount, 0n),
      ...figuresOf(input, cost, price),
      invoiceAmountMinor:
        price.value === null
          ? price
          : known(invoiceLines.reduce((sum, line) => sum + (line.amountMinor ?? 0n), 0n)),
    },
  };
}

/** Usage of one token type, and the rate that prices it. */
interface QuotePart {
  usage: QuoteUsage;
  tokenType: TokenType;
  tokenCount: bigint;
  rate: QuotedRate | null;
}

function toPart(input: QuoteInput, usage: QuoteUsage, tokenType: TokenType): QuotePart {
  const tokenCount = usage.tokens[tokenType];
  if (tokenCount < 0n) throw new RangeError('a quote is for usage, which is never negative');
  return { usage, tokenType, tokenCount, rate: findSellRate(input.sellRates, { ...usage, tokenType }) };
}

/** A rate prices the sum of its usage; the amount is shared out by tokens, and the shares sum to it exactly. */
function priceParts(parts: readonly QuotePart[]): { part: QuotePart; price: Figure }[] {
  const partsByRate = Map.groupBy(parts, ({ rate }) => rate?.rateId);
  const priceByPart = new Map<QuotePart, bigint>();
  for (const shared of partsByRate.values()) {
    const price = shared[0]?.rate?.price ?? null;
    if (price === null) continue;
    const tokenCounts = shared.map(({ tokenCount }) => tokenCount);
    const amount = exactAmount(
      tokenCounts.reduce((sum, tokenCount) => sum + tokenCount, 0n),
      price,
    );
    const amounts = splitAmount(amount, tokenCounts);
    shared.forEach((part, index) => {
      priceByPart.set(part, amounts[index] ?? 0n);
    });
  }
  return parts.map((part) => {
    const amount = priceByPart.get(part);
    if (amount !== undefined) return { part, price: known(amount) };
    return { part, price: unknown(part.rate === null ? 'no_sell_rate' : 'tiered_sell_rate') };
  });
}

function createLine(input: QuoteInput, part: QuotePart, price: Figure): QuoteLine {
  const { usage, tokenType, tokenCount, rate } = part;
  const found = findPrice(input.priceBook, usage, tokenType);
  const cost = found.found ? known(costPicoUsd(tokenCount, found.picoUsdPerToken)) : unknown(found.reason);
  return {
    model: usage.model,
    feature: usage.feature,
    deployment: usage.deployment ?? '',
    tokenType,
    tokenCount,
    rateId: rate?.rateId ?? null,
    notes: found.found ? found.notes : [],
    ...figuresOf(input, cost, price),
  };
}

function figuresOf(input: QuoteInput, cost: Figure, price: Figure): Figures {
  const margin = marginOf(input, cost, price);
  return { cost, price, margin, marginBasisPoints: basisPointsOf(margin, price) };
}

function marginOf(input: QuoteInput, cost: Figure, price: Figure): Figure {
  if (cost.value === null) return unknown('cost_unknown');
  if (price.value === null) return unknown('price_unknown');
  if (input.currency !== input.priceBook.currency) return unknown('currency_differs_from_cost');
  // A dollar has 100 cents: pico-USD times 100 is pico-cents.
  return known(price.value - cost.value * 100n);
}

function basisPointsOf(margin: Figure, price: Figure): Figure {
  if (margin.value === null || price.value === null) return margin;
  if (price.value === 0n) return unknown('price_is_zero');
  return known(divideHalfUp(margin.value * 10_000n, price.value));
}

function createInvoiceLines(input: QuoteInput, lines: readonly QuoteLine[]): QuoteInvoiceLine[] {
  const quantityByRate = new Map<string, bigint>();
  for (const { rateId, tokenCount } of lines) {
    if (rateId !== null) quantityByRate.set(rateId, (quantityByRate.get(rateId) ?? 0n) + tokenCount);
  }
  return [...quantityByRate].map(([rateId, quantity]) => {
    const rate = input.sellRates.find((candidate) => candidate.rateId === rateId);
    const price = rate?.price ?? null;
    return {
      rateId,
      description: rate?.description ?? rateId,
      quantity,
      unitAmountDecimal: price?.kind === 'per_unit' ? price.unitAmountDecimal : null,
      amountMinor:
        price === null
          ? null
          : rateQuantity(quantity, price).reduce((sum, line) => sum + line.amountMinor, 0n),
    };
  });
}

/** The sum, unless a part is unknown: then the sum is too, for the first such reason. */
function sumOf(figures: readonly Figure[]): Figure {
  let sum = 0n;
  for (const figure of figures) {
    if (figure.value === null) return figure;
    sum += figure.value;
  }
  return known(sum);
}

function known(value: bigint): Figure {
  return { value, reason: null };
}

function unknown(reason: UnknownReason): Figure {
  return { value: null, reason };
}
