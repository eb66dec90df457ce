import type { Conversion, ConversionMiss } from '../exchange/rates.ts';
import type { PeriodCharge, PeriodMinimum } from '../invoices/minimum.ts';
import type { ServiceTier } from '../prices/rows.ts';
import { TOKEN_TYPES, type TokenType } from '../usage/tokens.ts';
import { type CapacityStep, costOnCapacity } from './capacity.ts';
import { costRateOf } from './cost-rate.ts';
import { type Costing, costBesideParts, costBesideThroughput, costOf, type QuoteNote } from './costs.ts';
import { type Figure, type Figures, figuresOf, known, sumOf } from './figures.ts';
import { partsOf, type QuotedRate, type RatedPart } from './parts.ts';
import { type PricedRate, priceByRate } from './rates.ts';
import { countTokens, mergeUsage, type QuoteUsage, subtractUsage, withMostInput } from './usage.ts';

/**
 * `new`: the usage alone. `merge`: on top of existing usage. `replace`: instead of it. Figures are what the usage
 * adds: with it less without it.
 */
export const QUOTE_MODES = ['new', 'merge', 'replace'] as const;
export type QuoteMode = (typeof QUOTE_MODES)[number];

export interface QuoteInput extends Costing {
  usage: readonly QuoteUsage[];
  /** `new` unless said. */
  mode?: QuoteMode;
  /** What the customer uses already, for `merge` and `replace`. */
  existing?: readonly QuoteUsage[];
  sellRates: readonly QuotedRate[];
  /** Charged at least, in minor units. */
  minimumAmountMinor?: bigint;
  /** The same of a customer's plans, each of its own rates. */
  minimums?: readonly PeriodMinimum[];
  /** Charged within the period beside the existing usage: it counts towards these. */
  elsewhere?: readonly PeriodCharge[];
  /** Whether all rates are on the invoice, used or not; quotes from before had those that are used. */
  hasAllRates?: boolean;
  /** Of the sell rates, lower case. */
  currency: string;
  /** By what costs are brought to it; absent where they are in it, and in quotes from before there were exchange rates. */
  conversion?: Conversion | ConversionMiss | undefined;
}

export interface QuoteLine extends Figures {
  model: string;
  feature: string;
  deployment: string;
  deploymentType: string | null;
  region: string | null;
  /** Left out: not said. */
  serviceTier?: ServiceTier;
  requestInputTokenCount?: bigint;
  tokenType: TokenType;
  /** What is added; below zero where `replace` takes usage away. */
  tokenCount: bigint;
  rateId: string | null;
  picoUsdPerToken: bigint | null;
  notes: QuoteNote[];
}

export type QuoteInvoiceLine = PricedRate;

/** One side of the difference that a quote is. */
export interface QuoteSide {
  tokenCount: bigint;
  cost: Figure;
  price: Figure;
  invoiceAmountMinor: Figure;
}

export interface Quote {
  currency: string;
  priceBookVersion: string;
  lines: QuoteLine[];
  /** The lines as an invoice would show them: one for each rate, each rounded as the invoice rounds. */
  invoiceLines: QuoteInvoiceLine[];
  /** What the invoice adds to reach the minimum, in minor units. */
  minimumTopUpMinor: { before: bigint; after: bigint };
  totals: Figures & {
    tokenCount: bigint;
    requestCount: bigint;
    invoiceAmountMinor: Figure;
    knownCost: bigint;
    /** Of the lines whose price and cost are known: pico of the minor unit, and how many tokens; null: there is no such line. */
    knownMargin: { picoMinor: bigint; tokenCount: bigint } | null;
  };
  before: QuoteSide;
  after: QuoteSide;
  /** Those that some usage falls under: no other could change the quote. */
  matchedRates: QuotedRate[];
  /** One for each deployment of the usage whose throughput is bought by the hour. */
  capacitySteps: CapacityStep[];
}

