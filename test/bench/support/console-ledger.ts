import { sql } from 'kysely';
import { addMs, DAY_MS, HOUR_MS } from '../../../src/platform/clock.ts';
import type { LedgerDatabase } from '../../../src/platform/database/database.ts';

export interface ConsoleSize {
  customerCount: number;
  /** Of each customer. */
  userCount: number;
  dayCount: number;
  /** Days of which the hours themselves are there, as pages that rate anew read them. */
  hourlyDayCount: number;
  /** The day after the last. */
  end: Date;
}

/** What the pages are held to: 1,000 customers, 90 days, 20,000 users. */
export function consoleSize(isQuick: boolean, end: Date): ConsoleSize {
  return isQuick
    ? { customerCount: 20, userCount: 5, dayCount: 35, hourlyDayCount: 30, end }
    : { customerCount: 1_000, userCount: 20, dayCount: 90, hourlyDayCount: 30, end };
}

export function sizeInWords({ customerCount, userCount, dayCount }: ConsoleSize): string {
  return `${customerCount} customers, ${dayCount} days, ${customerCount * userCount} users`;
}

const MODELS = ['gpt-4o', 'gpt-4o-mini', 'gpt-4.1', 'gpt-4.1-mini', 'o3', 'o4-mini', 'gpt-5', 'gpt-5-mini'];
const FEATURES = [
  ...['chat', 'search', 'summary', 'page-assist', 'thread-summary'],
  ...['translate', 'draft', 'review', 'extract', 'classify'],
];
/** Of usage that a customer has on a day. */
const KINDS = 5;
/** The benches ask at noon of the last day: it has twelve hours so far, and pushes are two behind. */
const NOON_HOUR = 12;
const UNPUSHED_HOURS = 2;

/**
 * Rated days as the jobs leave them, written in bulk: each user of each customer uses one feature on one model a day, of the few
 * that its customer has; costs, users, revenues, the settled hours behind the last of them and what was delivered of these agree.
 * @returns rows of daily costs, of daily users, and of hours
 */
export async function addConsoleLedger(database: LedgerDatabase, size: ConsoleSize): Promise<bigint[]> {
  const { customerCount, userCount, dayCount, hourlyDayCount, end } = size;
  const lastDay = new Date(end.getTime() - DAY_MS);
  const month = new Date(Date.UTC(lastDay.getUTCFullYear(), lastDay.getUTCMonth(), 1));
  await sql`
    insert into customers (customer_id, stripe_customer_id, tenant_key, name, currency, synced_at)
    select 'customer-' || number, 'cus_' || number, 'tenant-' || number, 'Customer ' || number,
      case when number % 10 = 0 then 'eur' else 'usd' end, now()
    from generate_series(1, ${customerCount}::int) as number`.execute(database);
  await sql`
    insert into subjects (subject, tenant_key, customer_id, assigned_by, first_seen_at, updated_at)
    select 'user-' || user_number || '-of-' || customer_id, tenant_key, customer_id, 'tenant', now(), now()
    from customers, generate_series(1, ${userCount}::int) as user_number`.execute(database);
  await sql`insert into exchange_rates (day, base, currency, rate, source, imported_at, imported_by)
    select (${end}::timestamptz - make_interval(days => ago))::date, 'eur', 'usd', 1.08, 'bench', now(), 'bench'
    from generate_series(0, ${dayCount}::int) as ago`.execute(database);
  for (const [tokenType, cents] of Object.entries({ prompt: '0.0004', completion: '0.0016' })) {
    await sql`
      insert into stripe_meters (stripe_meter_id, event_name, display_name, aggregation, status, synced_at)
      values (${tokenType}, ${tokenType}, ${tokenType}, 'sum', 'active', now())`.execute(database);
    await sql`
      insert into meter_bindings (model, token_type, feature, stripe_meter_id, synced_at)
      values ('*', ${tokenType}, '*', ${tokenType}, now())`.execute(database);
    await sql`
      insert into subscription_items (subscription_item_id, subscription_id, subscription_status, customer_id, price_id,
        product_name, currency, unit_amount_decimal, stripe_meter_id, current_period_start, current_period_end, active, synced_at)
      select 'si_' || ${tokenType} || customer_id, 'sub_' || customer_id, 'active', customer_id, 'price_' || ${tokenType},
        ${tokenType}, currency, ${cents}, ${tokenType}, ${month}, ${month}::timestamptz + interval '1 month', true, now()
      from customers`.execute(database);
  }
  const rows = [0n, 0n, 0n];
  // Day by day: a statement holds a day's rows, however many days there are.
  for (let ago = dayCount; ago >= 1; ago -= 1) {
    const day = new Date(end.getTime() - ago * DAY_MS);
    const added = await addDay(database, day, ago <= hourlyDayCount, ago === 1);
    added.forEach((count, index) => {
      rows[index] = (rows[index] ?? 0n) + count;
    });
  }
  await sql`
    insert into monthly_revenues (customer_id, month, model, feature, token_type, token_count, last_day, currency,
      unit_pico_minor, remainder_pico_minor)
    select customer_id, date_trunc('month', day::timestamp)::date, model, feature, token_type, sum(token_count), max(day),
      max(currency), case token_type when 'prompt' then 400000000 else 1600000000 end, 0
    from daily_costs join customers using (customer_id) group by 1, 2, 3, 4, 5`.execute(database);
  // What the triggers noted of rows that are rated already.
  await sql`delete from cost_days_due`.execute(database);
  await sql`delete from cost_subjects_due`.execute(database);
  await sql`delete from monthly_revenues_due`.execute(database);
  await sql`delete from revenue_customers_due`.execute(database);
  await sql`insert into watermarks (source, position, updated_at) values ('metrics', ${end}, now())`.execute(
    database,
  );
  await sql`vacuum analyze`.execute(database);
  return rows;
}

