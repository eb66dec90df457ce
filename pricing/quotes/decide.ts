import { conversionFor } from '../exchange/rates.ts';
import type { Plan } from '../plans/plan.ts';
import type { PriceBook } from '../prices/price-book.ts';
import { answerQuote, type QuoteAnswer } from './answer.ts';
import { averageWithProvisioned } from './average.ts';
import { decideExisting, decideUsage } from './basis.ts';
import { findCapacity } from './capacity.ts';
import { type QuoteGround, toAnswerInput } from './ground.ts';
import type { QuotedRate } from './parts.ts';
import type { QuoteFacts, QuoteQuestion } from './question.ts';
import { refuseIdleSwaps, refuseMissingPrices, refuseUnknownModels } from './refusals.ts';
import { decideTerms, planTerms } from './terms.ts';

/** An answer, and all it was computed from. */
export interface DecidedQuote {
  answer: QuoteAnswer;
  ground: QuoteGround;
  priceBook: PriceBook;
}

/**
 * Answers a question from what was read. Pure: the same question and facts give the same for ever.
 * @throws Refusal UNKNOWN_MODEL, UNKNOWN_CURRENCY, UNKNOWN_FEATURE, NOT_ENOUGH_DATA, VALIDATION
 */
export function decideQuote(question: QuoteQuestion, facts: QuoteFacts): DecidedQuote {
  const { at, priceBook, averages } = facts;
  const { ratesFor, ...terms } = decideTerms(question, facts);
  const conversion = conversionFor(terms.currency, facts.conversions);
  refuseUnknownModels(question, priceBook);
  const quoted = decideUsage(question, facts);
  const existing = decideExisting(facts);
  const usage = quoted.groups.flatMap((group) => group.usage);
  refuseIdleSwaps(question, usage, priceBook);
  const ground: QuoteGround = {
    mode: question.mode,
    customerId: question.customerId ?? null,
    currency: terms.currency,
    at,
    plan: terms.plan,
    rateBasis: terms.rateBasis,
    rates: null,
    minimumAmountMinor: terms.minimumAmountMinor,
    ...minimumsOf(terms, facts),
    ...elsewhereOf(terms, facts),
    isWholeInvoice: true,
    adjustments: question.adjustments ?? {},
    targetMarginPercent: question.targetMarginPercent ?? null,
    usageBasis: { ...quoted.basis, existing: existing.basis },
    groups: quoted.groups,
    existing: existing.usage,
    rangeReason: quoted.rangeReason,
    averagePicoUsdPerMillion: null,
    standsIn: true,
    saysPricesAsOf: true,
    ...(question.targetMarginPercent === undefined ? {} : { isOffered: true as const }),
    ...(facts.capacities === undefined ? {} : { capacities: facts.capacities }),
    ...(conversion === null ? {} : { conversion }),
  };
  const answer = answerQuote(toAnswerInput(ground, priceBook, ratesFor(modelsOf(ground))));
  if (averages !== null) {
    ground.averagePicoUsdPerMillion = averageWithProvisioned(answer.quote.lines, averages);
  }
  if (!usesCapacity(ground, answer, priceBook)) delete ground.capacities;
  if (answer.quote.totals.margin.value === null) ground.saysKnownPart = true;
  if (quoted.basis.kind === 'given') refuseMissingPrices(answer.quote, at);
  if (terms.plan === null) ground.rates = answer.quote.matchedRates;
  return { answer, ground, priceBook };
}

/**
 * Answers again what was answered before.
 * @param priceBook in the version of then
 * @param plan in the version that the ground names; null without one
 */
export function decideAgain(ground: QuoteGround, priceBook: PriceBook, plan: Plan | null): DecidedQuote {
  const rates: readonly QuotedRate[] =
    plan === null ? (ground.rates ?? []) : planTerms(plan, ground.at, priceBook).ratesFor(modelsOf(ground));
  return { answer: answerQuote(toAnswerInput(ground, priceBook, rates)), ground, priceBook };
}

/** Those that count where a customer is priced as one. */
function minimumsOf(
  { rateBasis, currency }: Pick<QuoteGround, 'rateBasis' | 'currency'>,
  { minimums }: QuoteFacts,
): Pick<QuoteGround, 'minimums'> {
  const own = rateBasis === 'customer' ? minimums.filter((minimum) => minimum.currency === currency) : [];
  if (own.length === 0) return {};
  return {
    minimums: own.map(({ planName, minimumMinor, meterIds }) => ({ planName, minimumMinor, meterIds })),
  };
}

function elsewhereOf(
  { rateBasis }: Pick<QuoteGround, 'rateBasis'>,
  { existing }: QuoteFacts,
): Pick<QuoteGround, 'elsewhere'> {
  const charges = rateBasis === 'customer' ? (existing?.atFormerPrices ?? []) : [];
  return charges.length === 0 ? {} : { elsewhere: [...charges] };
}

/** Every model that a rate may be needed for. */
function modelsOf({ groups, existing, adjustments }: QuoteGround): string[] {
  const usage = [...groups.flatMap((group) => group.usage), ...existing];
  const swapped = (adjustments.modelSwaps ?? []).map(({ to }) => to);
  return [...new Set([...usage.map(({ model }) => model), ...swapped])];
}

/** Where neither what is added nor what is there already runs on bought throughput, it changes nothing. */
function usesCapacity({ capacities = [], existing }: QuoteGround, { quote }: QuoteAnswer, book: PriceBook) {
  return (
    quote.capacitySteps.length > 0 || existing.some((entry) => findCapacity(capacities, entry, book) !== null)
  );
}
