import { type Fingerprints, isSame, refreshStatementSlices } from '../billing/day-sums.ts';
import { readInvoiceLines, type StoredInvoice, type StoredInvoiceLine } from '../billing/invoice-lines.ts';
import { type InvoiceChoice, readInvoiceChoice } from '../billing/uninvoiced/choices.ts';
import type { TimeWindow } from '../platform/clock.ts';
import { type LedgerSnapshot, readSnapshot } from '../platform/database/snapshot.ts';
import {
  type AskedPreviews,
  askForPreviews,
  type PreviewMaterial,
  readPreview,
  type SubscriptionMaterial,
} from '../previews/gather.ts';
import type { StatementDependencies } from './dependencies.ts';
import { readStatementFacts, type StatementFacts } from './facts.ts';
import { isUsageLine, usageOfLines } from './groups.ts';
import { readMovedUsage } from './moved-usage.ts';
import { readStatedInvoice, refreshStatedInvoice } from './stated-invoice.ts';
import { readStatementUsage, readUnpushedStatementUsage, type StatementUsageRows } from './usage.ts';

/** What the ledger knows of the lines of one invoice, real or to come. */
export interface DividedUsage {
  /** In which the usage lines bill. */
  period: TimeWindow;
  usage: StatementUsageRows;
  facts: StatementFacts;
}

/** All that an invoice's statement rests on. */
export interface InvoiceMaterial extends DividedUsage {
  now: Date;
  invoice: StoredInvoice;
  lines: readonly StoredInvoiceLine[];
  /** What a person said of its usage where it was taken back; null: nothing. */
  choice: InvoiceChoice | null;
}

/** All that the statements of a customer's next invoices rest on. */
export interface SoFarMaterial extends Omit<PreviewMaterial, 'subscriptions'> {
  subscriptions: { preview: SubscriptionMaterial; divided: DividedUsage }[];
}

/**
 * An invoice as Stripe has it, and the usage that the ledger pushed for it: as the ledger had both at one instant.
 * @throws TallystickError NOT_FOUND; UpstreamError when its lines are not known and Stripe does not answer
 */
export async function gatherInvoiceStatement(
  dependencies: StatementDependencies,
  invoiceId: string,
): Promise<InvoiceMaterial> {
  await prepareInvoiceStatement(dependencies, invoiceId);
  const now = dependencies.clock.now();
  return await readSnapshot(dependencies.database, (snapshot) =>
    readInvoiceMaterial(snapshot, invoiceId, now),
  );
}

/**
 * What comes before the snapshot: asks for the invoice where it may have changed, and brings kept sums up to date.
 * @throws TallystickError NOT_FOUND; UpstreamError when its lines are not known and Stripe does not answer
 */
export async function prepareInvoiceStatement(
  dependencies: StatementDependencies,
  invoiceId: string,
): Promise<void> {
  const { database, clock } = dependencies;
  const { customerId } = await refreshStatedInvoice(dependencies, invoiceId);
  const periods = usagePeriods(await readInvoiceLines(database, invoiceId));
  await refreshStatementSlices(database, customerId, { periods, now: clock.now(), usersOf: periods });
}

/** All of it that the ledger has, in a snapshot of whoever asks. @throws TallystickError NOT_FOUND */
export async function readInvoiceMaterial(
  snapshot: LedgerSnapshot,
  invoiceId: string,
  now: Date,
): Promise<InvoiceMaterial> {
  const { invoice, lines } = await readStatedInvoice(snapshot, invoiceId);
  const { customerId, subscriptionId } = invoice;
  const divided = await readDivided(snapshot, {
    customerId,
    invoiceId,
    period: spanOf(usagePeriods(lines)) ?? invoice.period,
    periods: usagePeriods(lines),
    meterIds: lines.filter(isUsageLine).map((line) => line.stripeMeterId ?? ''),
    isOpen: invoice.status === 'draft',
  });
  const moved = await readMovedUsage(snapshot, { invoiceId, customerId, subscriptionId });
  const usage = [...divided.usage.usage, ...moved.usage];
  const users = [...divided.usage.users, ...moved.users];
  const choice = await readInvoiceChoice(snapshot, invoiceId);
  return { now, invoice, lines, choice, ...divided, usage: usageOfLines({ usage, users }, lines) };
}

