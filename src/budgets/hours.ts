import { sql } from 'kysely';
import { windowBefore } from '../../pricing/budgets/windows.ts';
import type { PriceBook } from '../../pricing/prices/price-book.ts';
import { readEventPrices } from '../anomalies/event-prices.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { sumTypedFigures, tokenParts } from '../usage/columns.ts';
import { countedColumn } from '../usage/name-keys.ts';
import { listBudgets } from './budgets.ts';
import { DUE_HOURS } from './due.ts';
import { readWindows } from './periods.ts';

/** So many hours are summed in one transaction. */
const BATCH = 24;

/**
 * From which hour on each budget is summed: from the window before the one that runs, but never from before the budget's first.
 * A budget that is new, or whose window lies before what is summed, has its hours summed anew.
 */
export async function placeBudgets(database: LedgerDatabase, now: Date): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    const budgets = await listBudgets(transaction);
    const windows = await readWindows(transaction, budgets, now);
    const placed = budgets.flatMap((budget) => {
      const window = windows.get(budget.budgetId);
      return window === undefined
        ? []
        : [{ id: budget.budgetId, start: window.start, before: windowBefore(budget, window).start }];
    });
    const ids = placed.map(({ id }) => id);
    const starts = placed.map(({ start }) => start.toISOString());
    const befores = placed.map(({ before }) => before.toISOString());
    const moved = sql`unnest(${ids}::text[], ${starts}::timestamptz[], ${befores}::timestamptz[])
      as moved(budget_id, starts_at, before_at)`;
    const anew = await sql<{ starts_at: Date }>`
      update budgets set summed_from = starts_at from ${moved}
      where budgets.budget_id = moved.budget_id and (summed_from is null or summed_from > starts_at)
      returning starts_at`.execute(transaction);
    await sql`update budgets set summed_from = before_at from ${moved}
              where budgets.budget_id = moved.budget_id and summed_from < before_at`.execute(transaction);
    const first = anew.rows.map((row) => row.starts_at.getTime());
    if (first.length > 0) {
      await sql`delete from budget_summed_hours where window_start >= ${new Date(Math.min(...first))}`.execute(
        transaction,
      );
    }
    await sql`delete from budget_hours as hour using budgets
              where budgets.budget_id = hour.budget_id and hour.window_start < summed_from`.execute(
      transaction,
    );
    await sql`delete from budget_summed_hours
              where window_start < (select min(summed_from) from budgets where ended_at is null)`.execute(
      transaction,
    );
  });
}

/** Usage that moved to another customer is summed again where it lies. */
export async function spreadMovedSubjects(database: LedgerDatabase): Promise<void> {
  await sql`
    with moved as (delete from budget_subjects_due returning subject)
    update budget_summed_hours as summed set event_version = 0
    from (select distinct event.window_start from moved join usage_events as event using (subject)
          where event.window_start >= (select min(window_start) from budget_summed_hours)) as hours
    where hours.window_start = summed.window_start`.execute(database);
}

/**
 * Sums what counts towards each budget in the hours that changed, the oldest first, and notes whose sums are others. What it reads
 * grows with what changed.
 * @returns how many hours
 */
export async function sumDueHours(
  database: LedgerDatabase,
  { book, changeId }: { book: PriceBook; changeId: bigint },
  signal?: AbortSignal,
): Promise<number> {
  for (let summedCount = 0; ; ) {
    signal?.throwIfAborted();
    const due = await sql<{ window_start: Date; event_version: bigint }>`
      select hour.window_start, hour.event_version from ${DUE_HOURS} order by hour.window_start limit ${BATCH}`.execute(
      database,
    );
    if (due.rows.length === 0) return summedCount;
    const hours = due.rows.map((hour) => hour.window_start);
    await database.transaction().execute(async (transaction) => {
      await sumHours(transaction, hours, book);
      await sql`
        insert into budget_summed_hours (window_start, event_version, price_change_id)
        select *, ${String(changeId)}::bigint from unnest(${hours.map((hour) => hour.toISOString())}::timestamptz[],
          ${due.rows.map((hour) => String(hour.event_version))}::bigint[])
        on conflict (window_start) do update
          set event_version = excluded.event_version, price_change_id = excluded.price_change_id`.execute(
        transaction,
      );
    });
    summedCount += hours.length;
  }
}

