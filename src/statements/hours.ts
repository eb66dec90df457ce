import { sql } from 'kysely';
import { type Breakdown, breakDown, type GroupShare } from '../../pricing/statements/statement.ts';
import { daySlices, isBilledPush, unnestDays } from '../billing/day-slices.ts';
import { addMs, DAY_MS, HOUR_MS, type TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import type { Statement } from './decide.ts';
import { groupIdOfRow, sharesBy } from './groups.ts';
import { periodsOfGroups } from './spans.ts';
import { readUnpushedStatementUsage } from './usage.ts';

/** Tokens of a statement's group in one hour. */
interface HourUsage {
  stripeMeterId: string;
  periodStart: Date;
  periodEnd: Date;
  hour: Date;
  tokenCount: bigint;
}

/** What an hour of a day comes to; null: some of it has no price yet. */
export type HourAmounts = ReadonlyMap<number, bigint | null>;

/**
 * Amounts of the hours of a day, by when each begins: they sum to the day's row in the statement's own table of days.
 * @param isOpen whether usage that no push carries yet is of it
 */
export async function divideHours(
  database: LedgerDatabase,
  statement: Statement,
  { day, isOpen }: { day: string; isOpen: boolean },
): Promise<HourAmounts> {
  const usage = await readHourUsage(database, statement, { day, isOpen });
  const shares: GroupShare[] = usage.map((row) => ({
    groupId: groupIdOfRow(row),
    value: String(row.hour.getTime()),
    tokenCount: row.tokenCount,
  }));
  const { rows } = breakDown(groupsOfDay(statement, day), shares);
  const unpriced = new Set(
    statement.groups
      .filter(({ lines }) => lines.some(({ amountMinor }) => amountMinor === null))
      .map(({ groupId }) => groupId),
  );
  const unknown = new Set(shares.filter(({ groupId }) => unpriced.has(groupId)).map(({ value }) => value));
  return new Map(
    rows.map(({ value, amountMinor }) => [Number(value), unknown.has(value) ? null : amountMinor]),
  );
}

/** Each group with what its day has of it. */
function groupsOfDay({ groups, usage }: Statement, day: string) {
  const byGroup = Map.groupBy(usage, groupIdOfRow);
  return groups.flatMap((group) => {
    const days: Breakdown = breakDown(
      [group],
      sharesBy(byGroup.get(group.groupId) ?? [], (row) => row.day),
    );
    const own = days.rows.find(({ value }) => value === day);
    return own === undefined ? [] : [{ ...group, tokenCount: own.tokenCount, amountMinor: own.amountMinor }];
  });
}

async function readHourUsage(
  database: LedgerDatabase,
  statement: Statement,
  { day, isOpen }: { day: string; isOpen: boolean },
): Promise<HourUsage[]> {
  const { customerId } = statement.head;
  const start = new Date(`${day}T00:00:00Z`);
  const rows: HourUsage[] = [];
  for (const period of periodsOfGroups(statement)) {
    const within = daySlices(period).find((slice) => slice.start.toISOString().startsWith(day));
    if (within === undefined) continue;
    const pushed = await readPushedHours(database, customerId, within, start);
    const waiting = isOpen
      ? (await readUnpushedStatementUsage(database, customerId, within, { unit: 'hour' })).usage
      : [];
    for (const row of [...pushed, ...waiting.map((one) => ({ ...one, hour: new Date(`${one.day}:00:00Z`) }))])
      rows.push({ ...row, periodStart: period.start, periodEnd: period.end });
  }
  return rows;
}

async function readPushedHours(
  database: LedgerDatabase,
  customerId: string,
  within: TimeWindow,
  start: Date,
): Promise<HourUsage[]> {
  const { rows } = await sql<HourUsage>`
    select push.stripe_meter_id as "stripeMeterId", day.period_start as "periodStart", day.period_end as "periodEnd",
      usage.window_start as hour, sum(usage.delta_token_count)::bigint as "tokenCount"
    from hourly_usage usage
    join meter_pushes push on push.meter_push_id = usage.meter_push_id
    join ${unnestDays([within])} as day
      on push.event_timestamp >= day.slice_start and push.event_timestamp < day.slice_end
    where usage.customer_id = ${customerId} and ${isBilledPush('push')}
      and usage.window_start > ${addMs(start, -HOUR_MS)} and usage.window_start < ${addMs(start, DAY_MS)}
    group by 1, 2, 3, 4`.execute(database);
  return rows;
}
