import { createHash } from 'node:crypto';
import { nearNames } from '../../pricing/near-names.ts';
import type { PriceBook } from '../../pricing/price-book.ts';
import { resolveModel } from '../../pricing/price-lookup.ts';
import { answerQuote, type QuoteAnswer } from '../../pricing/quote-answer.ts';
import { averageWithProvisioned } from '../../pricing/quote-average.ts';
import { findCapacity } from '../../pricing/quote-capacity.ts';
import type { QuotedRate } from '../../pricing/quote-parts.ts';
import { isSwapSource, type QuoteUsage } from '../../pricing/quote-usage.ts';
import { TallystickError } from '../errors.ts';
import { readAverageCosts } from '../ledger/average-costs.ts';
import { readQuoteCapacities } from '../ledger/quote-capacities.ts';
import type { ApiDependencies } from './dependencies.ts';
import type { FieldProblem } from './problem.ts';
import { showAnswer } from './quote-body.ts';
import type { QuoteRequest } from './quote-request-schema.ts';
import type { QuoteAnswerBody } from './quote-schemas.ts';
import { type QuoteSnapshot, toAnswerInput, writeSnapshot } from './quote-snapshot.ts';
import { type QuoteTerms, readTerms } from './quote-terms.ts';
import { readExistingUsage, readQuotedUsage } from './quote-usage.ts';

/** What a request comes to: the answer, and all it was computed from. */
export interface MadeQuote {
  snapshot: QuoteSnapshot;
  snapshotText: string;
  terms: QuoteTerms;
  body: QuoteAnswerBody;
  /** The body's JSON, and its hash. */
  text: string;
  hash: string;
}

/**
 * Answers a request with what is known now. Stores nothing.
 * @throws TallystickError UNKNOWN_MODEL, UNKNOWN_PLAN, UNKNOWN_CURRENCY, UNKNOWN_FEATURE, NOT_ENOUGH_DATA,
 *   UNKNOWN_CUSTOMER, VALIDATION
 */
export async function makeQuote(dependencies: ApiDependencies, request: QuoteRequest): Promise<MadeQuote> {
  const terms = await readTerms(dependencies, request);
  refuseUnknownModels(request, terms.priceBook);
  const quoted = await readQuotedUsage(dependencies, request, terms);
  const existing =
    request.mode === 'new' || request.customerId === undefined
      ? null
      : await readExistingUsage(dependencies, request.customerId);
  const usage = quoted.groups.flatMap((group) => group.usage);
  refuseIdleSwaps(request, usage, terms.priceBook);
  const swapped = (request.adjustments?.modelSwaps ?? []).map(({ to }) => to);
  const models = [...usage, ...(existing?.usage ?? [])].map(({ model }) => model);
  const rates = terms.ratesFor([...new Set([...models, ...swapped])]);
  const snapshot: QuoteSnapshot = {
    mode: request.mode,
    customerId: request.customerId ?? null,
    currency: terms.currency,
    at: terms.at,
    plan: terms.plan,
    rateBasis: terms.rateBasis,
    rates: null,
    minimumAmountMinor: terms.minimumAmountMinor,
    adjustments: request.adjustments ?? {},
    targetMarginPercent: request.targetMarginPercent ?? null,
    usageBasis: { ...quoted.basis, existing: existing?.basis ?? null },
    groups: quoted.groups,
    existing: existing?.usage ?? [],
    rangeReason: quoted.rangeReason,
    averagePicoUsdPerMillion: null,
    ...(await readCapacities(dependencies, terms)),
  };
  let made = answerSnapshot(snapshot, terms.priceBook, rates);
  if (terms.hasProvisioned) {
    const { lines } = made.answer.quote;
    const named = [...new Set(lines.map(({ model }) => model))];
    const averages = await readAverageCosts(dependencies.database, named, dependencies.clock.now());
    snapshot.averagePicoUsdPerMillion = averageWithProvisioned(lines, averages);
    made = answerSnapshot(snapshot, terms.priceBook, rates);
  }
  if (!usesCapacity(snapshot, made.answer, terms.priceBook)) delete snapshot.capacities;
  if (quoted.basis.kind === 'given') refuseMissingPrices(made.answer, terms);
  if (terms.plan === null) snapshot.rates = made.answer.quote.matchedRates;
  return { ...made, terms, snapshot, snapshotText: writeSnapshot(snapshot) };
}

