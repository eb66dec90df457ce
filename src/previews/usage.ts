import { type RawBuilder, sql } from 'kysely';
import { modelKey } from '../../pricing/usage/names.ts';
import { unnestDays, unnestSlices } from '../billing/day-slices.ts';
import { type Fingerprinted, isStale, readFingerprints } from '../billing/day-sums.ts';
import { boundMeter } from '../catalog/bound-meter.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { billedAt } from '../usage/hours/hour-parts.ts';
import { belongsTo } from '../usage/hours/queries.ts';

export interface MeterUsage {
  /** Null: no binding matches. */
  stripeMeterId: string | null;
  model: string;
  feature: string;
  state: 'delivered' | 'pending' | 'refused' | 'unpushed';
  /** UTC day in which it was used. */
  day: Date;
  /** Whether the previewed period bills it; else it is history. */
  inPeriod: boolean;
  tokenCount: bigint;
}

export interface QuarantinedUsage {
  reason: string;
  hour: Date;
  tokenCount: bigint;
}

export interface PreviewUsageRows {
  usage: MeterUsage[];
  quarantined: QuarantinedUsage[];
}

interface PreviewRead {
  period: TimeWindow;
  /** First day of usage that is read for the projection alone. */
  historyStart: Date;
  /** Rows of `hourly_usage` that lines hold as late usage: they are not told as waiting. */
  takenUpIds?: readonly bigint[];
  /** Of the days of `previewPeriods`, in the same snapshot; read if they are not at hand. */
  days?: readonly Fingerprinted[];
}

/**
 * The customer's settled usage by day since `historyStart` or the period's start: by the meter it was pushed to or,
 * when it was not yet, by the meter that its binding names; and the period's usage that waits in quarantine, by hour.
 * What was pushed belongs to the period of its meter event, because that decides it at Stripe; what was not, to the
 * period of the event that its push will send.
 *
 * Days are summed once and kept (`refreshStatementSlices`, before this). The sums are read, however old, and everything that they
 * do not say from the rows: in a snapshot, because which days have changed is read first.
 */
export async function readPreviewUsage(
  database: LedgerDatabase,
  customerId: string,
  read: PreviewRead,
): Promise<PreviewUsageRows> {
  const { period } = read;
  const periods = previewPeriods(read);
  const days = read.days ?? (await readFingerprints(database, customerId, periods)).days;
  const changed = days.filter((day) => isStale(day));
  const result = await sql<{
    stripe_meter_id: string | null;
    model: string;
    feature: string;
    state: MeterUsage['state'];
    quarantine_reason: string | null;
    slot: Date;
    in_period: boolean;
    token_count: bigint;
  }>`
    with day as materialized (
      select given.slice_start, given.slice_end, given.period_start = ${period.start}::timestamptz as in_period,
             (given.slice_start, given.slice_end) not in (select * from ${unnestSlices(changed)}) as is_summed
        from ${unnestDays(periods)} as given
    )
    select stripe_meter_id, model, feature, state, quarantine_reason, slot, in_period, sum(token_count)::bigint as token_count
      from (${summedDays(customerId)} union all ${otherStates(customerId)}
            ${changed.length === 0 ? sql`` : sql`union all ${changedDays(customerId)}`}
            union all ${unpushed(customerId, read)} union all ${quarantined(customerId, read)}) as usage
     group by 1, 2, 3, 4, 5, 6, 7
    having sum(token_count) <> 0 or not bool_or(is_moved)
     order by model, feature, state, stripe_meter_id, slot`.execute(database);
  const usage: MeterUsage[] = [];
  const waiting: QuarantinedUsage[] = [];
  for (const row of result.rows) {
    if (row.quarantine_reason === null) {
      usage.push({
        stripeMeterId: row.stripe_meter_id,
        model: modelKey(row.model),
        feature: row.feature,
        state: row.state,
        day: row.slot,
        inPeriod: row.in_period,
        tokenCount: row.token_count,
      });
    } else {
      waiting.push({ reason: row.quarantine_reason, hour: row.slot, tokenCount: row.token_count });
    }
  }
  return { usage, quarantined: waiting };
}

/** The history and the period, whose days are kept summed. */
export function previewPeriods({ period, historyStart }: PreviewRead): TimeWindow[] {
  return historyStart < period.start ? [{ start: historyStart, end: period.start }, period] : [period];
}

const DAY_OF = (column: string) => sql`date_trunc('day', ${sql.ref(column)}, 'UTC')`;

