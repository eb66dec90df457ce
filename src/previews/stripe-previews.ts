import { takeStripeRead } from '../billing/stripe-reads.ts';
import { addMs } from '../platform/clock.ts';
import { toTallystickError } from '../platform/errors.ts';
import { DEFAULT_API_SETTINGS } from '../platform/http/dependencies.ts';
import type { BillingInvoice } from '../stripe/port.ts';
import {
  type KeptAnswer,
  type PreviewCache,
  type PreviewDependencies,
  USUAL_PATIENCE,
} from './dependencies.ts';
import { isOfTime } from './own-usage.ts';
import { NO_CREDITS, readStripeCredits, type StripeCredits } from './stripe-credits.ts';

const MAX_CACHED = 500;
/** Lines that come with a preview; the rest costs a read for each page. */
const EMBEDDED_LINE_COUNT = 10;
const LINES_PER_PAGE = 100;

export type StripePreview =
  | { status: 'ok'; invoice: BillingInvoice; credits: StripeCredits; readAt: Date }
  | { status: 'unavailable'; reason: string };

interface PreviewQuery {
  customerId: string;
  stripeCustomerId: string;
  subscriptionId: string;
  expectedLineCount: number;
}

/**
 * Stripe's preview of one subscription, at most `maxAgeMs` old, or as it is kept where no new one is to be had; a failure is an
 * answer, not an error, and so is a day's budget of reads that is used up (`READ_BUDGET_SPENT`).
 */
export async function readStripePreview(
  dependencies: PreviewDependencies,
  query: PreviewQuery,
): Promise<StripePreview> {
  const { previewCache, clock, stripePatience = USUAL_PATIENCE } = dependencies;
  const now = clock.now();
  const { subscriptionId } = query;
  const { preview: kept, failure }: KeptAnswer = previewCache.get(subscriptionId) ?? {};
  if (kept !== undefined && isWithin(now, kept.readAt, stripePatience.maxAgeMs))
    return { status: 'ok', ...kept };
  const isLeftAlone = failure !== undefined && isWithin(now, failure.at, stripePatience.retryAfterMs);
  const answer: StripePreview = isLeftAlone
    ? { status: 'unavailable', reason: failure.reason }
    : await askStripe(dependencies, query, now);
  if (answer.status === 'ok') {
    const { invoice, credits, readAt } = answer;
    keepAnswer(previewCache, subscriptionId, { preview: { invoice, credits, readAt } });
    return answer;
  }
  const before = kept === undefined ? {} : { preview: kept };
  if (!isLeftAlone)
    keepAnswer(previewCache, subscriptionId, { ...before, failure: { at: now, reason: answer.reason } });
  const serves =
    kept !== undefined && isWithin(now, kept.readAt, stripePatience.keptMs) && isOfRunningPeriod(kept, now);
  return serves ? { status: 'ok', ...kept } : answer;
}

/** Keeps what was answered; of too many, the oldest is forgotten. */
export function keepAnswer(cache: PreviewCache, key: string, answer: KeptAnswer): void {
  cache.delete(key);
  const oldest = cache.keys().next();
  if (cache.size >= MAX_CACHED && oldest.done === false) cache.delete(oldest.value);
  cache.set(key, answer);
}

/** Whether it is so young; of the future nothing is. */
export function isWithin(now: Date, then: Date, ms: number): boolean {
  return then <= now && addMs(then, ms) > now;
}

/** What was said of a period that is over says nothing of the one that runs. */
function isOfRunningPeriod({ invoice }: { invoice: BillingInvoice }, now: Date): boolean {
  return invoice.lines.filter(isOfTime).every(({ periodEnd }) => periodEnd > now);
}

async function askStripe(
  dependencies: PreviewDependencies,
  { customerId, stripeCustomerId, subscriptionId, expectedLineCount }: PreviewQuery,
  now: Date,
): Promise<StripePreview> {
  const { billing, log, stripePatience = USUAL_PATIENCE } = dependencies;
  const takeRead = (readCount = 1) => takePreviewReads(dependencies, customerId, { now, readCount });
  const pageCount =
    expectedLineCount > EMBEDDED_LINE_COUNT ? Math.ceil(expectedLineCount / LINES_PER_PAGE) : 0;
  if (!(await takeRead(1 + pageCount))) return { status: 'unavailable', reason: 'READ_BUDGET_SPENT' };
  const signal = AbortSignal.timeout(stripePatience.waitMs);
  try {
    const invoice = await billing.previewInvoice({ stripeCustomerId, subscriptionId }, signal);
    const { currency, totals } = invoice;
    const credits =
      totals === undefined
        ? NO_CREDITS
        : await readStripeCredits(
            { billing, now, takeRead, log },
            { stripeCustomerId, currency, endsAt: totals.endsAt },
            signal,
          );
    return { status: 'ok', invoice, credits, readAt: now };
  } catch (error) {
    const known = toTallystickError(error);
    log?.warn({ err: error, subscriptionId }, 'Stripe gave no preview');
    return { status: 'unavailable', reason: known.code };
  }
}

/**
 * Takes reads that a person's look at an invoice costs. Stripe rations them (10,000 a month at least): whoever reloads a page must
 * not spend them, and a customer not those of others.
 */
export async function takePreviewReads(
  { database, settings = DEFAULT_API_SETTINGS, stripePatience }: PreviewDependencies,
  customerId: string,
  { now, readCount }: { now: Date; readCount: number },
): Promise<boolean> {
  const { stripePreviewReadsPerDay: limitPerDay, stripePreviewReadsPerCustomer } = settings;
  const ofCustomer = stripePatience?.isCustomer
    ? { customerId, limitPerDay: stripePreviewReadsPerCustomer }
    : undefined;
  return await takeStripeRead(database, { purpose: 'preview', now, limitPerDay, readCount, ofCustomer });
}