async function sumHours(
  transaction: LedgerTransaction,
  starts: readonly Date[],
  book: PriceBook,
): Promise<void> {
  const hours = sql`any(${starts.map((start) => start.toISOString())}::timestamptz[])`;
  const prices = await readEventPrices(transaction, { hours: starts, customerId: null, book });
  const key = sql`budget_id, customer_id, subject, window_start, payer_id, model, feature, token_type`;
  await sql`
    with priced as materialized (${prices}),
    events as materialized (
      select event.window_start, coalesce(subjects.customer_id, '') as customer_id, event.subject, event.feature, event.model,
        event.deployment, event.counted_formerly, false as may_disagree, ${sumTypedFigures('event')},
        sum(event.request_count) as request_count
      from usage_events as event left join subjects using (subject)
      where event.window_start = ${hours} and event.kind = 'usage'
      group by 1, 2, 3, 4, 5, 6, 7),
    parts as materialized (
      select event.window_start, event.customer_id, event.subject, event.feature, event.model, event.deployment,
        part.token_type, part.tokens
      from events as event, ${tokenParts('event')} where part.tokens <> 0),
    costs as (
      select part.window_start, customer_id, subject, feature, sum(part.tokens) as tokens,
        coalesce(sum(part.tokens * pico_usd), 0) as cost,
        coalesce(sum(part.tokens) filter (where pico_usd is null), 0) as unpriced
      from parts as part
      left join priced on priced.model = part.model and priced.deployment = part.deployment
        and priced.token_type = part.token_type and part.window_start >= starts_at and part.window_start < ends_at
      group by 1, 2, 3, 4),
    calls as (select window_start, customer_id, subject, feature, sum(request_count) as requests from events group by 1, 2, 3, 4),
    usage as materialized (
      select window_start, customer_id, subject, feature, requests, coalesce(tokens, 0) as tokens, coalesce(cost, 0) as cost,
        coalesce(unpriced, 0) as unpriced
      from calls left join costs using (window_start, customer_id, subject, feature)),
    live as materialized (select * from budgets where ended_at is null and summed_from is not null),
    keys as materialized (select distinct customer_id, subject, feature from usage),
    -- One join for each scope, so that each goes by its key.
    matched as materialized (
      select budget_id, keys.* from live cross join keys where scope = 'all'
      union all select budget_id, keys.* from live join keys using (customer_id) where scope = 'customer'
      union all select budget_id, keys.* from live join keys using (feature) where scope = 'feature'
      union all select budget_id, keys.* from live join keys using (customer_id, subject) where scope = 'user'),
    counted as (
      select budget_id, window_start, usage.customer_id, usage.subject, per_user, '' as payer_id, '' as model, '' as feature,
        '' as token_type, case measure when 'cost' then cost when 'tokens' then tokens else requests end as amount,
        case measure when 'cost' then unpriced else 0 end as unpriced
      from matched
      join usage using (customer_id, subject, feature)
      join live using (budget_id)
      where measure <> 'revenue' and window_start >= summed_from
      union all
      select budget_id, window_start, part.customer_id, part.subject, per_user, part.customer_id, ${countedColumn('model', 'part')},
        part.feature, token_type, tokens, 0
      from matched
      join parts as part using (customer_id, subject, feature)
      join live using (budget_id)
      where measure = 'revenue' and window_start >= summed_from),
    fresh as materialized (
      select budget_id, case when per_user then customer_id else '' end as customer_id,
        case when per_user then subject else '' end as subject, window_start, payer_id, model, feature, token_type,
        sum(amount) as amount, sum(unpriced) as unpriced
      from counted group by 1, 2, 3, 4, 5, 6, 7, 8 having sum(amount) <> 0 or sum(unpriced) <> 0),
    kept as (
      insert into budget_hours as hour (${key}, amount, unpriced_token_count)
      select ${key}, amount, unpriced from fresh
      on conflict (${key}) do update set amount = excluded.amount, unpriced_token_count = excluded.unpriced_token_count
        where (hour.amount, hour.unpriced_token_count) is distinct from (excluded.amount, excluded.unpriced_token_count)
      returning budget_id, customer_id, subject),
    gone as (
      delete from budget_hours as hour
      where window_start = ${hours} and not exists (
        select from fresh where (fresh.budget_id, fresh.customer_id, fresh.subject, fresh.window_start, fresh.payer_id,
          fresh.model, fresh.feature, fresh.token_type) = (hour.budget_id, hour.customer_id, hour.subject, hour.window_start,
          hour.payer_id, hour.model, hour.feature, hour.token_type))
      returning budget_id, customer_id, subject)
    insert into budget_holders_due (budget_id, customer_id, subject)
    select * from kept union select * from gone order by 1, 2, 3
    on conflict do nothing`.execute(transaction);
}
