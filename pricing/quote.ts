import { divideHalfUp } from './money.ts';
import { type DeploymentType, findPrice, type PriceBook, type PriceNote } from './price-book.ts';
import { costPicoUsd, exactAmountPicoMinor, roundToMinor } from './rating.ts';
import { findSellRate, type SellRate } from './sell-rates.ts';
import { TOKEN_TYPES, type TokenBuckets, type TokenType } from './tokens.ts';

export interface QuoteUsage {
  model: string;
  feature: string;
  deployment?: string;
  deploymentType?: DeploymentType;
  tokens: TokenBuckets;
}

export type QuoteInput = {
  usage: readonly QuoteUsage[];
  sellRates: readonly SellRate[];
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
  const lines = input.usage.flatMap((usage) =>
    TOKEN_TYPES.filter((tokenType) => usage.tokens[tokenType] !== 0n).map((tokenType) =>
      createLine(input, usage, tokenType),
    ),
  );
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

function createLine(input: QuoteInput, usage: QuoteUsage, tokenType: TokenType): QuoteLine {
  const tokenCount = usage.tokens[tokenType];
  if (tokenCount < 0n) throw new RangeError('a quote is for usage, which is never negative');
  const found = findPrice(input.priceBook, usage, tokenType);
  const rate = findSellRate(input.sellRates, { ...usage, tokenType });
  const cost = found.found ? known(costPicoUsd(tokenCount, found.picoUsdPerToken)) : unknown(found.reason);
  return {
    model: usage.model,
    feature: usage.feature,
    deployment: usage.deployment ?? '',
    tokenType,
    tokenCount,
    rateId: rate?.rateId ?? null,
    notes: found.found ? found.notes : [],
    ...figuresOf(input, cost, priceOf(rate, tokenCount)),
  };
}

function priceOf(rate: SellRate | null, tokenCount: bigint): Figure {
  if (rate === null) return unknown('no_sell_rate');
  if (rate.unitAmountDecimal === null) return unknown('tiered_sell_rate');
  return known(exactAmountPicoMinor(tokenCount, rate.unitAmountDecimal));
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
    const unitAmountDecimal = rate?.unitAmountDecimal ?? null;
    return {
      rateId,
      description: rate?.description ?? rateId,
      quantity,
      unitAmountDecimal,
      amountMinor:
        unitAmountDecimal === null ? null : roundToMinor(exactAmountPicoMinor(quantity, unitAmountDecimal)),
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
