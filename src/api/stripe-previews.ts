import { addMs } from '../clock.ts';
import { toTallystickError } from '../errors.ts';
import type { BillingInvoice } from '../stripe/port.ts';
import type { ApiDependencies, PreviewCache } from './dependencies.ts';

/** Stripe rations reads (10,000 a month at least); a person who reloads a page must not spend them. */
const CACHE_MS = 30_000;
const MAX_CACHED = 500;
/** Previews were reported to take 4 to 5 s; past this we answer from the ledger alone. */
const DEADLINE_MS = 10_000;

export type StripePreview =
  | { status: 'ok'; invoice: BillingInvoice; readAt: Date }
  | { status: 'unavailable'; reason: string };

/** Stripe's preview of one subscription, at most `CACHE_MS` old; a failure is an answer, not an error. */
export async function readStripePreview(
  dependencies: ApiDependencies & { previewCache: PreviewCache },
  query: { stripeCustomerId: string; subscriptionId: string },
): Promise<StripePreview> {
  const { previewCache, clock } = dependencies;
  const now = clock.now();
  const cached = previewCache.get(query.subscriptionId);
  if (cached !== undefined && cached.readAt <= now && addMs(cached.readAt, CACHE_MS) > now) {
    return { status: 'ok', ...cached };
  }
  try {
    const invoice = await dependencies.billing.previewInvoice(query, AbortSignal.timeout(DEADLINE_MS));
    const oldest = previewCache.keys().next();
    if (previewCache.size >= MAX_CACHED && oldest.done === false) previewCache.delete(oldest.value);
    previewCache.delete(query.subscriptionId);
    previewCache.set(query.subscriptionId, { invoice, readAt: now });
    return { status: 'ok', invoice, readAt: now };
  } catch (error) {
    const known = toTallystickError(error);
    dependencies.log?.warn({ err: error, subscriptionId: query.subscriptionId }, 'Stripe gave no preview');
    return { status: 'unavailable', reason: known.code };
  }
}
