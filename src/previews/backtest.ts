import { sql } from 'kysely';
import {
  type BacktestRow,
  type DailyLines,
  type PlayedDay,
  playMonths,
  summarizeBacktest,
} from '../../pricing/previews/backtest.ts';
import { projectionHistoryStart } from '../../pricing/previews/days.ts';
import { getCustomer } from '../catalog/customers.ts';
import { DAY_MS, type TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { type LedgerSnapshot, readSnapshot } from '../platform/database/snapshot.ts';
import { belongsTo } from '../usage/hours/queries.ts';
import { countedColumn } from '../usage/name-keys.ts';

export interface Backtest {
  /** Months that are over, the first of them first. */
  months: TimeWindow[];
  customerCount: number;
  rows: BacktestRow[];
}

/**
 * The last months projected again, of all customers or of one, a customer at a time. A line is a model and a token type.
 * What was settled late since counts as if it had been known: days are taken as they are in the ledger now.
 * @throws TallystickError UNKNOWN_CUSTOMER
 */
export async function backtestProjections(
  database: LedgerDatabase,
  { now, monthCount, customerId }: { now: Date; monthCount: number; customerId: string | undefined },
): Promise<Backtest> {
  const months = monthsBefore(now, monthCount);
  const [first, last] = [months[0]?.start ?? now, months.at(-1)?.end ?? now];
  const window = { start: projectionHistoryStart(first, first), end: last };
  return await readSnapshot(database, async (snapshot) => {
    if (customerId !== undefined) await getCustomer(snapshot, customerId);
    const customerIds = customerId === undefined ? await readCustomerIds(snapshot) : [customerId];
    const openDays = await readOpenDays(snapshot, window);
    const played: PlayedDay[] = [];
    let customerCount = 0;
    for (const id of customerIds) {
      const lines = await readDailyLines(snapshot, id, window);
      if (lines.length > 0) customerCount += 1;
      played.push(...playMonths(lines, months, openDays));
    }
    return { months, customerCount, rows: summarizeBacktest(played) };
  });
}

/** Calendar months in UTC. */
function monthsBefore(now: Date, count: number): TimeWindow[] {
  const monthAt = (offset: number) => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + offset, 1));
  return Array.from({ length: count }, (_, place) => ({
    start: monthAt(place - count),
    end: monthAt(place - count + 1),
  }));
}

async function readCustomerIds(snapshot: LedgerSnapshot): Promise<string[]> {
  const rows = await snapshot.selectFrom('customers').select('customer_id').orderBy('customer_id').execute();
  return rows.map((row) => row.customer_id);
}

async function readOpenDays(snapshot: LedgerSnapshot, window: TimeWindow): Promise<Set<number>> {
  const rows = await snapshot
    .selectFrom('settlements')
    .select('window_start')
    .where('status', '=', 'open')
    .where('window_start', '>=', window.start)
    .where('window_start', '<', window.end)
    .execute();
  return new Set(rows.map((row) => Math.floor(row.window_start.getTime() / DAY_MS) * DAY_MS));
}

async function readDailyLines(
  snapshot: LedgerSnapshot,
  customerId: string,
  window: TimeWindow,
): Promise<DailyLines> {
  const result = await sql<{ model: string; token_type: string; day: Date; token_count: bigint }>`
    select ${countedColumn('model', 'usage')} as model, usage.token_type,
           date_trunc('day', usage.window_start, 'UTC') as day, sum(usage.delta_token_count)::bigint as token_count
      from hourly_usage as usage
     where usage.window_start >= ${window.start} and usage.window_start < ${window.end}
       and ${belongsTo(customerId)}
     group by 1, 2, 3 order by 1, 2, 3`.execute(snapshot);
  const byLine = Map.groupBy(result.rows, (row) => JSON.stringify([row.model, row.token_type]));
  return [...byLine.values()].map((rows) => new Map(rows.map((row) => [row.day.getTime(), row.token_count])));
}