async function readCapacities({ database, clock }: ApiDependencies, terms: QuoteTerms) {
  const { at, priceBook, hasProvisioned } = terms;
  const now = clock.now();
  if (!hasProvisioned && at <= now) return {};
  return { capacities: await readQuoteCapacities(database, { at, now, priceBook }) };
}

/** Where neither what is added nor what is there already runs on bought throughput, it changes nothing. */
function usesCapacity({ capacities = [], existing }: QuoteSnapshot, { quote }: QuoteAnswer, book: PriceBook) {
  return (
    quote.capacitySteps.length > 0 || existing.some((entry) => findCapacity(capacities, entry, book) !== null)
  );
}

/** The answer to a snapshot: the same book, rates and snapshot give the same text and hash for ever. */
export function answerSnapshot(snapshot: QuoteSnapshot, book: PriceBook, rates: readonly QuotedRate[]) {
  const answer = answerQuote(toAnswerInput(snapshot, book, rates));
  const body = showAnswer(answer, snapshot, book.currency);
  const text = JSON.stringify(body);
  return { answer, body, text, hash: createHash('sha256').update(text).digest('hex') };
}

/** @throws TallystickError UNKNOWN_MODEL naming each model that the book does not know, with near names */
function refuseUnknownModels(request: QuoteRequest, book: PriceBook): void {
  const named = [
    ...(request.usage ?? []).map(({ model }, index) => ({ model, field: `usage.${index}.model` })),
    ...(request.adjustments?.modelSwaps ?? []).map(({ to }, index) => ({
      model: to,
      field: `adjustments.modelSwaps.${index}.to`,
    })),
  ].filter(({ model }) => resolveModel(book, { model }) === null);
  const unknown = named.filter(
    ({ model }, index) => named.findIndex((other) => other.model === model) === index,
  );
  if (unknown.length === 0) return;
  refuse(
    'The quote names what the price book does not hold:',
    unknown.map(({ model, field }) => {
      const near = nearNames(book, model);
      return {
        field,
        message: `no price is known for ${JSON.stringify(model)}`,
        fix: near.length > 0 ? `near names: ${near.join(', ')}.` : `known models: ${book.models.join(', ')}.`,
      };
    }),
  );
}

/** A swap of a model that nothing uses would change nothing, and look as if it had. */
function refuseIdleSwaps(request: QuoteRequest, usage: readonly QuoteUsage[], book: PriceBook): void {
  const used = [...new Set(usage.map(({ model }) => model))];
  const idle = (request.adjustments?.modelSwaps ?? []).flatMap(({ from }, index) =>
    usage.some((entry) => isSwapSource(entry, from, book))
      ? []
      : [
          {
            field: `adjustments.modelSwaps.${index}.from`,
            message: `${JSON.stringify(from)} is not in the usage`,
            fix: `the usage holds: ${used.slice(0, 20).join(', ') || 'nothing'}.`,
          },
        ],
  );
  if (idle.length > 0) refuse('A model that is not used cannot be swapped:', idle);
}

/** Reasons that name a gap in the book; others are answers (batch without a price, throughput by the hour). */
const GAPS = new Set(['unknown_model', 'no_price_for_token_type', 'no_price_at_that_time', 'price_retired']);

/** What was named outright must have a price at that date: the caller can correct it. */
function refuseMissingPrices({ quote }: QuoteAnswer, { at }: QuoteTerms): void {
  const missing = quote.lines.flatMap(({ model, tokenType, cost }) =>
    cost.value === null && GAPS.has(cost.reason)
      ? [
          {
            field:
              cost.reason === 'no_price_at_that_time' || cost.reason === 'price_retired' ? 'at' : 'usage',
            message: `no price is known for ${tokenType} tokens of ${JSON.stringify(model)} (${cost.reason}) at ${at.toISOString()}`,
            fix: 'name another model, token type or date, or add the price to the book.',
          },
        ]
      : [],
  );
  if (missing.length > 0) refuse('The price book lacks a price:', missing);
}

function refuse(summary: string, errors: FieldProblem[]): never {
  const sentences = errors.slice(0, 5).map(({ message, fix }) => `${message}; ${fix}`);
  throw new TallystickError(`${summary} ${sentences.join(' ')}`, {
    code: 'UNKNOWN_MODEL',
    retry: false,
    context: { errors },
  });
}