async function addDay(
  database: LedgerDatabase,
  day: Date,
  hasHours: boolean,
  isLast: boolean,
): Promise<bigint[]> {
  const text = day.toISOString().slice(0, 10);
  const dayNumber = Math.floor(day.getTime() / DAY_MS);
  const users = await sql`
    insert into daily_users (day, customer_id, subject, model, feature, deployment, token_count, token_types, token_counts,
      first_token_types, cost_pico_usd, provisioned_cost_pico_usd, is_cost_partial, request_count)
    select ${text}::date, customer_id, subject, model, feature, model || '-global', prompt + completion,
      '{prompt,completion}', array[prompt, completion], '{}', prompt * 2500000 + completion * 10000000, 0, false, 7
    from (select customer_id, subject, abs(hashtext(subject)::bigint) as seed,
            abs(hashtext(customer_id)::bigint) + abs(hashtext(subject)::bigint) % ${KINDS}::int as kind from subjects) as person
    cross join lateral (
      select (${MODELS}::text[])[((kind + ${dayNumber}::int / 7) % ${MODELS.length} + 1)::int] as model,
        (${FEATURES}::text[])[(kind * 3 % ${FEATURES.length} + 1)::int] as feature,
        1000 + (seed + ${dayNumber}::int) % 90000 as prompt, 100 + (seed + ${dayNumber}::int) % 9000 as completion) as drawn`.execute(
    database,
  );
  const costs = await sql`
    insert into daily_costs (day, kind, customer_id, model, feature, deployment, token_type, token_count, cost_pico_usd,
      request_count, is_first, price_book_version, rated_at)
    select day, 'tokens', customer_id, model, feature, deployment, type.name, sum(token_counts[type.place]),
      sum(token_counts[type.place]) * type.price::numeric, case when type.place = 1 then sum(request_count) else 0 end, true, 'bench', now()
    from daily_users, (values ('prompt', 1, 2500000), ('completion', 2, 10000000)) as type(name, place, price)
    where day = ${text}::date group by day, customer_id, model, feature, deployment, type.name, type.place, type.price`.execute(
    database,
  );
  await sql`
    insert into cost_days (day, revision, token_count, known_cost_pico_usd, price_book_version, rated_at)
    select day, 1, sum(token_count), sum(cost_pico_usd), 'bench', now() from daily_costs where day = ${text}::date group by day`.execute(
    database,
  );
  const hours = hasHours ? await addHours(database, day, isLast) : null;
  return [costs, users, hours].map((done) => done?.numAffectedRows ?? 0n);
}

/** The settled hours of a day, and what was delivered of them: a push for each customer, hour and meter. */
async function addHours(database: LedgerDatabase, day: Date, isLast: boolean) {
  const hourCount = isLast ? NOON_HOUR : 24;
  const pushedUntil = addMs(day, (hourCount - (isLast ? UNPUSHED_HOURS : 0)) * HOUR_MS);
  await sql`
    insert into settlements (window_start, status, settled_at)
    select ${day}::timestamptz + make_interval(hours => hour), 'settled', ${day}::timestamptz + make_interval(hours => hour + 2)
    from generate_series(0, ${hourCount - 1}::int) as hour`.execute(database);
  return await sql`
    with used as materialized (
      select ${day}::timestamptz + make_interval(hours => (abs(hashtext(subject)::bigint) % ${hourCount}::int)::int) as hour, subject,
        feature, model, deployment, type.name as token_type, token_counts[type.place] as token_count, customer_id
      from daily_users, (values ('prompt', 1), ('completion', 2)) as type(name, place)
      where day = ${day.toISOString().slice(0, 10)}::date
    ), pushed as (
      insert into meter_pushes (customer_id, stripe_customer_id, stripe_meter_id, event_name, window_start, revision,
        delta_token_count, total_token_count, sent_value, event_timestamp, identifier, status, attempt_count,
        first_attempt_at, created_at, delivered_at)
      select customer_id, stripe_customer_id, token_type, token_type, hour, 1, sum(token_count), sum(token_count), sum(token_count),
        hour, customer_id || ' ' || token_type || ' ' || hour, 'delivered', 1, hour, hour, hour
      from used join customers using (customer_id) where hour < ${pushedUntil}
      group by customer_id, stripe_customer_id, token_type, hour
      returning meter_push_id, customer_id, stripe_meter_id, window_start
    )
    insert into hourly_usage (window_start, subject, feature, model, deployment, token_type, revision, token_count,
      delta_token_count, customer_id, meter_push_id, created_at)
    select hour, subject, feature, model, deployment, token_type, 1, token_count, token_count, pushed.customer_id, meter_push_id, now()
    from used left join pushed on pushed.customer_id = used.customer_id and pushed.stripe_meter_id = token_type
      and pushed.window_start = hour`.execute(database);
}