/** Days as they were summed, all of it taken for delivered. */
function summedDays(customerId: string): RawBuilder<unknown> {
  return sql`
    select usage.stripe_meter_id, usage.model, usage.feature, 'delivered' as state, null as quarantine_reason,
           ${DAY_OF('day.slice_start')} as slot, day.in_period, usage.token_count::numeric as token_count, false as is_moved
      from day
      join statement_usage as usage on usage.customer_id = ${customerId}
       and usage.slice_start = day.slice_start and usage.slice_end = day.slice_end
     where day.is_summed`;
}

/** Of those days: what is still on its way is taken out again and counted as such; what was refused is not in the sums. */
function otherStates(customerId: string): RawBuilder<unknown> {
  return sql`
    select push.stripe_meter_id, usage.model, usage.feature, counted.state, null,
           ${DAY_OF('push.window_start')}, day.in_period, counted.sign * usage.delta_token_count, counted.sign < 0
      from meter_pushes as push
      join day on day.is_summed and push.event_timestamp >= day.slice_start and push.event_timestamp < day.slice_end
      join hourly_usage as usage on usage.meter_push_id = push.meter_push_id
      join (values ('pending', 'pending', 1), ('pending', 'delivered', -1), ('refused', 'refused', 1))
        as counted(status, state, sign) on counted.status = push.status
     where push.customer_id = ${customerId} and push.status in ('pending', 'refused') and push.written_off_at is null`;
}

/** Days whose pushes have changed since they were summed: from the rows. Mostly there is none. */
function changedDays(customerId: string): RawBuilder<unknown> {
  return sql`
    select push.stripe_meter_id, usage.model, usage.feature, push.status, null,
           ${DAY_OF('push.window_start')}, day.in_period, usage.token_count, false
      from day
      cross join lateral (
        select meter_push_id, model, feature, sum(delta_token_count) as token_count
          from hourly_usage
         where customer_id = ${customerId} and meter_push_id is not null
           and window_start > day.slice_start - interval '1 hour' and window_start < day.slice_end
         group by meter_push_id, model, feature
      ) as usage
      join meter_pushes as push using (meter_push_id)
     where not day.is_summed and push.written_off_at is null
       and push.event_timestamp >= day.slice_start and push.event_timestamp < day.slice_end`;
}

/** What no push carries yet. It is little, unless Stripe has been away, and has indexes of its own. */
function unpushed(customerId: string, { period, historyStart }: PreviewRead): RawBuilder<unknown> {
  const billed = billedAt('usage', { customerId: sql`${customerId}`, meterAlias: 'meter' });
  return sql`
    select stripe_meter_id, model, feature, 'unpushed', null, ${DAY_OF('window_start')},
           instant >= ${period.start} and instant < ${period.end}, token_count, false
      from (
        select binding.stripe_meter_id, usage.model, usage.feature, usage.window_start, ${billed} as instant,
               usage.token_count
          from (
            select window_start, part_start_minute, model, feature, token_type, sum(delta_token_count) as token_count
              from hourly_usage as usage
             where window_start > least(${period.start}::timestamptz, ${historyStart}::timestamptz) - interval '1 hour'
               and window_start < ${period.end}
               and ${belongsTo(customerId)} and meter_push_id is null and quarantine_reason is null
             group by window_start, part_start_minute, model, feature, token_type
          ) as usage
          left join lateral (${boundMeter('usage')}) as binding on true
          left join stripe_meters as meter on meter.stripe_meter_id = binding.stripe_meter_id
      ) as usage
     where (instant >= ${period.start} and instant < ${period.end}) or window_start >= ${historyStart}`;
}

function quarantined(customerId: string, { period, takenUpIds = [] }: PreviewRead): RawBuilder<unknown> {
  const isLate =
    takenUpIds.length === 0 ? sql`false` : sql`hourly_usage_id = any(${takenUpIds.map(String)}::bigint[])`;
  const instant = sql`window_start + make_interval(mins => part_start_minute)`;
  return sql`
    select null, '', '', 'unpushed', quarantine_reason, window_start, true, delta_token_count, false
      from hourly_usage as usage
     where window_start > ${period.start}::timestamptz - interval '1 hour' and window_start < ${period.end}
       and ${instant} >= ${period.start} and ${instant} < ${period.end}
       and ${belongsTo(customerId)} and quarantine_reason is not null and written_off_at is null
       and not ${isLate}`;
}
