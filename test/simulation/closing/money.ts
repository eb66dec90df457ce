import { sql } from 'kysely';
import { MINUTE_MS } from '../../../src/platform/clock.ts';
import type { LedgerDatabase } from '../../../src/platform/database/database.ts';
import type { World } from '../world.ts';
import { readInvoices, type SeenInvoice, type SeenLine } from './read-invoices.ts';
import { chargeOf, isOfPlan, unitAt } from './units.ts';

const PLAN_MINIMUM_MINOR = 50_000n;
/** So long the pipeline believes what it read of a draft, which a person or Stripe may finalize meanwhile. */
export const BELIEVED_MS = 30 * MINUTE_MS;

/** What the ledger says of a late item, and how many tokens its rows really have. */
interface LateRow {
  lateItemId: string;
  invoiceId: string;
  missedInvoiceId: string | null;
  eventName: string;
  tokenCount: bigint;
  rowTokens: bigint;
  absorbedMinor: bigint;
  usedFrom: Date;
  periodStart: Date;
  state: string;
}

/**
 * Every final invoice to the cent: a line costs what its tokens cost at the price in force when they were used, and is the
 * only one for its time; late usage is on one invoice; a minimum is reached exactly; nothing else is on it. And nothing
 * reaches Stripe for a line that has been whole for longer than anybody could not know it: it would be on no invoice.
 */
export async function checkInvoices(world: World, ledger: LedgerDatabase): Promise<void> {
  const invoices = await readInvoices(world);
  if (invoices.length === 0) return;
  const late = await readLateRows(ledger);
  const clean = await readCleanCloses(ledger);
  for (const invoice of invoices) {
    const report = (what: string) =>
      world.witness.report(`invoice ${invoice.invoiceId} of ${invoice.tenantKey}: ${what}`);
    const sum = invoice.lines.reduce((total, line) => total + line.amountMinor, 0n);
    if (sum !== invoice.totalMinor) report(`its lines come to ${sum}, its total is ${invoice.totalMinor}`);
    for (const line of invoice.lines) checkLine(world, invoice, line, late, report);
    const certificate = clean.get(invoice.invoiceId);
    if (certificate === undefined) continue;
    checkCertificate(invoice, certificate, report);
    checkMinimum(world, invoice, invoices, late, report);
  }
  checkLateItems(world, invoices, late);
  checkTimes(world, invoices, clean);
}

type Report = (what: string) => void;

function checkLine(
  world: World,
  { tenantKey }: SeenInvoice,
  line: SeenLine,
  late: ReadonlyMap<string, LateRow>,
  report: Report,
): void {
  const { kind, quantity, amountMinor, eventName, startMs, endMs, metadata } = line;
  const expect = (expected: bigint) => {
    if (expected !== amountMinor)
      report(
        `${kind} of ${quantity} ${eventName} since ${new Date(startMs).toISOString()} costs ${amountMinor} instead of ${expected}`,
      );
  };
  if (kind === 'usage') expect(chargeOf(quantity, unitAt(world, { tenantKey, eventName, atMs: startMs })));
  if (kind === 'storage') {
    const fed = world.person.fed
      .filter((feed) => feed.tenantKey === tenantKey && feed.atMs >= startMs && feed.atMs < endMs)
      .reduce((sum, feed) => sum + BigInt(feed.quantity), 0n);
    if (fed !== quantity) report(`it has ${quantity} of storage, and ${fed} were fed`);
  }
  if (kind === 'late') {
    const row = late.get(metadata.tallystick_late_item ?? '');
    if (row === undefined) {
      report(`nobody knows its late item ${metadata.tallystick_late_item}`);
      return;
    }
    if (row.tokenCount !== row.rowTokens || String(row.tokenCount) !== metadata.tallystick_token_count)
      report(`late item of ${metadata.tallystick_token_count} tokens, and ${row.rowTokens} came late`);
    // Of an hour in which the price changed it says which part it is by its period.
    const atMs = Math.max(row.usedFrom.getTime(), row.periodStart.getTime());
    const unit = unitAt(world, { tenantKey, eventName: row.eventName, atMs });
    const alone = chargeOf(row.tokenCount, unit) - row.absorbedMinor;
    // Of tiers, as a plan has, it costs what it would have made the invoice cost more: the difference of two rounded amounts.
    const isOfTiers = isOfPlan(world, { tenantKey, eventName: row.eventName });
    const isNear = amountMinor - alone <= 1n && alone - amountMinor <= 1n;
    if (!isOfTiers || !isNear) expect(alone);
  }
  if (kind === 'other') report(`nobody put ${line.lineId} of ${amountMinor} onto it`);
}

/** What it certifies is the invoice: its total, and every token on its lines. */
function checkCertificate({ totalMinor, lines }: SeenInvoice, content: string, report: Report): void {
  const { totalMinor: certified, meters } = JSON.parse(content) as {
    totalMinor: string;
    meters: { invoiceQuantity: string }[];
  };
  if (certified !== String(totalMinor))
    report(`it costs ${totalMinor}, and its certificate says ${certified}`);
  const tokens = lines.reduce((sum, line) => sum + (line.kind === 'usage' ? line.quantity : 0n), 0n);
  const proven = meters.reduce((sum, meter) => sum + BigInt(meter.invoiceQuantity), 0n);
  if (tokens !== proven) report(`it has ${tokens} tokens, and its certificate proves ${proven}`);
}

