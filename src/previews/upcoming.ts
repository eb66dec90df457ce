import { type RawBuilder, sql } from 'kysely';
import { minorUnitDigits, parseDecimal } from '../../pricing/money.ts';
import type { Clock } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { type LedgerSnapshot, readSnapshot } from '../platform/database/snapshot.ts';
import { decidePreview, decideProjection } from './decide.ts';
import { readPreview, refreshPreviewSums } from './gather.ts';
import type { BilledSubscription } from './items.ts';
import type { SubscriptionPreviewBody } from './schemas.ts';
import { showPreview } from './show.ts';

/** What a next invoice came to when it was last worked out. */
interface KeptSum {
  currency: string;
  /** In minor units; null: of a line it is unknown. */
  totalMinor: bigint | null;
  asOf: Date;
  /** Whether all that it rests on is the same still. */
  isCurrent: boolean;
}

/** A next invoice, and its kept sum; null: it has never been worked out. */
export interface UpcomingInvoice extends BilledSubscription {
  kept: KeptSum | null;
}

/** Every next invoice, by the name of its customer: one statement, however many there are. */
export async function listUpcoming(database: LedgerDatabase): Promise<UpcomingInvoice[]> {
  const result = await sql<
    BilledSubscription & {
      currency: string | null;
      total: string | null;
      as_of: Date | null;
      is_current: boolean;
    }
  >`
    with inputs as materialized (${inputsOf(sql`true`)})
    select distinct item.customer_id as "customerId", customers.name as "customerName",
      item.subscription_id as "subscriptionId", kept.currency, kept.total_minor::text as total, kept.as_of,
      coalesce(kept.inputs = inputs.inputs, false) as is_current
    from subscription_items as item
    join customers using (customer_id)
    join inputs using (customer_id)
    left join upcoming_invoices as kept on kept.subscription_id = item.subscription_id and kept.customer_id = item.customer_id
    where item.active and customers.deleted_at is null
    order by customers.name, item.customer_id, item.subscription_id`.execute(database);
  return result.rows.map(
    ({ customerId, customerName, subscriptionId, currency, total, as_of, is_current }) => ({
      customerId,
      customerName,
      subscriptionId,
      kept:
        currency === null || as_of === null
          ? null
          : {
              currency,
              totalMinor: total === null ? null : BigInt(total),
              asOf: as_of,
              isCurrent: is_current,
            },
    }),
  );
}

/** The next invoices of a customer, as the ledger alone has them: what the API says where Stripe does not answer. */
export async function readUpcomingPreviews(
  snapshot: LedgerSnapshot,
  customerId: string,
  now: Date,
): Promise<SubscriptionPreviewBody[]> {
  const material = await readPreview(snapshot, customerId, { asked: new Map(), now, history: true });
  const decided = material.subscriptions
    .map(decidePreview)
    .map((preview) => ({ ...preview, projection: decideProjection(preview) }));
  return showPreview(material, decided).subscriptions;
}

/** Works out a customer's next invoices and keeps what they come to; Stripe is not asked. */
export async function keepUpcoming(
  dependencies: { database: LedgerDatabase; clock: Clock },
  customerId: string,
): Promise<void> {
  const { database, clock } = dependencies;
  await refreshPreviewSums(dependencies, customerId);
  const now = clock.now();
  // Amounts and what they rest on are of one instant: what comes after it makes them old.
  const { previews, inputs } = await readSnapshot(database, async (snapshot) => ({
    previews: await readUpcomingPreviews(snapshot, customerId, now),
    inputs: await sql<{
      inputs: string;
    }>`select inputs from (${inputsOf(sql`item.customer_id = ${customerId}`)}) as its`.execute(snapshot),
  }));
  const rows = previews.map(({ subscriptionId, currency, total }) => ({
    subscription_id: subscriptionId,
    customer_id: customerId,
    currency,
    total_minor: total === null ? null : String(parseDecimal(total, minorUnitDigits(currency))),
    as_of: now,
    inputs: inputs.rows[0]?.inputs ?? '',
  }));
  if (rows.length === 0) return;
  await database
    .insertInto('upcoming_invoices')
    .values(rows)
    .onConflict((conflict) =>
      conflict
        .column('subscription_id')
        .doUpdateSet(({ ref }) => ({
          customer_id: ref('excluded.customer_id'),
          currency: ref('excluded.currency'),
          total_minor: ref('excluded.total_minor'),
          as_of: ref('excluded.as_of'),
          inputs: ref('excluded.inputs'),
        }))
        .whereRef('upcoming_invoices.as_of', '<=', 'excluded.as_of'),
    )
    .execute();
}

/**
 * Which customers' sums are to be worked out anew, those first that never were, then the oldest.
 * @param besides whose are at hand, and not needed
 */
export function dueCustomers(all: readonly UpcomingInvoice[], besides: ReadonlySet<string>): string[] {
  const due = all
    .filter(({ customerId, kept }) => !besides.has(customerId) && kept?.isCurrent !== true)
    .sort((one, other) => (one.kept?.asOf.getTime() ?? 0) - (other.kept?.asOf.getTime() ?? 0));
  return [...new Set(due.map(({ customerId }) => customerId))];
}

/**
 * Names what the next invoices of customers rest on, as a query of `customer_id` and `inputs`: items and their prices,
 * what feeds their meters, settled usage since the month before the period's, what waits, what Stripe refused, and invoices
 * that may take up late usage. Sums that are kept anyway, so that it reads a few rows a customer.
 * @param whose of `item`
 */
function inputsOf(whose: RawBuilder<boolean>): RawBuilder<unknown> {
  return sql`
    select its.customer_id, concat_ws('.', its.hash, bound.hash, used.tokens, waiting.rows, waiting.tokens, refused.rows, billed.hash) as inputs
    from (
      select customer_id, bit_xor(hashtextextended((to_jsonb(item) - 'synced_at')::text, 0)) as hash,
        date_trunc('month', min(current_period_start), 'UTC') - interval '1 month' as since
      from subscription_items as item where active and ${whose} group by 1) as its
    cross join (
      select coalesce(bit_xor(hashtextextended((to_jsonb(binding) - 'synced_at')::text, 0)), 0) as hash
      from meter_bindings as binding) as bound
    cross join lateral (
      select coalesce(sum(token_count), 0) as tokens from monthly_revenues
      where customer_id = its.customer_id and month >= (its.since at time zone 'UTC')::date) as used
    left join (
      select customer_id, count(*) as rows, sum(delta_token_count) as tokens from hourly_usage
      where quarantine_reason is not null and late_item_id is null and written_off_at is null group by 1) as waiting using (customer_id)
    left join (
      select customer_id, count(*) as rows from meter_pushes where status = 'refused' group by 1) as refused using (customer_id)
    cross join lateral (
      select coalesce(bit_xor(hashtextextended(concat_ws(' ', invoice_id, status, credited_minor, is_instalment), 0)), 0) as hash
      from invoices where customer_id = its.customer_id and period_end >= its.since) as billed`;
}
