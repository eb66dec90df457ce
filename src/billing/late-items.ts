import { createHash } from 'node:crypto';
import { type RawBuilder, sql } from 'kysely';
import { speakLateItem } from '../../pricing/closing/words.ts';
import { chargeLateUsage, type TakingInvoice } from '../../pricing/invoices/late-usage.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { carriedRows, type LateGroup, lockLateGroups } from './late-groups.ts';
import { readTopUpsLeft } from './minimums.ts';
import { DRAFTS_BACK, type LateItemState } from './states.ts';
import { markTakenUp } from './uninvoiced/groups.ts';

/** Characters that Stripe takes of an item's description. */
const MAX_DESCRIPTION = 500;

/** Usage that missed its own invoice, as one item of a later one. */
export interface LateItem {
  lateItemId: bigint;
  customerId: string;
  invoiceId: string;
  subscriptionId: string;
  missedInvoiceId: string | null;
  stripeMeterId: string;
  productName: string;
  periodStart: Date;
  periodEnd: Date;
  usedFrom: Date;
  usedTo: Date;
  tokenCount: bigint;
  currency: string;
  unitAmountDecimal: string | null;
  amountMinor: bigint;
  description: string;
  idempotencyKey: string;
  state: LateItemState;
  invoiceItemId: string | null;
}

/** Which of these customers have usage for their next invoice that nothing bills yet. */
export async function findCarryingCustomers(
  database: LedgerDatabase,
  customerIds: readonly string[],
): Promise<Set<string>> {
  const rows = await sql<{ customerId: string }>`
    select distinct customer_id as "customerId" from (${carriedRows(customerIds)}) carried`.execute(database);
  return new Set(rows.rows.map((row) => row.customerId));
}

/** All customers that have such usage. */
export async function readCarryingCustomers(database: LedgerDatabase): Promise<string[]> {
  const rows = await database.selectFrom('customers').select('customer_id').execute();
  return [
    ...(await findCarryingCustomers(
      database,
      rows.map((row) => row.customer_id),
    )),
  ].sort();
}

/** Whether anything of a customer may wait for a next invoice: what is carried, and items that no invoice has yet. */
export async function hasLateUsage(database: LedgerDatabase, customerId: string): Promise<boolean> {
  const found = await sql<{ waits: boolean }>`
    select exists (${carriedRows([customerId])}) or exists (
      select 1 from late_items l where l.customer_id = ${customerId} and l.state in ('planned', 'created')) as waits`.execute(
    database,
  );
  return found.rows[0]?.waits === true;
}

/** Drafts that take up what a customer carries before the next invoices do, the oldest first. */
export async function readTakingDrafts(
  database: LedgerDatabase,
  customerId: string,
  now: Date,
): Promise<TakingInvoice[]> {
  const rows = await sql<TakingInvoice>`
    select i.subscription_id as "subscriptionId", i.currency
    from invoices i left join closes c on c.invoice_id = i.invoice_id
    where i.customer_id = ${customerId} and i.subscription_id is not null and i.status = 'draft' and not i.is_instalment
      and i.period_end <= ${now} and i.period_end > ${now}::timestamptz - ${DRAFTS_BACK}::interval
      and (c.invoice_id is null or c.state in ('found', 'claimed', 'collected', 'rescanned', 'settled', 'pushed', 'held', 'released'))
    order by i.period_end, i.invoice_id`.execute(database);
  return rows.rows;
}

/**
 * Turns a customer's carried usage into items of a draft, committed before any call: one for each meter and missed
 * period, at the price of then. Each row of usage belongs to one item for good, so no run plans it twice. What another
 * subscription of the customer bills waits for that one's draft; a sum below zero is no item (see credit proposals).
 */
