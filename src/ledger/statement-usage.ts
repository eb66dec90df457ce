import { sql } from 'kysely';
import type { TimeWindow } from '../clock.ts';
import { boundMeter } from './bound-meter.ts';
import type { LedgerDatabase } from './database.ts';
import { billedAt } from './hour-parts.ts';
import type { TokenType } from './schema.ts';
import { unnestDays } from './statement-days.ts';

/** Tokens of one meter and day, as a statement divides them. */
export interface StatementUsage {
  stripeMeterId: string;
  /** Start of the period that bills them. */
  periodStart: Date;
  /** UTC, `YYYY-MM-DD`. */
  day: string;
  tokenType: TokenType;
  model: string;
  feature: string;
  tokenCount: bigint;
}

/** Tokens of one meter and user in a period. */
export interface StatementUserUsage {
  stripeMeterId: string;
  periodStart: Date;
  subject: string;
  tokenCount: bigint;
}

export interface StatementUsageRows {
  usage: StatementUsage[];
  users: StatementUserUsage[];
}

/** The sums that `refreshStatementSlices` has just brought up to date. */
export async function readStatementUsage(
  database: LedgerDatabase,
  customerId: string,
  periods: readonly TimeWindow[],
): Promise<StatementUsageRows> {
  if (periods.length === 0) return { usage: [], users: [] };
  const [usage, users] = await Promise.all([
    sql<StatementUsage>`
      select stripe_meter_id as "stripeMeterId", day.period_start as "periodStart",
        to_char(usage.slice_start at time zone 'UTC', 'YYYY-MM-DD') as day, token_type as "tokenType", model, feature,
        token_count as "tokenCount"
      from ${unnestDays(periods)} as day join statement_usage usage on usage.customer_id = ${customerId}
        and usage.slice_start = day.slice_start and usage.slice_end = day.slice_end`.execute(database),
    sql<StatementUserUsage>`
      select stripe_meter_id as "stripeMeterId", period.period_start as "periodStart", subject, token_count as "tokenCount"
      from ${unnestPeriods(periods)} as period join statement_users usage on usage.customer_id = ${customerId}
        and usage.slice_start = period.period_start and usage.slice_end = period.period_end`.execute(
      database,
    ),
  ]);
  return { usage: usage.rows, users: users.rows };
}

/**
 * Settled usage of a period that no push carries yet, by the meter that its binding names; usage that waits in
 * quarantine is not among it. It is little, unless Stripe has been away.
 */
export async function readUnpushedStatementUsage(
  database: LedgerDatabase,
  customerId: string,
  period: TimeWindow,
): Promise<StatementUsageRows> {
  const rows = await sql<StatementUsage & { subject: string }>`
    select binding.stripe_meter_id as "stripeMeterId", ${period.start}::timestamptz as "periodStart",
      to_char(usage.window_start at time zone 'UTC', 'YYYY-MM-DD') as day, usage.token_type as "tokenType", usage.model,
      usage.feature, usage.subject, sum(usage.delta_token_count)::bigint as "tokenCount"
    from hourly_usage usage
    join subjects on subjects.subject = usage.subject and subjects.customer_id = ${customerId}
    cross join lateral (${boundMeter('usage')}) as binding
    join stripe_meters meter on meter.stripe_meter_id = binding.stripe_meter_id
    where usage.meter_push_id is null and usage.quarantine_reason is null
      and usage.window_start > ${period.start}::timestamptz - interval '1 hour' and usage.window_start < ${period.end}
      and ${billedAt('usage', { customerId: sql`${customerId}`, meterAlias: 'meter' })} >= ${period.start}
      and ${billedAt('usage', { customerId: sql`${customerId}`, meterAlias: 'meter' })} < ${period.end}
    group by 1, 2, 3, 4, 5, 6, 7`.execute(database);
  return {
    usage: rows.rows.map(({ subject: _, ...row }) => row),
    users: rows.rows.map(({ stripeMeterId, periodStart, subject, tokenCount }) => ({
      stripeMeterId,
      periodStart,
      subject,
      tokenCount,
    })),
  };
}

function unnestPeriods(periods: readonly TimeWindow[]) {
  return sql`(select * from unnest(${periods.map(({ start }) => start.toISOString())}::timestamptz[],
    ${periods.map(({ end }) => end.toISOString())}::timestamptz[]) as given(period_start, period_end))`;
}
