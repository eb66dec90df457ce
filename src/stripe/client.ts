import { type CallKeys, createMemoryKeys } from './call-keys.ts';
import { readCatalog } from './catalog/catalog.ts';
import { readCatalogObjects } from './catalog/read-objects.ts';
import { createInvoiceSystem } from './closing/closing.ts';
import type { InvoiceSystem } from './closing/port.ts';
import { listCreditGrants, readCreditBalance } from './credit-grants.ts';
import { readEventSummaries } from './event-summaries.ts';
import { previewInvoice } from './invoices.ts';
import { isLegacyMeter, LegacyUsage } from './legacy-usage.ts';
import { readMeterErrors } from './meter-errors.ts';
import { sendMeterEvent } from './meter-events.ts';
import { isTestKey } from './pace.ts';
import type { BillingSystem } from './port.ts';
import type { RateLimiter } from './rate-limiter.ts';
import { DEFAULT_RETRY_POLICY, type RetryPolicy, withRetry } from './retry.ts';
import { findMissingRights, type MissingRight } from './rights.ts';
import { createStripeSdk, STRIPE_API_VERSION } from './sdk.ts';
import { findUntaxed, readTaxSettings, type TaxSettings } from './taxes.ts';

export interface StripeConfig {
  STRIPE_API_KEY: string;
  STRIPE_API_BASE: string;
  /** The account that is billed for, where the key may act for several. */
  STRIPE_ACCOUNT?: string | undefined;
  /** Serve metered items without a meter, through usage records. Off unless set. */
  STRIPE_LEGACY_USAGE_RECORDS?: boolean;
}

export interface StripeOptions {
  retryPolicy?: Partial<RetryPolicy>;
  /** Time after which an attempt counts as lost. */
  timeoutMs?: number;
  /** Every attempt to send a meter event, retries included, takes a turn here first. */
  meterEventLimiter?: RateLimiter;
  /** Likewise every other call of `invoicing`, reads included: Stripe counts them apart from meter events. */
  invoicingLimiter?: RateLimiter;
  /** Where it is kept which idempotency keys are spent; in memory by default, which a process that writes must not rely on. */
  keys?: CallKeys;
  /** What really sends; the runtime's own sockets by default. */
  fetch?: typeof fetch;
}

const DEFAULT_TIMEOUT_MS = 30_000;

/** Stripe, and what ends periods there, over one pool of connections. */
export interface StripeSystem extends BillingSystem {
  readonly invoicing: InvoiceSystem;
  /** How the account taxes what does not say it itself; null: the key may not read it. */
  readTaxSettings(signal?: AbortSignal): Promise<TaxSettings | null>;
  /** Metered prices in use that do not say their tax behavior, and their products without a tax code. */
  findUntaxed(signal?: AbortSignal): Promise<{ priceIds: string[]; productIds: string[] }>;
  /** Rights that the key lacks for what we do; nothing is written to find out. */
  findMissingRights(signal?: AbortSignal): Promise<MissingRight[]>;
}

/** Stripe over its own SDK. All money and counts leave as bigint or decimal text. */
export function createStripe(config: StripeConfig, options: StripeOptions = {}): StripeSystem {
  const stripe = createStripeSdk({
    apiKey: config.STRIPE_API_KEY,
    apiBase: config.STRIPE_API_BASE,
    account: config.STRIPE_ACCOUNT,
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
  });
  const policy: RetryPolicy = { ...DEFAULT_RETRY_POLICY, ...options.retryPolicy };
  const keys = options.keys ?? createMemoryKeys();
  const sender = { stripe, policy, keys, limiter: options.meterEventLimiter };
  const client = { stripe, policy, keys, limiter: options.invoicingLimiter };
  const legacy = new LegacyUsage(client);
  // Live accounts have none, and refuse to be asked.
  const mayHaveTestClocks = isTestKey(config.STRIPE_API_KEY);
  const servesLegacyItems = config.STRIPE_LEGACY_USAGE_RECORDS === true;
  return {
    invoicing: createInvoiceSystem(client),
    readCatalog: (query, signal) =>
      readCatalog(stripe, policy, { ...query, servesLegacyItems, mayHaveTestClocks }, signal),
    readCatalogObjects: (wanted, query, signal) =>
      readCatalogObjects({ stripe, policy, servesLegacyItems }, wanted, query, signal),
    sendMeterEvent: (event, signal) =>
      isLegacyMeter(event.eventName) ? legacy.send(event, signal) : sendMeterEvent(sender, event, signal),
    readEventSummaries: (query, signal) =>
      isLegacyMeter(query.stripeMeterId)
        ? legacy.readTotal(query, signal)
        : readEventSummaries(stripe, policy, query, signal),
    readMeterErrors: (eventId, signal) => readMeterErrors(stripe, policy, eventId, signal),
    previewInvoice: (query, signal) => previewInvoice(stripe, policy, query, signal),
    listCreditGrants: (customer, signal) => listCreditGrants(stripe, policy, customer, signal),
    readCreditBalance: (query, signal) => readCreditBalance(stripe, policy, query, signal),
    readTaxSettings: (signal) => readTaxSettings(client, signal),
    findUntaxed: (signal) => findUntaxed(client, signal),
    findMissingRights: (signal) => findMissingRights(stripe, policy, signal),
    async describe(signal) {
      const call = { action: 'read the list of meters', writes: false };
      await withRetry(policy, call, () => stripe.billing.meters.list({ limit: 1 }), signal);
      // The key says it itself, and needs no permission to be asked.
      return { livemode: /^(sk|rk)_live_/.test(config.STRIPE_API_KEY), apiVersion: STRIPE_API_VERSION };
    },
  };
}