export async function planLateItems(
  database: LedgerDatabase,
  draft: { invoiceId: string; customerId: string; subscriptionId: string; currency: string; now: Date },
): Promise<number> {
  return await database.transaction().execute(async (transaction) => {
    const groups = await lockLateGroups(transaction, [draft.customerId]);
    const charged = chargeLateUsage(groups, [draft], await readTopUpsLeft(transaction, groups));
    for (const { usage: group, charge } of charged) {
      const item = await transaction
        .insertInto('late_items')
        .values({
          customer_id: draft.customerId,
          invoice_id: draft.invoiceId,
          subscription_id: draft.subscriptionId,
          missed_invoice_id: group.missedInvoiceId,
          stripe_meter_id: group.stripeMeterId,
          product_name: group.productName,
          period_start: group.periodStart,
          period_end: group.periodEnd,
          used_from: group.usedFrom,
          used_to: group.usedTo,
          token_count: group.tokenCount,
          currency: group.currency,
          unit_amount_decimal: charge.unitAmountDecimal,
          amount_minor: charge.amountMinor,
          absorbed_minor: charge.absorbedMinor,
          description: describeLate(group),
          idempotency_key: keyOf(draft.invoiceId, group),
          planned_at: draft.now,
        })
        .returning('late_item_id')
        .executeTakeFirstOrThrow();
      await sql`update hourly_usage set late_item_id = ${item.late_item_id}
                where hourly_usage_id = any(${group.hourlyUsageIds.map(String)}::bigint[])`.execute(
        transaction,
      );
      await markTakenUp(transaction, group.uninvoicedIds);
    }
    return charged.length;
  });
}

/** What a line says of usage that missed its own invoice. */
export function describeLate({ productName, tokenCount, periodStart, periodEnd }: LateGroup): string {
  const [start, end] = [periodStart.toISOString(), periodEnd.toISOString()];
  return speakLateItem({ productName, tokenCount, start, end }).slice(0, MAX_DESCRIPTION);
}

function keyOf(invoiceId: string, group: LateGroup): string {
  const facts = [invoiceId, group.stripeMeterId, ...group.hourlyUsageIds.map(String)].join('|');
  return `tallystick_late_${createHash('sha256').update(facts).digest('hex').slice(0, 40)}`;
}

/** Items of these invoices, in the order they were planned. */
export async function readLateItems(
  database: LedgerDatabase,
  invoiceIds: readonly string[],
): Promise<LateItem[]> {
  return await selectLateItems(database, sql`l.invoice_id = any(${invoiceIds}::text[])`);
}

/** Items of later invoices for usage that missed this one. */
export async function readItemsThatMissed(database: LedgerDatabase, invoiceId: string): Promise<LateItem[]> {
  return await selectLateItems(
    database,
    sql`l.missed_invoice_id = ${invoiceId} and l.invoice_id <> ${invoiceId}`,
  );
}

/** Items whose draft came to nothing, or was final before they were on it: they wait for the customer's next one. */
export async function readStrandedItems(
  database: LedgerDatabase,
  customerIds: readonly string[],
): Promise<LateItem[]> {
  return await selectLateItems(
    database,
    sql`l.customer_id = any(${customerIds}::text[]) and ${isStranded('l')}`,
  );
}

/** Of `late_items` under this alias: whether it is on no draft any more, and waits for the customer's next one. */
export function isStranded(alias: string): RawBuilder<boolean> {
  const item = sql.ref(alias);
  return sql<boolean>`exists (
      select 1 from closes close where close.invoice_id = ${item}.invoice_id and (
        (close.state in ('deleted', 'voided', 'left_alone') and ${item}.state in ('planned', 'created'))
        or (close.state in ('finalized', 'finalized_without_us') and ${item}.state = 'planned')))`;
}

