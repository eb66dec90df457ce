import { BUILT_IN_PROVIDERS, type Providers } from '../pricing/usage/providers.ts';
import type { AlertTools } from '../src/alerts/tools.ts';
import type { RetailPriceSource } from '../src/azure/retail-port.ts';
import type { UsageSource } from '../src/azure/source.ts';
import type { Warehouse } from '../src/exports/warehouse/store.ts';
import type { MeteringSystem } from '../src/openmeter/port.ts';
import type { Clock } from '../src/platform/clock.ts';
import type { LedgerDatabase } from '../src/platform/database/database.ts';
import type { Logger } from '../src/platform/log.ts';
import type { InvoiceSystem } from '../src/stripe/closing/port.ts';
import type { BillingSystem } from '../src/stripe/port.ts';

/** Waits and sizes of the pipeline; see `src/platform/config.ts` for their environment names and defaults. */
export interface PipelineSettings {
  /** Rows younger than this by ingestion time are left for the next run: the source may still be indexing. */
  collectLagMs: number;
  /** Where collecting begins when the ledger has no watermark yet. */
  collectStart: Date | undefined;
  /** How the maker of each model counts; usage of a model whose maker nobody named waits. */
  providers: Providers;
  /** The hour from which this source bills, in a ledger that was billed from another one before. */
  usageSince: Date | undefined;
  /** Most rows of one query; more, and the window is split. Bounds memory. */
  collectRowLimit: number;
  /** Events of one request to OpenMeter, which rejects a batch whole. */
  ingestBatchSize: number;
  ingestConcurrency: number;
  /** How long after the last send an hour is read back: OpenMeter shows nothing before its flush. */
  settleLagMs: number;
  /** How long after its end an hour is first settled, so that ordinary ingestion delay is inside it. */
  hourCloseLagMs: number;
  /** Most rows expected of one OpenMeter answer, which has no pages. */
  settleRowLimit: number;
  /** How long an hour may differ, and a sent event may stay invisible, before it is repaired. */
  repairGraceMs: number;
  /** How often an invisible event is sent again under its own id before it gets another. */
  repairResendLimit: number;
  pushConcurrency: number;
  /** How long after a delivery Stripe's sums must show it before they are believed to be without it. */
  summaryLagMs: number;
  /** What Stripe took so long ago and still does not show is lost, and pushed anew. */
  pushLostAfterMs: number;
  /** Event summaries read in a UTC day as a sample, and because something gave reason to look. */
  stripeReadsPerDay: number;
  stripeDoubtReadsPerDay: number;
  /** A listed price that differs from the book's by at most so many percent is taken without a person. */
  priceChangePercent: number;
  /** Days after which single source items go, once all of them is billed; their sums stay. */
  itemRetentionDays: number;
  /** Users of one customer that OpenMeter gets as subject keys; the ledger alone attributes those of a larger one. */
  openMeterSubjectsMax: number;
  /** Key of the Stripe customer's metadata that holds the tenant. */
  tenantMetadataKey: string;
  /** Whether drafts are held back until their usage is proven; else Stripe finalizes them by its own clock. */
  closesInvoices: boolean;
  /** How long after its period's end Stripe finalizes a draft by itself, whatever became of us. */
  closeHoldMs: number;
  /** How long after a period's end its usage is waited for, by ingestion time. */
  closeSourceWaitMs: number;
  /** How long after the last delivery a draft is looked at first. */
  closeAggregationWaitMs: number;
}

export const DEFAULT_SETTINGS: PipelineSettings = {
  collectLagMs: 10 * 60_000,
  collectStart: undefined,
  providers: BUILT_IN_PROVIDERS,
  usageSince: undefined,
  collectRowLimit: 10_000,
  ingestBatchSize: 500,
  ingestConcurrency: 4,
  settleLagMs: 5 * 60_000,
  hourCloseLagMs: 20 * 60_000,
  settleRowLimit: 20_000,
  repairGraceMs: 30 * 60_000,
  repairResendLimit: 3,
  pushConcurrency: 100,
  summaryLagMs: 2 * 3_600_000,
  pushLostAfterMs: 6 * 3_600_000,
  stripeReadsPerDay: 16,
  stripeDoubtReadsPerDay: 200,
  priceChangePercent: 20,
  itemRetentionDays: 400,
  openMeterSubjectsMax: 40_000,
  tenantMetadataKey: 'tenant_id',
  closesInvoices: true,
  closeHoldMs: 24 * 3_600_000,
  closeSourceWaitMs: 2 * 3_600_000,
  closeAggregationWaitMs: 5 * 60_000,
};

/** Everything a job needs, made once at the top. */
export interface JobDependencies {
  database: LedgerDatabase;
  source: UsageSource;
  /** The source that does not bill, collected to be compared; absent: none. */
  control?: UsageSource;
  /** Azure's retail price list; absent: prices are not synchronized. */
  retailPrices?: RetailPriceSource;
  /** What alerts are sent with; what is missing fails the tries that need it. */
  alerts?: AlertTools;
  /** Where daily costs are written as files; absent: nowhere. */
  warehouse?: Warehouse;
  metering: MeteringSystem;
  billing: BillingSystem;
  /** What ends periods: drafts, items, credit notes. Mostly the same account as `billing`. */
  invoicing: InvoiceSystem;
  /** Where a customer reads how an invoice came about; null or absent: there is no such page. */
  statementUrl?: (invoiceId: string) => Promise<string | null>;
  clock: Clock;
  settings: PipelineSettings;
  log: Logger;
}
