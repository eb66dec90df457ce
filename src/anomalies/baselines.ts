import { sql } from 'kysely';
import { type HourUsage, NO_USAGE } from '../../pricing/anomalies/hour.ts';
import type { DayPeaks, HourBefore } from '../../pricing/anomalies/judge-hour.ts';
import { RULES } from '../../pricing/anomalies/rules.ts';
import { addMs, DAY_MS, HOUR_MS } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';

/** A customer with usage in an hour, beside all that either rule holds against it. */
export interface JudgedCustomer {
  customerId: string;
  hour: HourUsage;
  backfilledCostPicoUsd: bigint;
  /** Null: the hour costs too little to be looked at by the robust rule. */
  before: HourBefore | null;
  historyDays: number;
  /** Its day so far, and the days before. */
  dayCostPicoUsd: bigint;
  dayCostsBefore: bigint[];
  /** Of a mean day of the last two weeks. */
  usualDayPicoUsd: bigint;
}

interface Row {
  customer_id: string;
  usage: string;
  backfilled: string;
  first_hour: Date;
  samples: string | null;
  days: string | null;
  day_cost: string;
}

const USAGE = sql`concat_ws(':', cost_pico_usd, top_user_cost_pico_usd, top_user_request_count, late_cost_pico_usd,
  request_count, token_count, user_count)`;

/**
 * Every customer with usage in an hour, with its baselines: one statement over kept sums, of which it reads the same hour of
 * 14 days and eight weeks, and 30 days.
 * @param leastCostPicoUsd hours that cost less get no samples: they cannot matter to the robust rule
 */
export async function readBaselines(
  database: LedgerDatabase,
  hour: Date,
  leastCostPicoUsd: bigint,
): Promise<JudgedCustomer[]> {
  const back = (days: number) => addMs(hour, -days * DAY_MS).getTime();
  const ofHour = Array.from({ length: RULES.sameHourDays }, (_, place) => back(place + 1));
  const ofWeekday = Array.from({ length: RULES.sameWeekdayWeeks }, (_, place) => back(7 * (place + 1)));
  const starts = [...new Set([...ofHour, ...ofWeekday])].map((start) => new Date(start).toISOString());
  const day = hour.toISOString().slice(0, 10);
  const hoursOfDay = Array.from({ length: hour.getUTCHours() + 1 }, (_, place) =>
    addMs(hour, -place * HOUR_MS).toISOString(),
  );
  const result = await sql<Row>`
    with judged as materialized (
      select customer_id, ${USAGE} as usage, backfilled_cost_pico_usd::text as backfilled, cost_pico_usd
      from anomaly_hours where window_start = ${hour}),
    samples as (
      select sample.customer_id, string_agg(concat_ws(':', extract(epoch from window_start)::bigint, ${USAGE}), ' ') as samples
      from anomaly_hours as sample
      where window_start = any(${starts}::timestamptz[])
        and customer_id in (select customer_id from judged where cost_pico_usd >= ${String(leastCostPicoUsd)}::numeric)
      group by 1),
    so_far as (
      select customer_id, sum(cost_pico_usd)::text as day_cost from anomaly_hours
      where window_start = any(${hoursOfDay}::timestamptz[]) and customer_id in (select customer_id from judged)
      group by 1),
    days as (
      select day.customer_id, string_agg(concat_ws(':', ${day}::date - day, cost_pico_usd, top_user_cost_pico_usd,
        top_user_request_count), ' ') as days
      from anomaly_days as day
      where day < ${day}::date and day >= ${day}::date - ${RULES.baselineDays}::int
        and customer_id in (select customer_id from judged)
      group by 1)
    select customer_id, usage, backfilled, first_hour, samples, days, day_cost
    from judged join anomaly_customers using (customer_id) join so_far using (customer_id) left join samples using (customer_id)
    left join days using (customer_id) order by customer_id`.execute(database);
  return result.rows.map((row) => toJudged(row, hour, { ofHour, ofWeekday, leastCostPicoUsd }));
}

function toJudged(
  row: Row,
  hour: Date,
  {
    ofHour,
    ofWeekday,
    leastCostPicoUsd,
  }: { ofHour: readonly number[]; ofWeekday: readonly number[]; leastCostPicoUsd: bigint },
): JudgedCustomer {
  const samples = new Map(
    words(row.samples).map((text) => {
      const [at = '', ...usage] = text.split(':');
      return [Number(at) * 1_000, toUsage(usage)];
    }),
  );
  const first = row.first_hour.getTime();
  const at = (starts: readonly number[]) =>
    starts.filter((start) => start >= first).map((start) => samples.get(start) ?? NO_USAGE);
  const firstDay = Math.floor(first / DAY_MS);
  const historyDayCount = Math.min(RULES.baselineDays, Math.floor(hour.getTime() / DAY_MS) - firstDay);
  const days = new Map(words(row.days).map((text) => toDay(text)));
  const before = Array.from(
    { length: Math.max(0, historyDayCount) },
    (_, place) => days.get(place + 1) ?? NO_DAY,
  );
  const lastTwoWeeks = before.slice(0, 14);
  const historyDays = Math.floor((hour.getTime() - first) / DAY_MS);
  const usage = toUsage(row.usage.split(':'));
  return {
    customerId: row.customer_id,
    hour: usage,
    backfilledCostPicoUsd: BigInt(row.backfilled),
    before:
      usage.costPicoUsd < leastCostPicoUsd
        ? null
        : { sameWeekday: at(ofWeekday), sameHour: at(ofHour), peaks: before, historyDays },
    historyDays,
    dayCostPicoUsd: BigInt(row.day_cost),
    dayCostsBefore: before.map(({ costPicoUsd }) => costPicoUsd),
    usualDayPicoUsd:
      lastTwoWeeks.reduce((sum, { costPicoUsd }) => sum + costPicoUsd, 0n) /
      BigInt(Math.max(1, lastTwoWeeks.length)),
  };
}

const words = (text: string | null) => (text === null || text === '' ? [] : text.split(' '));

function toUsage([
  cost = '0',
  topCost = '0',
  topRequests = '0',
  late = '0',
  requests = '0',
  tokens = '0',
  users = '0',
]: string[]): HourUsage {
  return {
    costPicoUsd: BigInt(cost),
    topUserCostPicoUsd: BigInt(topCost),
    topUserRequestCount: BigInt(topRequests),
    lateCostPicoUsd: BigInt(late),
    requestCount: BigInt(requests),
    tokenCount: BigInt(tokens),
    userCount: Number(users),
  };
}

type KeptDay = DayPeaks & { costPicoUsd: bigint };
const NO_DAY: KeptDay = { costPicoUsd: 0n, topUserCostPicoUsd: 0n, topUserRequestCount: 0n };

function toDay(text: string): [number, KeptDay] {
  const [place = '0', cost = '0', topCost = '0', topRequests = '0'] = text.split(':');
  return [
    Number(place),
    {
      costPicoUsd: BigInt(cost),
      topUserCostPicoUsd: BigInt(topCost),
      topUserRequestCount: BigInt(topRequests),
    },
  ];
}
