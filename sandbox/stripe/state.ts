import { createRandom, deriveSeed } from '../random.ts';
import type {
  WireBalanceTransaction,
  WireCoupon,
  WireCreditGrant,
  WireCreditNote,
  WireCreditTransaction,
  WireCustomer,
  WireDiscount,
  WireInvoice,
  WireInvoiceItem,
  WireInvoiceLine,
  WireMeter,
  WirePrice,
  WireProduct,
  WireSubscription,
  WireSubscriptionItem,
  WireSubscriptionSchedule,
  WireTaxRate,
  WireTaxRegistration,
  WireTaxSettings,
  WireTestClock,
  WireTier,
  WireWebhookEndpoint,
} from './http/wire.ts';
import type { BillingInterval } from './invoices/months.ts';
import type { PriceScheme } from './price-scheme.ts';
import type { CreditScopes, CreditsOnDrafts, PackageQuantities, ThresholdPeriods } from './readings.ts';
import { UsageStore } from './usage.ts';
import { UsageRecords } from './usage-records.ts';

/** The time of one service period. */
export interface BillingPeriod {
  interval: BillingInterval;
  periodStartMs: number;
  periodEndMs: number;
}

/** With the period of its first item. */
export interface Subscription extends BillingPeriod {
  wire: Omit<WireSubscription, 'items'>;
  items: WireSubscriptionItem[];
  /** From when usage counts for an item: its addition, or when it got its price. By item; absent: always. */
  itemSinceMs: Map<string, number>;
  customerId: string;
  /** Period boundaries fall on this instant plus whole intervals. */
  anchorMs: number;
  /** Periods of items that bill at another interval, see `periods.ts`. */
  otherPeriods: Map<string, BillingPeriod>;
  /** What thresholds have billed of an item in its period. */
  billedEarlier: Map<string, BilledEarlier>;
}

export interface BilledEarlier {
  quantity: bigint;
  amount: bigint;
  /** When that was. */
  untilMs: number;
}

export interface Invoice {
  wire: Omit<WireInvoice, 'lines'>;
  subscriptionId: string;
  customerId: string;
  periodStartMs: number;
  periodEndMs: number;
  /** What is metered on it: the subscription's items as they were when the period ended. */
  metered: MeteredItem[];
  /** Lines that are what they are: in advance, or made by a threshold. */
  fixedLines: WireInvoiceLine[];
  /** Invoice items that have joined it, in order. */
  itemIds: string[];
  /** What was written on its lines, by line. */
  lineEdits: Map<string, LineEdit>;
  /** Null while a draft: lines then follow the usage. */
  frozenLines: WireInvoiceLine[] | null;
}

/** An item, its price, and from when usage counts for it. */
export interface MeteredItem {
  item: WireSubscriptionItem;
  fromMs: number;
  billedEarlier?: BilledEarlier;
  /** Nothing is charged of it. */
  isTrial?: boolean;
}

/** How an invoice item is taxed; what is not said follows the account's settings. */
export interface ItemTaxes {
  behavior: 'exclusive' | 'inclusive' | 'unspecified';
  code: string | null;
}

interface LineEdit {
  description?: string;
  metadata?: Record<string, string>;
}

/** What `GET /v1/events` and `GET /v2/core/events` hold; thin ones are told by their `object`. */
export interface StripeEvent {
  id: string;
  type: string;
  thin: boolean;
  body: Record<string, unknown>;
}

export interface TestClock {
  wire: WireTestClock;
  /** When an advance that is under way is done with; null: none is. */
  readyAtMs: number | null;
}

/** What is to become of a subscription, phase by phase. */
export interface Schedule {
  wire: WireSubscriptionSchedule;
  subscriptionId: string;
  phases: SchedulePhase[];
}

export interface SchedulePhase {
  startMs: number;
  endMs: number | null;
  items: { priceId: string; quantity: number | null }[];
  prorationBehavior: 'create_prorations' | 'always_invoice' | 'none';
  isBegun: boolean;
}

