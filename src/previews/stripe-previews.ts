import { takeStripeRead } from '../billing/stripe-reads.ts';
import { addMs } from '../platform/clock.ts';
import { toTallystickError } from '../platform/errors.ts';
import { DEFAULT_API_SETTINGS } from '../platform/http/dependencies.ts';
import type { BillingInvoice } from '../stripe/port.ts';
import type { PreviewDependencies } from './dependencies.ts';
import { NO_CREDITS, readStripeCredits, type StripeCredits } from './stripe-credits.ts';

/**
 * Stripe rations reads (10,000 a month at least); a person who reloads a page must not spend them. Previews were reported to
 * take 4 to 5 s; past the wait we answer from the ledger alone.
 */
const USUAL_PATIENCE = { maxAgeMs: 30_000, waitMs: 10_000 };
const MAX_CACHED = 500;
/** Lines that come with a preview; the rest costs a read for each page. */
const EMBEDDED_LINE_COUNT = 10;
const LINES_PER_PAGE = 100;

export type StripePreview =
  | { status: 'ok'; invoice: BillingInvoice; credits: StripeCredits; readAt: Date }
  | { status: 'unavailable'; reason: string };

/**
 * Stripe's preview of one subscription, at most `maxAgeMs` old; a failure is an answer, not an error, and so is a
 * day's budget of reads that is used up (`READ_BUDGET_SPENT`).
 */
export async function readStripePreview(
  dependencies: PreviewDependencies,
  query: { stripeCustomerId: string; subscriptionId: string; expectedLineCount: number },
): Promise<StripePreview> {
  const { previewCache, clock, billing, log, stripePatience = USUAL_PATIENCE } = dependencies;
  const { expectedLineCount } = query;
  const now = clock.now();
  const cached = previewCache.get(query.subscriptionId);
  if (cached !== undefined && cached.readAt <= now && addMs(cached.readAt, stripePatience.maxAgeMs) > now) {
    return { status: 'ok', ...cached };
  }
  const { stripePreviewReadsPerDay: limitPerDay } = dependencies.settings ?? DEFAULT_API_SETTINGS;
  const takeRead = (readCount = 1) =>
    takeStripeRead(dependencies.database, { purpose: 'preview', now, limitPerDay, readCount });
  const pageCount =
    expectedLineCount > EMBEDDED_LINE_COUNT ? Math.ceil(expectedLineCount / LINES_PER_PAGE) : 0;
  if (!(await takeRead(1 + pageCount))) return { status: 'unavailable', reason: 'READ_BUDGET_SPENT' };
  const { stripeCustomerId, subscriptionId } = query;
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
    const oldest = previewCache.keys().next();
    if (previewCache.size >= MAX_CACHED && oldest.done === false) previewCache.delete(oldest.value);
    previewCache.delete(query.subscriptionId);
    previewCache.set(query.subscriptionId, { invoice, credits, readAt: now });
    return { status: 'ok', invoice, credits, readAt: now };
  } catch (error) {
    const known = toTallystickError(error);
    log?.warn({ err: error, subscriptionId: query.subscriptionId }, 'Stripe gave no preview');
    return { status: 'unavailable', reason: known.code };
  }
}
