import type { CreditGrant } from '../../pricing/invoices/credits.ts';
import type { StripeTotals } from '../../pricing/previews/preview-totals.ts';
import type { RatePrice } from '../../pricing/rating/rate-price.ts';
import type { TimeWindow } from '../platform/clock.ts';

/** The id of what stands for a meter where a price has none, and usage records serve it; see `legacy-usage.ts`. */
export const LEGACY_METER_PREFIX = 'legacy:';

/** Stripe as the jobs and the API see it. */
export interface BillingSystem {
  /** Customers, active subscription items, their prices and meters, and invoices since `invoicesSince`. */
  readCatalog(options: { invoicesSince: Date }, signal?: AbortSignal): Promise<BillingCatalog>;
  /**
   * The same of single objects, as they are now: what changed is had without listing what did not. One read for each
   * object, two for a subscription, whose invoices since `invoicesSince` come with it.
   */
  readCatalogObjects(
    wanted: CatalogTargets,
    options: { invoicesSince: Date },
    signal?: AbortSignal,
  ): Promise<BillingCatalogChange>;
  /**
   * Sends one meter event. A duplicate identifier is success (`duplicate`).
   * The caller keeps one call in flight per (customer, event name).
   * @throws UpstreamError UPSTREAM_REJECTED (for good), UPSTREAM_THROTTLED, UPSTREAM_UNAVAILABLE
   */
  sendMeterEvent(event: BillingMeterEvent, signal?: AbortSignal): Promise<'delivered' | 'duplicate'>;
  /**
   * Stripe's own sum of a customer's meter events: per hour, per UTC day, or one for the whole window. Rationed
   * by Stripe: ask seldom. Each 100 rows of the answer cost a read of their own. Rows without usage may be absent.
   * @throws ValidationError when the window is not on whole hours (days for days, minutes for one sum); UpstreamError
   */
  readEventSummaries(
    query: {
      stripeMeterId: string;
      stripeCustomerId: string;
      window: TimeWindow;
      /** Default `hour`. */
      granularity?: SummaryGranularity;
    },
    signal?: AbortSignal,
  ): Promise<{ windowStart: Date; value: bigint }[]>;
  /**
   * Which meter events Stripe says it accepted and did not count, of one report of errors (a thin event). Samples
   * only: at most a handful of those it counts.
   * @throws UpstreamError UPSTREAM_REJECTED when there is no such report
   */
  readMeterErrors(eventId: string, signal?: AbortSignal): Promise<BillingMeterError[]>;
  /** Stripe's preview of the next invoice of one subscription. */
  previewInvoice(
    query: { stripeCustomerId: string; subscriptionId: string },
    signal?: AbortSignal,
  ): Promise<BillingInvoice>;
  /**
   * Every grant of billing credits of a customer. One read for each hundred.
   * @throws UpstreamError, also where the key may not read them
   */
  listCreditGrants(stripeCustomerId: string, signal?: AbortSignal): Promise<CreditGrant[]>;
  /**
   * What is left of a grant; without one of all that Stripe counts for prices with a meter, whichever it takes these to be.
   * @throws UpstreamError
   */
  readCreditBalance(
    query: { stripeCustomerId: string; currency: string; grantId: string | null },
    signal?: AbortSignal,
  ): Promise<CreditBalance>;
  /** For `doctor`: reachable and permitted, live or test mode. */
  describe(signal?: AbortSignal): Promise<{ livemode: boolean; apiVersion: string }>;
}

/** Billing credits in minor units. */
export interface CreditBalance {
  /** By what final invoices have used. */
  ledgerMinor: bigint;
  /** The same less what has expired, is not in effect yet, or (Stripe's pages say: might be) stands on a draft. */
  availableMinor: bigint;
}

export type SummaryGranularity = 'hour' | 'day' | 'whole';

export interface BillingMeterEvent {
  eventName: string;
  stripeCustomerId: string;
  /** Integer of at most 15 digits. */
  value: bigint;
  /** Unique for good on our side; Stripe enforces it for 24 hours or longer. At most 100 characters. */
  identifier: string;
  timestamp: Date;
  /** How many idempotency keys of it are spent (see `CallKeys`), where the caller has read that; absent: it is looked up. */
  spentKeyCount?: number;
}

/** One meter event that Stripe answered 2xx and did not count. */
export interface BillingMeterError {
  identifier: string;
  /** Stripe's code, such as `archived_meter`. */
  code: string;
}

export interface BillingCatalog {
  customers: BillingCustomer[];
  meters: BillingMeter[];
  subscriptionItems: BillingSubscriptionItem[];
  invoices: BillingInvoiceHeader[];
}