/** Everything the stand-in knows. Rebuilt from the scenario and the journal at every start. */
export class StripeState {
  readonly seed: number;
  readonly products = new Map<string, WireProduct>();
  readonly prices = new Map<string, WirePrice>();
  /** Tiers by price: they travel only where they are expanded. */
  readonly priceTiers = new Map<string, readonly WireTier[]>();
  /** Amounts in other currencies than a price's own, by price and currency: they travel only where they are expanded. */
  readonly priceOptions = new Map<string, Map<string, PriceScheme>>();
  /** Set: other currencies are not told, as by a key or a version that does not show them. */
  withholdsOptions = false;
  /** See StripeStandInOptions. */
  roundsLinesToSteps = false;
  thresholdPeriods: ThresholdPeriods = 'slices';
  packageQuantities: PackageQuantities = 'units';
  showsTrials = false;
  readonly meters = new Map<string, WireMeter>();
  /** At most one active meter has an event name. */
  readonly activeMeters = new Map<string, WireMeter>();
  readonly testClocks = new Map<string, TestClock>();
  readonly customers = new Map<string, WireCustomer>();
  readonly subscriptions = new Map<string, Subscription>();
  readonly schedules = new Map<string, Schedule>();
  readonly items = new Map<string, WireSubscriptionItem>();
  readonly invoices = new Map<string, Invoice>();
  /** With which code Stripe refuses to finalize invoices of a customer. */
  readonly finalizationRefusals = new Map<string, string>();
  readonly invoiceItems = new Map<string, WireInvoiceItem>();
  readonly invoiceItemTaxes = new Map<string, ItemTaxes>();
  readonly creditNotes = new Map<string, WireCreditNote>();
  /** Deleted ones too: what they were redeemed for goes on. */
  readonly coupons = new Map<string, WireCoupon>();
  readonly deletedCouponIds = new Set<string>();
  readonly discounts = new Map<string, WireDiscount>();
  readonly creditGrants = new Map<string, WireCreditGrant>();
  readonly creditTransactions = new Map<string, WireCreditTransaction>();
  readonly balanceTransactions = new Map<string, WireBalanceTransaction>();
  readonly taxRates = new Map<string, WireTaxRate>();
  readonly taxRegistrations = new Map<string, WireTaxRegistration>();
  taxSettings: WireTaxSettings = {
    object: 'tax.settings',
    defaults: { provider: 'stripe', tax_behavior: null, tax_code: null },
    head_office: null,
    livemode: false,
    status: 'pending',
    status_details: { pending: { missing_fields: ['head_office'] } },
  };
  /** See StripeStandInOptions. */
  taxRounding: 'line' | 'invoice' = 'line';
  creditsOnDrafts: CreditsOnDrafts = 'available';
  creditScopes: CreditScopes = 'same';
  creditsFormerPrices = false;
  readonly events = new Map<string, StripeEvent>();
  readonly webhookEndpoints = new Map<string, WireWebhookEndpoint>();
  readonly usage = new UsageStore();
  /** Usage records of items without a meter. */
  readonly usageRecords = new UsageRecords();
  /** Meters whose values are tokens, for the stand-in's own total. */
  readonly tokenMeterIds = new Set<string>();
  readonly #idCounts = new Map<string, number>();

  constructor(seed: number) {
    this.seed = seed;
  }

  /** The test clock that a customer lives by; null: real time. */
  clockOf(customerId: string): TestClock | null {
    return this.testClocks.get(String(this.customers.get(customerId)?.test_clock ?? '')) ?? null;
  }

  /** The time of a customer, in milliseconds. */
  timeOf(customerId: string, nowMs: number): number {
    const clock = this.clockOf(customerId);
    return clock === null ? nowMs : clock.wire.frozen_time * 1_000;
  }

  /** The next id of a kind: equal seeds and equal histories give equal ids. */
  nextId(prefix: string): string {
    const count = (this.#idCounts.get(prefix) ?? 0) + 1;
    this.#idCounts.set(prefix, count);
    const random = createRandom(deriveSeed(this.seed, prefix, count));
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
    let text = '';
    for (let index = 0; index < 10; index += 1) text += alphabet[Math.floor(random() * alphabet.length)];
    return `${prefix}_1T${text}${count.toString(36).padStart(4, '0')}`;
  }
}