/** What this usage costs us and brings us. Pure: the same input gives the same quote for ever. */
export function createQuote(input: QuoteInput): Quote {
  const mode = input.mode ?? 'new';
  const existing = mode === 'new' ? [] : mergeUsage(withMostInput(input.existing ?? []));
  const usage = mergeUsage(withMostInput(input.usage));
  for (const { tokens } of [...usage, ...existing]) {
    if (TOKEN_TYPES.some((tokenType) => tokens[tokenType] < 0n)) {
      throw new RangeError('a quote is for usage, which is never negative');
    }
  }
  const after = mode === 'merge' ? mergeUsage([...existing, ...usage]) : usage;
  const added = mode === 'replace' ? subtractUsage(usage, existing) : usage;

  const addedParts = partsOf(added, input.sellRates);
  const existingParts = partsOf(existing, input.sellRates);
  const isNew = mode === 'new';
  const priced = priceByRate(addedParts, existingParts, {
    isNew,
    currency: input.currency,
    minimumMinor: input.minimumAmountMinor ?? 0n,
    minimums: input.minimums ?? [],
    elsewhere: input.elsewhere ?? [],
    standing: input.hasAllRates === true ? input.sellRates : null,
  });
  const onCapacity = costOnCapacity(addedParts, input.capacities ?? [], input.priceBook);
  const costRate = costRateOf({ ...input, costCurrency: input.priceBook.currency }, input.conversion);
  const lines = addedParts.map((part): QuoteLine => {
    const { cost, ...found } = costOf(input, part, onCapacity.costOf(part));
    return {
      model: part.usage.model,
      feature: part.usage.feature,
      deployment: part.usage.deployment ?? '',
      deploymentType: part.usage.deploymentType ?? null,
      region: part.usage.region ?? null,
      ...(part.usage.serviceTier === undefined ? {} : { serviceTier: part.usage.serviceTier }),
      ...(part.usage.requestInputTokenCount === undefined
        ? {}
        : { requestInputTokenCount: part.usage.requestInputTokenCount }),
      tokenType: part.tokenType,
      tokenCount: part.tokenCount,
      rateId: part.rate?.rateId ?? null,
      picoUsdPerToken: found.picoUsdPerToken,
      notes: withStandIn(found.notes, part, input),
      ...figuresOf(cost, priced.priceOfPart(part), costRate),
    };
  });
  const cost = sumOf([...lines.map((line) => line.cost), costBesideParts(input, added)]);
  const before = isNew
    ? { tokenCount: 0n, cost: known(0n), price: known(0n), invoiceAmountMinor: known(0n) }
    : {
        tokenCount: countTokens(existing),
        cost: sumOf([
          ...existingParts.map((part) => costBesideThroughput(input, part)),
          costBesideParts(input, existing),
        ]),
        ...priced.before,
      };
  return {
    currency: input.currency,
    priceBookVersion: input.priceBook.version,
    lines,
    invoiceLines: priced.invoiceLines,
    minimumTopUpMinor: priced.topUpMinor,
    totals: {
      tokenCount: countTokens(added),
      requestCount: added.reduce((sum, { requestCount }) => sum + (requestCount ?? 0n), 0n),
      ...figuresOf(cost, priced.added.price, costRate),
      invoiceAmountMinor: priced.added.invoiceAmountMinor,
      knownCost: lines.reduce((sum, line) => sum + (line.cost.value ?? 0n), 0n),
      knownMargin: knownMarginOf(lines),
    },
    before,
    after: {
      tokenCount: countTokens(after),
      cost:
        mode === 'replace'
          ? sumOf([
              ...partsOf(after, input.sellRates).map((part) => costBesideThroughput(input, part)),
              ...onCapacity.steps.map(({ monthlyPicoUsd }) => known(monthlyPicoUsd)),
              costBesideParts(input, after),
            ])
          : sumOf([before.cost, cost]),
      ...priced.after,
    },
    matchedRates: priced.matchedRates,
    capacitySteps: onCapacity.steps,
  };
}

function knownMarginOf(lines: readonly QuoteLine[]): Quote['totals']['knownMargin'] {
  const known = lines.filter(({ margin }) => margin.value !== null);
  if (known.length === 0) return null;
  return {
    picoMinor: known.reduce((sum, { margin }) => sum + (margin.value ?? 0n), 0n),
    tokenCount: known.reduce((sum, { tokenCount }) => sum + tokenCount, 0n),
  };
}

/** What a line rests on: its cost, and its price where that marks up one that stands in for another. */
function withStandIn(
  notes: readonly QuoteNote[],
  { rate }: RatedPart,
  { batchNeedsOwnPrice = false }: Costing,
): QuoteNote[] {
  const standIn = batchNeedsOwnPrice ? undefined : rate?.standIn;
  return standIn === undefined || notes.includes(standIn) ? [...notes] : [...notes, standIn];
}
