import { type DecidedQuote, decideQuote } from '../../pricing/quotes/decide.ts';
import { writeGround } from '../../pricing/quotes/ground.ts';
import type { QuoteFacts } from '../../pricing/quotes/question.ts';
import { addMs, DAY_MS } from '../platform/clock.ts';
import { type ApiDependencies, DEFAULT_API_SETTINGS } from '../platform/http/dependencies.ts';
import { randomText } from '../platform/random-text.ts';
import type { QuoteTerms } from '../platform/seller.ts';
import { readQuoteFacts } from './gather.ts';
import { insertQuote } from './quotes.ts';
import type { QuoteRequest } from './request-schema.ts';
import type { StoredQuoteBody } from './schemas.ts';
import { type ShownQuote, showQuote } from './show.ts';

/** A quote as it would be stored, and as it is before anybody does. */
export interface DraftQuote {
  decided: DecidedQuote;
  shown: ShownQuote;
  validUntil: Date;
  /** What stands before the answer in the stored text. */
  frame: Omit<StoredQuoteBody, keyof ShownQuote['body']>;
}

/**
 * Answers a request from what was gathered for it. Pure.
 * @throws Refusal where it has no answer
 */
export function draftQuote(
  request: QuoteRequest,
  facts: QuoteFacts,
  made: { quoteId: string; actor: string; now: Date; terms: QuoteTerms },
): DraftQuote {
  const decided = decideQuote(request, facts);
  const shown = showQuote(decided);
  const validUntil = addMs(made.now, (request.validDays ?? made.terms.validDays) * DAY_MS);
  return {
    decided,
    shown,
    validUntil,
    frame: {
      quoteId: made.quoteId,
      title: request.title ?? null,
      preparedFor: request.preparedFor ?? facts.customer?.name ?? null,
      createdAt: made.now.toISOString(),
      createdBy: made.actor,
      validUntil: validUntil.toISOString(),
      contractMonths: request.contractMonths ?? made.terms.contractMonths,
      resultHash: shown.hash,
    },
  };
}

/** Gathers, decides, shows and stores; the text is what is answered now and ever after. */
export async function makeQuote(
  {
    database,
    clock,
    settings = DEFAULT_API_SETTINGS,
  }: Pick<ApiDependencies, 'database' | 'clock' | 'settings'>,
  request: QuoteRequest,
  actor: string,
): Promise<{ quoteId: string; resultText: string; customerId: string | null; validUntil: Date }> {
  const now = clock.now();
  const facts = await readQuoteFacts(database, request, now);
  const quoteId = `quote_${randomText(16)}`;
  const { decided, shown, validUntil, frame } = draftQuote(request, facts, {
    quoteId,
    actor,
    now,
    terms: settings.quoteTerms,
  });
  const resultText = `${JSON.stringify(frame).slice(0, -1)},${shown.text.slice(1)}`;
  const { plan } = decided.ground;
  await insertQuote(database, {
    quoteId,
    request: JSON.stringify(request, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
    result: resultText,
    snapshot: writeGround(decided.ground),
    resultHash: shown.hash,
    priceBookVersion: facts.priceBook.version,
    customerId: request.customerId ?? null,
    planId: plan?.planId ?? null,
    planVersion: plan?.versionId ?? null,
    createdBy: actor,
    createdAt: now,
    validUntil,
  });
  return { quoteId, resultText, customerId: request.customerId ?? null, validUntil };
}