/** Ids of objects to be read again. */
export interface CatalogTargets {
  customerIds: readonly string[];
  subscriptionIds: readonly string[];
  invoiceIds: readonly string[];
  meterIds: readonly string[];
  priceIds: readonly string[];
  productIds: readonly string[];
}

export interface BillingCatalogChange {
  /** Deleted ones too. */
  customers: BillingCustomer[];
  meters: BillingMeter[];
  /** Ended ones too, each with all of its metered items. */
  subscriptions: { subscriptionId: string; items: BillingSubscriptionItem[] }[];
  invoices: BillingInvoiceHeader[];
  deletedInvoiceIds: string[];
  prices: BillingPrice[];
  products: { productId: string; name: string }[];
}

interface BillingPrice {
  priceId: string;
  /** Null: its usage is not metered, or not by a meter. */
  stripeMeterId: string | null;
  productId: string;
  metadata: Record<string, string>;
  /** By currency; one that is not here has no amount. Null: a kind of price that we cannot rate. */
  priceByCurrency: Record<string, RatePrice | null>;
}

export interface BillingCustomer {
  stripeCustomerId: string;
  name: string;
  email: string | null;
  currency: string | null;
  metadata: Record<string, string>;
  deleted: boolean;
}

export interface BillingMeter {
  stripeMeterId: string;
  eventName: string;
  displayName: string;
  aggregation: 'sum' | 'count' | 'last';
  eventTimeWindow: 'hour' | 'day' | null;
  /** Inactive also where `payloadKeys` are others than we send: such events are answered 2xx and lost. */
  status: 'active' | 'inactive';
  /** Under which keys of an event's payload the meter looks for customer and value. */
  payloadKeys: { customer: string; value: string };
}

export interface BillingSubscriptionItem {
  subscriptionItemId: string;
  subscriptionId: string;
  subscriptionStatus: string;
  stripeCustomerId: string;
  priceId: string;
  priceMetadata: Record<string, string>;
  productName: string;
  productId: string;
  /** The subscription's: a price may have amounts in several. */
  currency: string;
  /** In the currency's minor unit; null: a kind of price that we cannot rate, e.g. packages, or see `priceProblem`. */
  price: RatePrice | null;
  /** The price has no amount in the currency that could be read. Null: all is well. */
  priceProblem: 'no_price_in_currency' | null;
  /** Null: a metered item without a meter (legacy usage records), which we refuse to bill through. */
  stripeMeterId: string | null;
  currentPeriodStart: Date;
  currentPeriodEnd: Date;
  /** From when on it can be on an invoice. */
  startedAt: Date;
  /** When its subscription ended, or is going to by a cancellation; null: no end is known. */
  endsAt: Date | null;
  trialEndsAt: Date | null;
  /** `flexible`, or `classic`, which bills nothing of a metered price that is replaced or removed. */
  billingMode: string;
  /** What becomes of invoices while collection is paused, in Stripe's word; null: it is not. */
  collectionPause: string | null;
}

export interface BillingInvoiceHeader {
  invoiceId: string;
  stripeCustomerId: string;
  subscriptionId: string | null;
  status: string;
  number: string | null;
  currency: string;
  /** Minor units. */
  totalMinor: bigint;
  /** What credit notes gave back, in minor units; absent: none. */
  creditedMinor?: bigint;
  /** Service period of the metered lines, when the invoice has any. */
  periodStart: Date;
  periodEnd: Date;
  createdAt: Date;
  /** `subscription_cycle`, `subscription_threshold`, `subscription_update`, `manual`, … */
  billingReason: string | null;
  /** Quantities of the lines that came with the invoice: at most ten, and of metered items only. */
  meteredLines?: BillingMeteredLine[];
}

/** How much of a subscription item's meter an invoice bills, for what period. Tiers give several. */
export interface BillingMeteredLine {
  /** Null: an invoice item, for usage at a price that its item has left. */
  subscriptionItemId: string | null;
  priceId: string | null;
  quantity: bigint;
  periodStart: Date;
  periodEnd: Date;
}

export interface BillingInvoice extends BillingInvoiceHeader {
  lines: BillingInvoiceLine[];
  /** What is taken off the lines and put on them; absent: not read. */
  totals?: StripeTotals;
}

export interface BillingInvoiceLine {
  lineId: string;
  description: string;
  subscriptionItemId: string | null;
  priceId: string | null;
  quantity: bigint | null;
  amountMinor: bigint;
  unitAmountDecimal: string | null;
  periodStart: Date;
  periodEnd: Date;
  /** Set for a line that an invoice item made; absent or null: of a subscription's item. */
  invoiceItemId?: string | null;
  /** Whether that item was made by us: late usage, or a top-up. */
  isOwnItem?: boolean;
}