/**
 * The same for what a customer's next invoices would be now, one for each subscription.
 * @throws TallystickError UNKNOWN_CUSTOMER
 */
export async function gatherStatementSoFar(
  dependencies: StatementDependencies,
  customerId: string,
): Promise<SoFarMaterial> {
  const asked = await askForPreviews(dependencies, customerId, { users: true, history: false });
  const now = dependencies.clock.now();
  return await readSnapshot(dependencies.database, (snapshot) =>
    readStatementSoFar(snapshot, customerId, { asked, now, history: false }),
  );
}

/**
 * The ledger's part of it, in a snapshot of whoever asked before.
 * @param ask `history`: whether its previews are to be projected as well
 * @throws TallystickError UNKNOWN_CUSTOMER
 */
export async function readStatementSoFar(
  snapshot: LedgerSnapshot,
  customerId: string,
  ask: { asked: AskedPreviews; now: Date; history: boolean },
): Promise<SoFarMaterial> {
  const previews = await readPreview(snapshot, customerId, ask);
  const subscriptions: SoFarMaterial['subscriptions'] = [];
  for (const preview of previews.subscriptions) {
    const { period, items, left, own } = preview;
    const current = items.flatMap((item) => item.stripeMeterId ?? []);
    const meterIds = [...current, ...left.map((one) => one.stripeMeterId)];
    const billed = [
      ...(current.length === 0 ? [] : [period]),
      ...left.map((one) => one.period),
      ...[...own.values()].map((one) => one.period),
    ];
    const periods = [...new Map(billed.map((one) => [`${+one.start} ${+one.end}`, one])).values()];
    const span = spanOf(periods) ?? period;
    const hasSums = periods.every((one) => isSame(one, period));
    const of = {
      ...{ customerId, invoiceId: null, period: span, periods, meterIds, isOpen: true },
      sums: hasSums ? preview.sums : undefined,
    };
    subscriptions.push({ preview, divided: await readDivided(snapshot, of) });
  }
  return { ...previews, subscriptions };
}

async function readDivided(
  snapshot: LedgerSnapshot,
  of: {
    customerId: string;
    invoiceId: string | null;
    period: TimeWindow;
    periods: readonly TimeWindow[];
    meterIds: readonly string[];
    isOpen: boolean;
    /** How old the kept sums are, where it has been read. */
    sums?: Fingerprints | undefined;
  },
): Promise<DividedUsage> {
  const { customerId, invoiceId, period, periods } = of;
  const { usage, users } = await readStatementUsage(snapshot, customerId, periods, of.sums);
  if (of.isOpen) {
    for (const one of periods) {
      const waiting = await readUnpushedStatementUsage(snapshot, customerId, one);
      usage.push(...waiting.usage);
      users.push(...waiting.users);
    }
  }
  const meterIds = [...new Set(of.meterIds)];
  const facts = await readStatementFacts(snapshot, { customerId, invoiceId, period, meterIds });
  return { period, usage: { usage, users }, facts };
}

/** The periods that the usage lines bill, each once, in the order of their lines. */
function usagePeriods(lines: readonly StoredInvoiceLine[]): TimeWindow[] {
  const billed = lines
    .filter(isUsageLine)
    .map(({ period }) => [`${+period.start} ${+period.end}`, period] as const);
  return [...new Map(billed).values()];
}

/** From the first to the last instant of these; null: there are none. */
function spanOf(periods: readonly TimeWindow[]): TimeWindow | null {
  if (periods.length === 0) return null;
  return {
    start: new Date(Math.min(...periods.map(({ start }) => +start))),
    end: new Date(Math.max(...periods.map(({ end }) => +end))),
  };
}
