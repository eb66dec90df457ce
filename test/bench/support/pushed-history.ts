import { sql } from 'kysely';
import { HOUR_MS } from '../../../src/platform/clock.ts';
import type { LedgerDatabase } from '../../../src/platform/database/database.ts';
import type { MeterHistoryEvent } from './meter-history-thread.ts';

const ROWS_AT_ONCE = 20_000;

/** Writes the pushes that made Stripe's history into the ledger, each delivered an hour after its hour. */
export async function addPushedHistory(
  database: LedgerDatabase,
  events: readonly MeterHistoryEvent[],
): Promise<void> {
  for (let start = 0; start < events.length; start += ROWS_AT_ONCE) {
    const some = events.slice(start, start + ROWS_AT_ONCE);
    await sql`
      insert into meter_pushes (customer_id, stripe_customer_id, stripe_meter_id, event_name, window_start, revision,
        delta_token_count, total_token_count, sent_value, event_timestamp, identifier, status, attempt_count,
        first_attempt_at, created_at, delivered_at)
      select c.customer_id, c.stripe_customer_id, e.meter, e.name, e.hour, 1, e.value, e.value, e.value, e.hour,
        e.identifier, 'delivered', 1, e.delivered, e.delivered, e.delivered
      from unnest(${some.map((event) => event.stripeCustomerId)}::text[], ${some.map((event) => event.stripeMeterId)}::text[],
        ${some.map((event) => event.eventName)}::text[], ${some.map((event) => new Date(event.hourMs).toISOString())}::timestamptz[],
        ${some.map((event) => new Date(event.hourMs + 2 * HOUR_MS).toISOString())}::timestamptz[],
        ${some.map((event) => String(event.value))}::bigint[], ${some.map((_, index) => `history-${start + index}`)}::text[])
        as e(customer, meter, name, hour, delivered, value, identifier)
      join customers c on c.stripe_customer_id = e.customer`.execute(database);
  }
  await sql`analyze meter_pushes`.execute(database);
}

/** How much of the history Stripe has agreed on: pairs looked at, and the share of tokens that they hold. */
export async function readProvenShare(
  database: LedgerDatabase,
): Promise<{ pairCount: number; provenPairCount: number; provenTokenShare: number }> {
  const rows = await sql<{ pairs: number; proven: number; share: number }>`
    select count(*)::int as pairs, (count(*) filter (where c.agreed_at is not null))::int as proven,
      (coalesce(sum(p.agreed), 0) / sum(p.tokens))::float8 as share
    from (
      select p.customer_id, p.stripe_meter_id, sum(p.delta_token_count) as tokens,
        sum(p.delta_token_count) filter (where p.delivered_at <= c.agreed_at) as agreed
      from meter_pushes p left join billing_checks c on c.customer_id = p.customer_id and c.stripe_meter_id = p.stripe_meter_id
      group by 1, 2) p
    left join billing_checks c on c.customer_id = p.customer_id and c.stripe_meter_id = p.stripe_meter_id`.execute(
    database,
  );
  const row = rows.rows[0];
  return {
    pairCount: row?.pairs ?? 0,
    provenPairCount: row?.proven ?? 0,
    provenTokenShare: row?.share ?? 0,
  };
}
