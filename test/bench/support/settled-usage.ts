import { sql } from 'kysely';
import type { LedgerDatabase } from '../../../src/platform/database/database.ts';

/** One subject for each customer, as if usage of it had been collected. */
export async function assignSubjects(database: LedgerDatabase): Promise<void> {
  await sql`
    insert into subjects (subject, tenant_key, customer_id, assigned_by, first_seen_at, updated_at)
    select 'user of ' || customer_id, tenant_key, customer_id, 'tenant', now(), now() from customers`.execute(
    database,
  );
}

/** Settled prompt usage of every subject in each of some hours, as the aggregation step leaves it. */
export async function addSettledUsage(
  database: LedgerDatabase,
  hours: { startMs: number; firstHour: number; hourCount: number },
): Promise<void> {
  const start = new Date(hours.startMs);
  await sql`
    insert into hourly_usage (window_start, subject, feature, model, deployment, token_type, revision,
      token_count, delta_token_count, created_at)
    select ${start}::timestamptz + make_interval(hours => hour), subject, 'chat', 'gpt-4o', 'gpt-4o-global', 'prompt', 1,
      tokens, tokens, now()
    from subjects
    cross join generate_series(${hours.firstHour}::int, ${hours.firstHour + hours.hourCount - 1}::int) as hour
    cross join lateral (select 1000 + abs(hashtext(subject || ' ' || hour)::bigint) % 1000000 as tokens) as drawn`.execute(
    database,
  );
  await sql`analyze hourly_usage`.execute(database);
}

export interface PushTotals {
  /** What each tenant's settled usage sums up to. */
  totalByTenant: Map<string, bigint>;
  /** An event for a customer and meter that exist, to be sent beside the pushes. */
  loopEvent: { eventName: string; stripeCustomerId: string; tenantKey: string; value: bigint };
}

/** @throws Error unless every push in the ledger is delivered */
export async function readPushTotals(database: LedgerDatabase): Promise<PushTotals> {
  const totals = await sql<{ tenant_key: string; total: bigint }>`
    select s.tenant_key, sum(h.token_count)::bigint as total
    from hourly_usage h join subjects s using (subject) group by s.tenant_key`.execute(database);
  const undelivered = await sql<{ count: number }>`
    select count(*)::int as count from meter_pushes where status <> 'delivered'`.execute(database);
  if (undelivered.rows[0]?.count !== 0)
    throw new Error(`${undelivered.rows[0]?.count} pushes are not delivered`);
  const first = await sql<{ event_name: string; stripe_customer_id: string; tenant_key: string }>`
    select p.event_name, p.stripe_customer_id, c.tenant_key
    from meter_pushes p join customers c using (customer_id) order by p.meter_push_id limit 1`.execute(
    database,
  );
  const event = first.rows[0];
  if (event === undefined) throw new Error('the ledger holds no push');
  return {
    totalByTenant: new Map(totals.rows.map((row) => [row.tenant_key, row.total])),
    loopEvent: {
      eventName: event.event_name,
      stripeCustomerId: event.stripe_customer_id,
      tenantKey: event.tenant_key,
      value: 1_000n,
    },
  };
}
