import { sql } from 'kysely';
import { RULES } from '../../pricing/anomalies/rules.ts';
import type { PriceBook } from '../../pricing/prices/price-book.ts';
import { addMs, DAY_MS } from '../platform/clock.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { sumTypedFigures, tokenParts } from '../usage/columns.ts';
import { readEventPrices } from './event-prices.ts';

/** As far back as any baseline looks, and a week for what is judged late. */
const KEPT_DAYS = RULES.sameWeekdayWeeks * 7 + 8;
/** So many hours are summed in one transaction. */
const BATCH = 24;

/**
 * Sums hours whose events, prices or owners changed since they were summed, the oldest first. What it reads grows with what
 * changed, and with the days that baselines look back on, never with history before them.
 * @returns how many hours
 */
export async function sumDueHours(
  database: LedgerDatabase,
  { book, now }: { book: PriceBook; now: Date },
  signal?: AbortSignal,
): Promise<number> {
  const since = addMs(now, -KEPT_DAYS * DAY_MS);
  await spreadMovedSubjects(database, since);
  let summedCount = 0;
  for (;;) {
    signal?.throwIfAborted();
    const due = await sql<{ window_start: Date; event_version: bigint }>`
      select hour.window_start, hour.event_version from settlements as hour
      left join anomaly_summed_hours as summed using (window_start)
      where hour.window_start >= ${since} and (summed.event_version is distinct from hour.event_version
        or summed.price_book_version <> ${book.version})
      order by hour.window_start limit ${BATCH}`.execute(database);
    if (due.rows.length === 0) break;
    await database.transaction().execute(async (transaction) => {
      await sumHours(transaction, due.rows, { book, now });
    });
    summedCount += due.rows.length;
  }
  for (const table of ['anomaly_hours', 'anomaly_summed_hours'])
    await sql`delete from ${sql.table(table)} where window_start < ${since}`.execute(database);
  await sql`delete from anomaly_days where day < ${since.toISOString().slice(0, 10)}::date`.execute(database);
  return summedCount;
}

async function spreadMovedSubjects(database: LedgerDatabase, since: Date): Promise<void> {
  await sql`
    with moved as (delete from anomaly_subjects_due returning subject)
    update anomaly_summed_hours as summed set event_version = 0
    from (select distinct usage.window_start from moved join hourly_usage as usage using (subject)
          where usage.window_start >= ${since}
          union select distinct event.window_start from moved join usage_events as event using (subject)
          where event.window_start >= ${since} and event.status in ('pending', 'sent')) as hours
    where hours.window_start = summed.window_start`.execute(database);
}

async function sumHours(
  transaction: LedgerTransaction,
  due: readonly { window_start: Date; event_version: bigint }[],
  { book, now }: { book: PriceBook; now: Date },
): Promise<void> {
  const starts = due.map((hour) => hour.window_start);
  const hours = sql`any(${starts.map((start) => start.toISOString())}::timestamptz[])`;
  const prices = await readEventPrices(transaction, { hours: starts, customerId: null, book });
  await sql`delete from anomaly_hours where window_start = ${hours}`.execute(transaction);
  await sql`
    with priced as materialized (${prices}),
    -- A source that was not read for a while is late as a whole: what counts is what came after the rest of its hour.
    begun as materialized (
      select window_start, greatest(min(created_at), window_start + interval '1 hour') as known_at from usage_events
      where window_start = ${hours} and kind = 'usage' group by window_start),
    events as materialized (
      select event.window_start, subjects.customer_id, event.subject, event.model, event.deployment, event.counted_formerly,
        false as may_disagree, event.created_at > known_at + ${`${RULES.lateHours} hours`}::interval as is_late,
        event.created_at > known_at + ${`${RULES.backfillHours} hours`}::interval as is_backfilled,
        ${sumTypedFigures('event')}, sum(event.request_count) as request_count
      from usage_events as event join subjects using (subject) join begun using (window_start)
      where event.window_start = ${hours} and event.kind = 'usage' and event.status <> 'quarantined'
        and subjects.customer_id is not null
      group by 1, 2, 3, 4, 5, 6, 7, 8, 9),
    -- Tokens of each type, and requests, as rows of one sum: joined they would be counted more than once, or held against each
    -- other in a plan that knows nothing of either.
    parts as (
      select window_start, customer_id, subject, model, deployment, is_late, is_backfilled, part.token_type, part.tokens, 0 as requests
      from events as event, ${tokenParts('event')}
      union all
      select window_start, customer_id, subject, model, deployment, is_late, is_backfilled, null, 0, request_count from events),
    costs as (
      select part.window_start, part.customer_id, part.subject, sum(part.tokens) as tokens, sum(part.requests) as requests,
        coalesce(sum(part.tokens * pico_usd), 0) as cost,
        coalesce(sum(part.tokens) filter (where pico_usd is null), 0) as unpriced,
        coalesce(sum(part.tokens * pico_usd) filter (where is_late), 0) as late,
        coalesce(sum(part.tokens * pico_usd) filter (where is_backfilled), 0) as backfilled
      from parts as part
      left join priced on priced.model = part.model and priced.deployment = part.deployment
        and priced.token_type = part.token_type and part.window_start >= starts_at and part.window_start < ends_at
      group by 1, 2, 3)
    insert into anomaly_hours (window_start, customer_id, cost_pico_usd, unpriced_token_count, top_user_cost_pico_usd,
      top_user_request_count, late_cost_pico_usd, backfilled_cost_pico_usd, request_count, token_count, user_count)
    select window_start, customer_id, sum(cost), sum(unpriced), greatest(max(cost), 0), greatest(max(requests), 0), sum(late),
      sum(backfilled), sum(requests), sum(tokens), count(*)
    from costs group by 1, 2`.execute(transaction);
  await sql`
    insert into anomaly_customers as known (customer_id, first_hour)
    select customer_id, min(window_start) from anomaly_hours where window_start = ${hours} group by 1 order by 1
    on conflict (customer_id) do update set first_hour = excluded.first_hour
      where excluded.first_hour < known.first_hour`.execute(transaction);
  await sumDays(transaction, [...new Set(starts.map((start) => start.toISOString().slice(0, 10)))]);
  await sql`
    insert into anomaly_summed_hours (window_start, event_version, price_book_version, summed_at)
    select *, ${book.version}, ${now}::timestamptz from unnest(${starts.map((start) => start.toISOString())}::timestamptz[],
      ${due.map((hour) => String(hour.event_version))}::bigint[])
    on conflict (window_start) do update set event_version = excluded.event_version,
      price_book_version = excluded.price_book_version, summed_at = excluded.summed_at, judged_at = null`.execute(
    transaction,
  );
}

async function sumDays(transaction: LedgerTransaction, days: readonly string[]): Promise<void> {
  await sql`delete from anomaly_days where day = any(${[...days]}::date[])`.execute(transaction);
  await sql`
    insert into anomaly_days (day, customer_id, cost_pico_usd, top_user_cost_pico_usd, top_user_request_count, request_count)
    select day, customer_id, sum(cost_pico_usd), max(top_user_cost_pico_usd), max(top_user_request_count), sum(request_count)
    from unnest(${[...days]}::date[]) as day
    join anomaly_hours as hour on hour.window_start >= day::timestamp at time zone 'UTC'
      and hour.window_start < (day + 1)::timestamp at time zone 'UTC'
    group by 1, 2`.execute(transaction);
}
