import { type FinalInvoice, readFinalInvoices } from '../../billing/final-invoices.ts';
import { readDailyCostRows } from '../../costs/daily-cost-rows.ts';
import { countUnpricedTokens, readCostCompleteness } from '../../costs/queries.ts';
import { readRollupScope } from '../../costs/rollups/scope.ts';
import type { TimeWindow } from '../../platform/clock.ts';
import { type CsvForm, toCsv, toCsvLines } from '../../platform/csv.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { type LedgerSnapshot, streamSnapshot } from '../../platform/database/snapshot.ts';
import { toParquet } from '../../platform/parquet.ts';
import { divideInvoice } from '../../statements/charges.ts';
import { readInvoiceMaterial } from '../../statements/gather.ts';
import { instantCell } from './cells.ts';
import { columnsOf, type FocusRow, type FocusVersion } from './columns.ts';
import { type BillingAccount, costCharge } from './cost-charges.ts';
import { invoiceCharges } from './invoice-charges.ts';

export const EXPORT_FORMATS = ['csv', 'parquet'] as const;
type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** Whose bill it is: what the cloud costs us, or what we invoiced. */
export const FOCUS_PERSPECTIVES = ['costs', 'invoices'] as const;

export interface FocusRequest {
  perspective: (typeof FOCUS_PERSPECTIVES)[number];
  /** Whole UTC days. */
  window: TimeWindow;
  version: FocusVersion;
  format: ExportFormat;
  customerId?: string | undefined;
  account: BillingAccount;
  /** Who invoices. */
  sellerName: string;
  now: Date;
}

/** What whoever reads an export must know of it. */
export interface FocusSummary {
  /** Days of the window that wait to be rated (again). */
  dueDayCount: bigint;
  /** Tokens whose charge is 0 because nobody knows what they cost. */
  unknownCostTokenCount: bigint;
  /** Invoices that are left out, because the ledger does not have their final lines yet. */
  unreadInvoiceCount: number;
}

type Part = Uint8Array<ArrayBuffer>;

/**
 * Begins an export: what must be known of it, and its bytes as they are read, both as of one instant. Whoever begins one
 * reads it to its end, or ends it by `return`: the snapshot lasts as long.
 */
export async function beginFocusExport(
  database: LedgerDatabase,
  request: FocusRequest,
): Promise<{ summary: FocusSummary; parts: AsyncGenerator<Part> }> {
  const items = streamSnapshot<FocusSummary | Part>(database, async function* (snapshot) {
    const begin = request.perspective === 'costs' ? beginCosts : beginInvoiced;
    const { summary, charges } = await begin(snapshot, request);
    yield summary;
    yield* toFile(request, charges);
  });
  const first = await items.next();
  return { summary: first.value as FocusSummary, parts: items as AsyncGenerator<Part> };
}

interface BegunExport {
  summary: FocusSummary;
  charges: AsyncGenerator<FocusRow[]>;
}

async function beginCosts(snapshot: LedgerSnapshot, request: FocusRequest): Promise<BegunExport> {
  const { window, customerId } = request;
  const { dueDayCount } = await readCostCompleteness(snapshot, window);
  const unknownCostTokenCount = await countUnpricedTokens(snapshot, { window, customerId });
  return {
    summary: { dueDayCount, unknownCostTokenCount, unreadInvoiceCount: 0 },
    charges: readCosts(snapshot, request),
  };
}

async function beginInvoiced(snapshot: LedgerSnapshot, request: FocusRequest): Promise<BegunExport> {
  const { window, customerId = null } = request;
  const invoices = await readFinalInvoices(snapshot, { window, customerId });
  const read = invoices.filter(({ isRead }) => isRead);
  return {
    summary: {
      dueDayCount: 0n,
      unknownCostTokenCount: 0n,
      unreadInvoiceCount: invoices.length - read.length,
    },
    charges: readInvoiced(snapshot, read, request),
  };
}

async function* readCosts(
  snapshot: LedgerSnapshot,
  { window, customerId, account, now }: FocusRequest,
): AsyncGenerator<FocusRow[]> {
  const { conversions } = await readRollupScope(snapshot, { window, filter: {}, now });
  const batches = readDailyCostRows(snapshot, { window, customerId: customerId ?? null });
  for await (const costs of batches) yield costs.map((cost) => costCharge(cost, { account, conversions }));
}

/** An invoice at a time. A charge is in the window in which it begins, so that windows side by side have each once. */
async function* readInvoiced(
  snapshot: LedgerSnapshot,
  invoices: readonly FinalInvoice[],
  { window, sellerName, now }: FocusRequest,
): AsyncGenerator<FocusRow[]> {
  const [first, end] = [instantCell(window.start), instantCell(window.end)];
  for (const { invoiceId, creditedMinor } of invoices) {
    const material = await readInvoiceMaterial(snapshot, invoiceId, now);
    const charges = invoiceCharges(divideInvoice(material), {
      invoice: material.invoice,
      creditedMinor,
      sellerName,
    });
    yield charges.filter(({ ChargePeriodStart: start }) => first <= start && start < end);
  }
}

const CSV_FORM: CsvForm = { separator: 'comma', hasByteOrderMark: false };

async function* toFile(
  { version, format }: FocusRequest,
  charges: AsyncGenerator<FocusRow[]>,
): AsyncGenerator<Part> {
  const columns = columnsOf(version);
  const rows = (async function* () {
    for await (const batch of charges) {
      yield batch.map((row) => columns.map(({ name }) => row[name] ?? null));
    }
  })();
  if (format === 'parquet') return yield* toParquet(columns, rows);
  const encoder = new TextEncoder();
  yield encoder.encode(toCsv({ columns: columns.map(({ name }) => name), rows: [] }, CSV_FORM));
  for await (const batch of rows) yield encoder.encode(toCsvLines(batch, CSV_FORM));
}
