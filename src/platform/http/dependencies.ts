import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context, Hono } from 'hono';
import type { RetailMeterRow } from '../../../pricing/retail/meter-map.ts';
import { BUILT_IN_PROVIDERS, type Providers } from '../../../pricing/usage/providers.ts';
import { type Clock, HOUR_MS } from '../clock.ts';
import { type Config, describeConfig, readConfiguredProviders } from '../config.ts';
import type { LedgerDatabase } from '../database/database.ts';
import { readSecondPersonRule, type SecondPersonRule } from '../second-person.ts';
import {
  NO_SELLER,
  type QuoteTerms,
  readQuoteTerms,
  readSeller,
  type Seller,
  USUAL_QUOTE_TERMS,
} from '../seller.ts';

/** Reads one file of the reference page by its bare name; null when there is none. */
export type AssetReader = (name: string) => Promise<Uint8Array<ArrayBuffer> | string | null>;

/** What the API logs through; pino satisfies it. */
export interface ApiLog {
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

/** Who makes a request, and what they may do. */
export interface ApiCaller {
  /** As the audit log and quotes name them. */
  actor: string;
  /** As messages to them name what they call with. */
  name: string;
  scopes: readonly string[];
  /** The key that they hold; absent: they type commands. */
  apiKeyId?: string;
}

/** What every route works with, made once at the top. Routes that ask an outside system add its port. */
export interface ApiDependencies {
  database: LedgerDatabase;
  clock: Clock;
  version: string;
  log?: ApiLog;
  /** Webhooks of Stripe and OpenMeter, mounted at `/webhooks`. */
  webhooks?: Hono;
  /** Files of `swagger-ui-dist` for `/docs`; without it `/docs` answers 404. */
  assets?: AssetReader;
  settings?: ApiSettings;
  /** The reviewed file of what meters of price lists are; without it the ledger alone says. */
  readMeterRows?: () => Promise<readonly RetailMeterRow[]>;
  /** Asks the jobs for a run of a step; what is asked for is in the ledger, so that it may fail. */
  enqueueStep?: (step: AskableStep, reason: string) => Promise<void>;
  /** What is begun goes on after its request was answered, as in a process that stays; a Worker ends with the request. */
  goesOnAfterAnswer?: boolean;
  /**
   * Who makes every request of this app, with or without a key. For an app that is called in this process alone, as by
   * a command; one that listens to a network never has it, and no request can bring it.
   */
  caller?: ApiCaller;
}

/** Steps that a request may want to run soon. */
export type AskableStep =
  | 'rescan-usage'
  | 'sync-catalog'
  | 'reconcile'
  | 'sync-prices'
  | 'close-invoices'
  | 'send-alerts';

/** What the API takes from the configuration. */
export interface ApiSettings {
  quarantineAlarmHours: number;
  /** How many days old the lists of the price book may be. */
  priceBookWarnDays: number;
  /** How long the source keeps its rows. */
  sourceRetentionDays: number;
  /** How the makers of models count. */
  providers: Providers;
  /** Whether `/metrics` answers without a key. */
  metricsPublic: boolean;
  /** Reads of Stripe that previews of invoices may cost a day; past them the ledger answers alone. */
  stripePreviewReadsPerDay: number;
  /** How many of them the pages that a customer opens may cost. */
  stripePreviewReadsPerCustomer: number;
  /** Signs links to pages; without it a key that is kept in the ledger does. */
  linkSigningKey?: string | undefined;
  /** Signed them before, and still counts; `ledger`: the one that is kept there. */
  linkSigningKeyPrevious?: string | undefined;
  /** Gateways are told to stop callers of no known customer. */
  stopsUnknownCallers?: boolean | undefined;
  /** Whose pages may frame the portal: what stands behind `frame-ancestors`; absent: nobody's. */
  portalFrameAncestors?: readonly string[] | undefined;
  /** How browsers reach the service, where that is not the address of the request. */
  publicUrl?: string | undefined;
  /** The account that Azure bills, as exports of costs name it. */
  billingAccount: { id: string; name: string | null };
  /** Who sells, and what quotes offer unless they say otherwise. */
  seller: Seller;
  quoteTerms: QuoteTerms;
  /** What is configured, as `describeConfig` says it: no secret, and of addresses the host. */
  configuration?: Readonly<Record<string, string>>;
  /** Who invoices, as exports of invoices name them. */
  focusSellerName: string;
  /** Above which amounts one person is not enough; null: whatever the amount, one is. */
  secondPerson: SecondPersonRule | null;
}

export const DEFAULT_API_SETTINGS: ApiSettings = {
  quarantineAlarmHours: 24,
  priceBookWarnDays: 60,
  sourceRetentionDays: 90,
  providers: BUILT_IN_PROVIDERS,
  metricsPublic: false,
  stripePreviewReadsPerDay: 200,
  stripePreviewReadsPerCustomer: 20,
  billingAccount: { id: 'azure', name: null },
  focusSellerName: 'Seller',
  seller: NO_SELLER,
  quoteTerms: USUAL_QUOTE_TERMS,
  secondPerson: null,
};

/** How long usage may wait in quarantine before it alarms, in milliseconds. */
export function alarmAfterMsOf({ settings = DEFAULT_API_SETTINGS }: ApiDependencies): number {
  return settings.quarantineAlarmHours * HOUR_MS;
}

export type ApiEnvironment = { Variables: { requestId: string; caller: ApiCaller } };

export type Api = OpenAPIHono<ApiEnvironment>;

/** Who makes the request, as the audit log and quotes name them. */
export function actorOf(context: Context<ApiEnvironment>): string {
  return context.get('caller').actor;
}

/**
 * Asks for a run of a step. What it is for is in the ledger and will be found by the step's own schedule: a queue that
 * does not answer only makes it later.
 */
export async function askForStep(
  { enqueueStep, log }: ApiDependencies,
  step: AskableStep,
  reason: string,
): Promise<void> {
  try {
    await enqueueStep?.(step, reason);
  } catch (error) {
    log?.warn({ err: error, step }, 'the queue took no run; the schedule will');
  }
}

/** The API's part of the configuration. */
export function readApiSettings(config: Config): ApiSettings {
  return {
    quarantineAlarmHours: config.QUARANTINE_ALARM_HOURS,
    priceBookWarnDays: config.PRICE_BOOK_WARN_DAYS,
    sourceRetentionDays: config.SOURCE_RETENTION_DAYS,
    providers: readConfiguredProviders(config),
    metricsPublic: config.METRICS_PUBLIC,
    linkSigningKey: config.LINK_SIGNING_KEY,
    linkSigningKeyPrevious: config.LINK_SIGNING_KEY_PREVIOUS,
    stopsUnknownCallers: config.ENFORCEMENT_UNKNOWN_CALLERS === 'stop',
    portalFrameAncestors: config.PORTAL_FRAME_ANCESTORS,
    publicUrl: config.PUBLIC_URL,
    configuration: describeConfig(config),
    focusSellerName: config.FOCUS_SELLER_NAME ?? config.SELLER_NAME ?? DEFAULT_API_SETTINGS.focusSellerName,
    billingAccount: {
      id: config.FOCUS_BILLING_ACCOUNT_ID,
      name: config.FOCUS_BILLING_ACCOUNT_NAME ?? null,
    },
    seller: readSeller(config),
    quoteTerms: readQuoteTerms(config),
    secondPerson: readSecondPersonRule(config),
    stripePreviewReadsPerDay: config.STRIPE_PREVIEW_READ_BUDGET_PER_DAY,
    stripePreviewReadsPerCustomer: config.STRIPE_PREVIEW_READ_BUDGET_PER_CUSTOMER,
  };
}