async function selectLateItems(database: LedgerDatabase, where: ReturnType<typeof sql>): Promise<LateItem[]> {
  const rows = await sql<LateItem>`
    select late_item_id as "lateItemId", customer_id as "customerId", invoice_id as "invoiceId", subscription_id as "subscriptionId",
      missed_invoice_id as "missedInvoiceId", stripe_meter_id as "stripeMeterId", product_name as "productName",
      period_start as "periodStart", period_end as "periodEnd", used_from as "usedFrom", used_to as "usedTo",
      token_count as "tokenCount", currency, unit_amount_decimal as "unitAmountDecimal", amount_minor as "amountMinor",
      description, idempotency_key as "idempotencyKey", state, invoice_item_id as "invoiceItemId"
    from late_items l where ${where} order by late_item_id`.execute(database);
  return rows.rows;
}

/** The subscription item that bills the usage of a late item, with the price of the time; null: it is not known any more. */
export async function readBillingItem(
  database: LedgerDatabase,
  { customerId, stripeMeterId, missedInvoiceId }: LateItem,
): Promise<{ subscriptionItemId: string; priceId: string | null } | null> {
  const rows = await sql<{ subscriptionItemId: string; priceId: string | null }>`
    (select subscription_item_id as "subscriptionItemId", price_id as "priceId" from close_meters
      where invoice_id = ${missedInvoiceId} and stripe_meter_id = ${stripeMeterId} order by period_start desc limit 1)
    union all
    (select subscription_item_id, price_id from subscription_items
      where customer_id = ${customerId} and stripe_meter_id = ${stripeMeterId}
      order by active desc, synced_at desc, subscription_item_id limit 1)`.execute(database);
  return rows.rows[0] ?? null;
}

/** The item is on its draft. */
export async function markLateItemCreated(
  database: LedgerDatabase,
  created: { lateItemId: bigint; invoiceItemId: string; now: Date },
): Promise<void> {
  await sql`update late_items set state = 'created', invoice_item_id = ${created.invoiceItemId}, created_at = ${created.now}
            where late_item_id = ${created.lateItemId} and state = 'planned'`.execute(database);
}

/** The item is on an invoice that is final. */
export async function markLateItemInvoiced(
  database: LedgerDatabase,
  invoiced: { lateItemId: bigint; invoiceItemId: string; now: Date },
): Promise<void> {
  await sql`update late_items set state = 'invoiced', invoice_item_id = ${invoiced.invoiceItemId},
              created_at = coalesce(created_at, ${invoiced.now}::timestamptz), invoiced_at = ${invoiced.now}
            where late_item_id = ${invoiced.lateItemId} and state <> 'invoiced'`.execute(database);
  // Should the invoice be taken back, so is the item.
  await sql`update invoices set placed_at = ${invoiced.now} where placed_at is null
              and invoice_id = (select invoice_id from late_items where late_item_id = ${invoiced.lateItemId})`.execute(
    database,
  );
}

/**
 * Gives a stranded item to another draft, to be made there under another key. Only after Stripe was asked and has no
 * item of the old one.
 */
export async function moveLateItem(
  database: LedgerDatabase,
  item: LateItem,
  draft: { invoiceId: string; subscriptionId: string },
): Promise<void> {
  const [base = item.idempotencyKey, number = '1'] = item.idempotencyKey.split('.');
  await sql`
    update late_items set state = 'planned', invoice_item_id = null, created_at = null, invoice_id = ${draft.invoiceId},
      subscription_id = ${draft.subscriptionId}, idempotency_key = ${`${base}.${Number(number) + 1}`}
    where late_item_id = ${item.lateItemId} and invoice_id = ${item.invoiceId} and state <> 'invoiced'`.execute(
    database,
  );
}

/** The item that Stripe still has waiting will be on this draft. */
export async function followLateItem(
  database: LedgerDatabase,
  item: LateItem,
  found: { invoiceId: string; invoiceItemId: string; now: Date },
): Promise<void> {
  await sql`
    update late_items set state = 'created', invoice_item_id = ${found.invoiceItemId}, invoice_id = ${found.invoiceId},
      created_at = coalesce(created_at, ${found.now}::timestamptz)
    where late_item_id = ${item.lateItemId} and state <> 'invoiced'`.execute(database);
}