/** Of what we finalized without a difference: what its plan's meters cost in the period, late usage of it included. */
function checkMinimum(
  world: World,
  invoice: SeenInvoice,
  invoices: readonly SeenInvoice[],
  late: ReadonlyMap<string, LateRow>,
  report: Report,
): void {
  const { tenantKey, startMs, endMs } = invoice;
  const isPlanned = (eventName: string) => isOfPlan(world, { tenantKey, eventName });
  if (!world.life.planPrices.some((price) => price.tenantKey === tenantKey)) return;
  let topUp = 0n;
  let charged = 0n;
  for (const { tenantKey: of, invoiceId, lines } of invoices) {
    if (of !== tenantKey) continue;
    for (const line of lines) {
      const isIn = line.startMs >= startMs && line.endMs <= endMs;
      const row = line.kind === 'late' ? late.get(line.metadata.tallystick_late_item ?? '') : undefined;
      if (line.kind === 'usage' && isIn && isPlanned(line.eventName)) charged += line.amountMinor;
      if (invoiceId !== invoice.invoiceId) continue;
      if (line.kind === 'top_up') topUp += line.amountMinor;
      if (row !== undefined && isPlanned(row.eventName) && row.periodStart.getTime() >= startMs)
        charged += line.amountMinor;
    }
  }
  const lacking = charged < PLAN_MINIMUM_MINOR ? PLAN_MINIMUM_MINOR - charged : 0n;
  if (topUp !== lacking) report(`it lacks ${lacking} of its minimum, and is topped up by ${topUp}`);
}

/** Each is on one invoice at most, and on a final one where the ledger says so. */
function checkLateItems(
  { witness }: World,
  invoices: readonly SeenInvoice[],
  late: ReadonlyMap<string, LateRow>,
): void {
  const places = new Map<string, string>();
  for (const { invoiceId, lines } of invoices) {
    for (const { metadata } of lines) {
      const id = metadata.tallystick_late_item;
      if (id === undefined) continue;
      if (places.has(id)) witness.report(`late item ${id} is on ${places.get(id)} and on ${invoiceId}`);
      places.set(id, invoiceId);
    }
  }
  for (const { lateItemId, state, absorbedMinor, invoiceId } of late.values()) {
    if (state === 'invoiced' && !places.has(lateItemId))
      witness.report(
        `late item ${lateItemId} of ${invoiceId} is on no final invoice, absorbed ${absorbedMinor}`,
      );
  }
}

/** Lines of one meter stand for times that do not overlap, and what was delivered for such a time in time is on them. */
function checkTimes(
  world: World,
  invoices: readonly SeenInvoice[],
  clean: ReadonlyMap<string, string>,
): void {
  const { witness, stripe } = world;
  const lines = invoices.flatMap(({ tenantKey, invoiceId, lines: own }) =>
    own.filter(({ kind }) => kind === 'usage').map((line) => ({ ...line, tenantKey, invoiceId })),
  );
  for (const [key, own] of Map.groupBy(lines, (line) => `${line.eventName} of ${line.tenantKey}`)) {
    own.sort((one, other) => one.startMs - other.startMs || one.endMs - other.endMs);
    for (const [index, line] of own.entries()) {
      const { tenantKey, startMs, endMs, eventName, invoiceId, quantity, closedMs } = line;
      const next = own[index + 1];
      if (next !== undefined && next.startMs < endMs)
        witness.report(`${key} has two lines for ${new Date(next.startMs).toISOString()}`);
      const delivered = stripe.usageBetween(tenantKey, startMs, endMs, { eventName });
      const inTime = stripe.usageBetween(tenantKey, startMs, endMs, {
        eventName,
        receivedUntilMs: closedMs + BELIEVED_MS,
      });
      if (delivered !== inTime)
        witness.report(`${delivered - inTime} ${key} came after their line of ${invoiceId} was whole`);
      if (clean.has(invoiceId) && closedMs !== endMs && delivered !== quantity)
        witness.report(`${invoiceId} is certified with ${quantity} ${key}, and ${delivered} were delivered`);
    }
  }
}

async function readLateRows(ledger: LedgerDatabase): Promise<Map<string, LateRow>> {
  const rows = await sql<LateRow>`
    select l.late_item_id::text as "lateItemId", l.invoice_id as "invoiceId", l.missed_invoice_id as "missedInvoiceId",
      m.event_name as "eventName", l.token_count as "tokenCount", l.absorbed_minor as "absorbedMinor",
      l.used_from as "usedFrom", l.period_start as "periodStart", l.state,
      coalesce((select sum(h.delta_token_count) from hourly_usage h where h.late_item_id = l.late_item_id), 0)::bigint as "rowTokens"
    from late_items l join stripe_meters m on m.stripe_meter_id = l.stripe_meter_id`.execute(ledger);
  return new Map(rows.rows.map((row) => [row.lateItemId, row]));
}

/** Certificates of invoices that we finalized, where they have no difference. */
async function readCleanCloses(ledger: LedgerDatabase): Promise<Map<string, string>> {
  const rows = await sql<{ id: string; content: string }>`
    select c.invoice_id as id, x.content from closes c join close_certificates x on x.invoice_id = c.invoice_id
    where c.state = 'finalized' and x.drift_token_count = 0 and x.drift_amount_minor = 0`.execute(ledger);
  return new Map(rows.rows.map(({ id, content }) => [id, content]));
}
