import { sql } from 'kysely';
import { modelKey } from '../../pricing/usage/names.ts';
import type { TokenType } from '../../pricing/usage/shape.ts';
import { billedUsage, daySlices, unnestDays, unnestSlices } from '../billing/day-slices.ts';
import { type Fingerprints, isSame, isStale, readFingerprints, sliceKey } from '../billing/day-sums.ts';
import { boundMeter } from '../catalog/bound-meter.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { billedAt } from '../usage/hours/hour-parts.ts';

/** Tokens of one meter and day, as a statement divides them. */
export interface StatementUsage {
  stripeMeterId: string;
  /** The period that bills them. */
  periodStart: Date;
  periodEnd: Date;
  /** UTC, `YYYY-MM-DD`. */
  day: string;
  tokenType: TokenType;
  model: string;
  feature: string;
  tokenCount: bigint;
}

/** Tokens of one meter and user in a period. */
interface StatementUserUsage {
  stripeMeterId: string;
  periodStart: Date;
  periodEnd: Date;
  subject: string;
  tokenCount: bigint;
}

export interface StatementUsageRows {
  usage: StatementUsage[];
  users: StatementUserUsage[];
}

/**
 * What the pushes of these periods bill: of days whose pushes are those that were summed (`refreshStatementSlices`, before
 * this) from the sums, of the others from the rows. So it is right within a snapshot, however old the sums are.
 * @param known of these periods and perhaps others, from the same snapshot; read if it is not at hand
 */
export async function readStatementUsage(
  database: LedgerDatabase,
  customerId: string,
  periods: readonly TimeWindow[],
  known?: Fingerprints,
): Promise<StatementUsageRows> {
  if (periods.length === 0) return { usage: [], users: [] };
  const { days, wholes } = known ?? (await readFingerprints(database, customerId, periods));
  const own = new Set(periods.flatMap(daySlices).map(sliceKey));
  const changed = days.filter((day) => own.has(sliceKey(day)) && isStale(day, { users: true }));
  const unchanged =
    changed.length === 0
      ? sql`true`
      : sql`(usage.slice_start, usage.slice_end) not in (select * from ${unnestSlices(changed)})`;
  const usage = await sql<StatementUsage>`
      select stripe_meter_id as "stripeMeterId", day.period_start as "periodStart", day.period_end as "periodEnd",
        to_char(usage.slice_start at time zone 'UTC', 'YYYY-MM-DD') as day, token_type as "tokenType", model, feature,
        token_count as "tokenCount"
      from ${unnestDays(periods)} as day join statement_usage usage on usage.customer_id = ${customerId}
        and usage.slice_start = day.slice_start and usage.slice_end = day.slice_end and ${unchanged}`.execute(
    database,
  );
  // Users are summed by period as well; where that sum is old, their days are read.
  const isSummed = (period: TimeWindow) => wholes.some((whole) => isSame(whole, period) && !isStale(whole));
  const summed = periods.filter(isSummed);
  const others = periods.filter((period) => !isSummed(period));
  const users = await sql<StatementUserUsage>`
      select stripe_meter_id as "stripeMeterId", period.period_start as "periodStart", period.period_end as "periodEnd", subject, token_count as "tokenCount"
      from (select period_start, period_end, period_start as slice_start, period_end as slice_end from ${unnestPeriods(summed)} as whole
        union all select period_start, period_end, slice_start, slice_end from ${unnestDays(others)} as day) as period
      join statement_users usage on usage.customer_id = ${customerId}
        and usage.slice_start = period.slice_start and usage.slice_end = period.slice_end and ${unchanged}`.execute(
    database,
  );
  const counted = usage.rows.map(nameCounted);
  if (changed.length === 0) return { usage: counted, users: users.rows };
  const since = await sql<StatementUsage & { subject: string }>`
      select usage.stripe_meter_id as "stripeMeterId", day.period_start as "periodStart", day.period_end as "periodEnd",
        to_char(usage.slice_start at time zone 'UTC', 'YYYY-MM-DD') as day, usage.token_type as "tokenType", usage.model,
        usage.feature, usage.subject, usage.token_count::bigint as "tokenCount"
      from (${billedUsage(customerId, changed, { users: true })}) as usage
      join ${unnestDays(periods)} as day on day.slice_start = usage.slice_start and day.slice_end = usage.slice_end`.execute(
    database,
  );
  const more = divideRows(since.rows);
  return { usage: [...counted, ...more.usage], users: [...users.rows, ...more.users] };
}

/**
 * Settled usage of a period that no push carries yet, by the meter that its binding names; usage that waits in
 * quarantine is not among it. It is little, unless Stripe has been away.
 * @param of `unit`: with `hour` a row's `day` says the hour, too (`YYYY-MM-DDTHH`)
 */
export async function readUnpushedStatementUsage(
  database: LedgerDatabase,
  customerId: string,
  period: TimeWindow,
  { subject, unit = 'day' }: { subject?: string; unit?: 'day' | 'hour' } = {},
): Promise<StatementUsageRows> {
  const form = unit === 'day' ? 'YYYY-MM-DD' : 'YYYY-MM-DD"T"HH24';
  const rows = await sql<StatementUsage & { subject: string }>`
    select binding.stripe_meter_id as "stripeMeterId", ${period.start}::timestamptz as "periodStart", ${period.end}::timestamptz as "periodEnd",
      to_char(usage.window_start at time zone 'UTC', ${form}::text) as day, usage.token_type as "tokenType", usage.model,
      usage.feature, usage.subject, sum(usage.delta_token_count)::bigint as "tokenCount"
    from hourly_usage usage
    join subjects on subjects.subject = usage.subject and subjects.customer_id = ${customerId}
    cross join lateral (${boundMeter('usage')}) as binding
    join stripe_meters meter on meter.stripe_meter_id = binding.stripe_meter_id
    where usage.meter_push_id is null and usage.quarantine_reason is null
      and ${subject === undefined ? sql`true` : sql`usage.subject = ${subject}`}
      and usage.window_start > ${period.start}::timestamptz - interval '1 hour' and usage.window_start < ${period.end}
      and ${billedAt('usage', { customerId: sql`${customerId}`, meterAlias: 'meter' })} >= ${period.start}
      and ${billedAt('usage', { customerId: sql`${customerId}`, meterAlias: 'meter' })} < ${period.end}
    group by 1, 2, 3, 4, 5, 6, 7, 8`.execute(database);
  return divideRows(rows.rows);
}

/** Sums keep the name under which the hour was counted; a statement shows a model once. */
function nameCounted(row: StatementUsage): StatementUsage {
  return { ...row, model: modelKey(row.model) };
}

export function divideRows(rows: readonly (StatementUsage & { subject: string })[]): StatementUsageRows {
  return {
    usage: rows.map(({ subject: _, ...row }) => nameCounted(row)),
    users: rows.map(({ stripeMeterId, periodStart, periodEnd, subject, tokenCount }) => ({
      stripeMeterId,
      periodStart,
      periodEnd,
      subject,
      tokenCount,
    })),
  };
}

function unnestPeriods(periods: readonly TimeWindow[]) {
  return sql`(select * from unnest(${periods.map(({ start }) => start.toISOString())}::timestamptz[],
    ${periods.map(({ end }) => end.toISOString())}::timestamptz[]) as given(period_start, period_end))`;
}
