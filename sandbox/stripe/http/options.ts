import type { DraftQuantities } from '../account.ts';
import type { CreditScopes, CreditsOnDrafts, PackageQuantities, ThresholdPeriods } from '../readings.ts';
import type { SeedTieredPrice } from '../seed.ts';
import type { ThinDestination } from '../webhook-sender.ts';

export interface StripeStandInOptions {
  /** The key it accepts; default `sk_test_tallystick`. */
  apiKey?: string;
  /** Restricted keys it accepts besides, each with its rights: `invoice_read`, `invoice_write` (which reads too), …. */
  restrictedKeys?: Readonly<Record<string, readonly string[]>>;
  /** Hours a draft waits before it is finalized, 1 to 72 as in Stripe's dashboard; default 1. */
  gracePeriodHours?: number;
  /** Virtual milliseconds before summaries, previews and invoices see a meter event; default 60 seconds. */
  aggregationDelayMs?: number;
  /**
   * Whether a draft's quantities follow the usage, or stand still from its creation until it is finalized: Stripe's pages
   * can be read both ways. Default `follow`.
   */
  draftQuantities?: DraftQuantities;
  /** What period the lines of threshold invoices name; default `slices`. */
  thresholdPeriods?: ThresholdPeriods;
  /** What quantity lines of prices by the package have; default `units`. */
  packageQuantities?: PackageQuantities;
  /** Whether the end of a trial makes an invoice that shows its usage at nothing; default it makes none. */
  showsTrials?: boolean;
  /** Meter events per real second before 429; default 1000. `Infinity` does not limit. */
  callsPerSecond?: number;
  /** Other calls per real second; default 100. */
  otherCallsPerSecond?: number;
  /** Which meters get `event_time_window: 'hour'`; default none. */
  hourWindowMeters?: (eventName: string) => boolean;
  /** Tenants that also have a metered item without a meter, from before meters; default none. */
  legacyItemTenantKeys?: readonly string[];
  /** Tiered prices of single tenants; default none. */
  tieredPrices?: readonly SeedTieredPrice[];
  /** Tenants that are billed in another currency than their prices', by `currency_options`; default none. */
  optionCurrencies?: Readonly<Record<string, string>>;
  /**
   * Lines are rounded to what can be charged in the currency (tens of thousandths, whole shillings); default to the minor
   * unit. Stripe's documents leave it open.
   */
  roundsLinesToSteps?: boolean;
  /** Where tax rates put on by hand are rounded, as chosen in Stripe's dashboard; default each line. */
  taxRounding?: 'line' | 'invoice';
  /** Whether credits on a draft are still available; default `available`. */
  creditsOnDrafts?: CreditsOnDrafts;
  /** Which grants a summary of balances by `price_type` counts; default `same`. */
  creditScopes?: CreditScopes;
  /** Whether usage at a price that its item has left takes billing credits, though on an invoice item; default it does not. */
  creditsFormerPrices?: boolean;
  /** Where snapshot events go; default nowhere. */
  webhook?: { url: string; secret: string; enabledEvents?: string[] } | null;
  /** Where thin events go; default nowhere. */
  thinWebhook?: ThinDestination | null;
}

export interface StripeStandInSettings {
  apiKey: string;
  restrictedKeys: Readonly<Record<string, readonly string[]>>;
  gracePeriodHours: number;
  aggregationDelayMs: number;
  draftQuantities: DraftQuantities;
  thresholdPeriods: ThresholdPeriods;
  packageQuantities: PackageQuantities;
  showsTrials: boolean;
  callsPerSecond: number;
  otherCallsPerSecond: number;
  hourWindowMeters: (eventName: string) => boolean;
  legacyItemTenantKeys: readonly string[];
  tieredPrices: readonly SeedTieredPrice[];
  optionCurrencies: Readonly<Record<string, string>>;
  roundsLinesToSteps: boolean;
  taxRounding: 'line' | 'invoice';
  creditsOnDrafts: CreditsOnDrafts;
  creditScopes: CreditScopes;
  creditsFormerPrices: boolean;
  webhook: { url: string; secret: string; enabledEvents: string[] } | null;
  thinWebhook: ThinDestination | null;
}

/** What the service listens to when it is told of every change; see docs/stripe.md. */
const DEFAULT_EVENTS = [
  'invoice.created',
  'invoice.updated',
  'invoice.finalized',
  'invoice.finalization_failed',
  'invoice.paid',
  'invoice.payment_failed',
  'invoice.voided',
  'invoice.marked_uncollectible',
  'invoice.deleted',
  'customer.created',
  'customer.updated',
  'customer.deleted',
  'customer.subscription.created',
  'customer.subscription.updated',
  'customer.subscription.deleted',
  'customer.subscription.paused',
  'customer.subscription.resumed',
  'price.created',
  'price.updated',
  'product.created',
  'product.updated',
];

export function withDefaults(options: StripeStandInOptions): StripeStandInSettings {
  const webhook = options.webhook ?? null;
  return {
    apiKey: options.apiKey ?? 'sk_test_tallystick',
    restrictedKeys: options.restrictedKeys ?? {},
    gracePeriodHours: options.gracePeriodHours ?? 1,
    aggregationDelayMs: options.aggregationDelayMs ?? 60_000,
    draftQuantities: options.draftQuantities ?? 'follow',
    thresholdPeriods: options.thresholdPeriods ?? 'slices',
    packageQuantities: options.packageQuantities ?? 'units',
    showsTrials: options.showsTrials ?? false,
    callsPerSecond: options.callsPerSecond ?? 1_000,
    otherCallsPerSecond: options.otherCallsPerSecond ?? 100,
    hourWindowMeters: options.hourWindowMeters ?? (() => false),
    legacyItemTenantKeys: options.legacyItemTenantKeys ?? [],
    tieredPrices: options.tieredPrices ?? [],
    optionCurrencies: options.optionCurrencies ?? {},
    roundsLinesToSteps: options.roundsLinesToSteps ?? false,
    taxRounding: options.taxRounding ?? 'line',
    creditsOnDrafts: options.creditsOnDrafts ?? 'available',
    creditScopes: options.creditScopes ?? 'same',
    creditsFormerPrices: options.creditsFormerPrices ?? false,
    webhook: webhook === null ? null : { ...webhook, enabledEvents: webhook.enabledEvents ?? DEFAULT_EVENTS },
    thinWebhook: options.thinWebhook ?? null,
  };
}
