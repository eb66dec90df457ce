import { sql } from 'kysely';
import type { LedgerDatabase } from '../../../src/platform/database/database.ts';
import type { World } from '../world.ts';
import { readInvoices } from './read-invoices.ts';

/**
 * Tokens of late items that are planned and on no draft any more, as the ledger has them and by Stripe's own invoices: their
 * draft became final before Stripe was asked for them, so that they wait for the customer's next one, which has not been made.
 */
export async function countStranded(
  world: World,
  ledger: LedgerDatabase,
): Promise<{ inLedger: bigint; byStripe: bigint }> {
  const rows = await sql<{ id: string; customerId: string; invoiceId: string; tokenCount: bigint }>`
    select l.late_item_id::text as id, l.customer_id as "customerId", l.invoice_id as "invoiceId",
      coalesce(sum(h.delta_token_count), 0)::bigint as "tokenCount"
    from late_items l join hourly_usage h on h.late_item_id = l.late_item_id
    where l.state = 'planned' group by 1, 2, 3`.execute(ledger);
  if (rows.rows.length === 0) return { inLedger: 0n, byStripe: 0n };
  const invoices = await readInvoices(world);
  const placed = new Set(
    invoices.flatMap(({ lines }) => lines.map(({ metadata }) => metadata.tallystick_late_item)),
  );
  let [inLedger, byStripe] = [0n, 0n];
  for (const row of rows.rows) {
    inLedger += row.tokenCount;
    const missed = invoices.find(({ invoiceId }) => invoiceId === row.invoiceId);
    if (missed === undefined || placed.has(row.id)) continue;
    const hasNext = invoices.some(
      ({ tenantKey, endMs }) => tenantKey === row.customerId && endMs > missed.endMs,
    );
    if (!hasNext) byStripe += row.tokenCount;
  }
  return { inLedger, byStripe };
}

/** Rows of usage that no invoice has, as the ledger says. */
export async function readUninvoicedIds(ledger: LedgerDatabase): Promise<ReadonlySet<string>> {
  const rows = await sql<{ id: string }>`
    select hourly_usage_id::text as id from hourly_usage where uninvoiced_id is not null`.execute(ledger);
  return new Set(rows.rows.map(({ id }) => id));
}

/**
 * What a replay may say anew of usage: that no invoice has it, where the invoice of its period became final meanwhile, and
 * has no line for it because its item got another price within the period. Until then it had hope.
 */
export async function checkNewlyUninvoiced(
  world: World,
  ledger: LedgerDatabase,
  since: { ids: ReadonlySet<string>; atMs: number },
): Promise<void> {
  const { witness, person, clock } = world;
  const now = await readUninvoicedIds(ledger);
  for (const id of since.ids)
    if (!now.has(id)) witness.report(`a replay gave row ${id} of uninvoiced usage back`);
  if ([...now].every((id) => since.ids.has(id))) return;
  const rows = await sql<{ id: string; customerId: string; eventName: string; at: Date; reason: string }>`
    select h.hourly_usage_id::text as id, p.customer_id as "customerId", p.event_name as "eventName", p.event_timestamp as at,
      h.quarantine_detail as reason
    from hourly_usage h left join meter_pushes p on p.meter_push_id = h.former_push_id
    where h.uninvoiced_id is not null`.execute(ledger);
  const invoices = await readInvoices(world);
  for (const { id, customerId, eventName, at, reason } of rows.rows) {
    if (since.ids.has(id)) continue;
    const atMs = at?.getTime() ?? Number.NaN;
    const own = invoices.filter(({ tenantKey }) => tenantKey === customerId);
    const isOver = own.some(
      ({ startMs, endMs }) => startMs <= atMs && atMs < endMs && endMs > since.atMs && endMs <= clock.nowMs(),
    );
    const hasLine = own.some(({ lines }) =>
      lines.some((line) => line.eventName === eventName && line.startMs <= atMs && atMs < line.endMs),
    );
    const isSwapped = person.swaps.some(
      (swap) => swap.tenantKey === customerId && swap.eventName === eventName && atMs < swap.atMs,
    );
    if (reason !== 'price_swapped' || !isOver || hasLine || !isSwapped)
      witness.report(`a replay made row ${id} of ${eventName} of ${customerId} uninvoiced as ${reason}`);
  }
}
