import { sql } from 'kysely';
import { sayAmount } from '../../pricing/alerts/amounts.ts';
import type { FactsOf } from '../../pricing/alerts/facts.ts';
import { PICO_DIGITS } from '../../pricing/money.ts';
import type { RollupRow } from '../costs/rollups/query.ts';
import { readRollupRows } from '../costs/rollups/rows.ts';
import { readRollupScope } from '../costs/rollups/scope.ts';
import { knownCostOf, marginOf } from '../costs/rollups/show.ts';
import { readRollupTotals } from '../costs/rollups/totals.ts';
import { addMs, type TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';

const MOST_MOVERS = 5;
/** Less than a unit of money is no news. */
const LEAST_CHANGE_PICO = 10n ** BigInt(PICO_DIGITS);

/** What a time brought, beside as long a time before: whole UTC days, one customer's or everybody's. */
export async function gatherDigest(
  database: LedgerDatabase,
  { window, customerId, now }: { window: TimeWindow; customerId: string | null; now: Date },
): Promise<FactsOf<'digest'>> {
  return await readSnapshot(database, async (snapshot) => {
    const before = {
      start: addMs(window.start, window.start.getTime() - window.end.getTime()),
      end: window.start,
    };
    const filter = customerId === null ? {} : { customerId };
    const scope = await readRollupScope(snapshot, { window, filter, now });
    const totals = await readRollupTotals(snapshot, scope, before);
    const page = {
      groupBy: ['customer', 'feature', 'model'] as const,
      before,
      after: null,
      offset: 0,
      limit: MOST_MOVERS,
      withDays: false,
    };
    const moved = [];
    for (const descending of [true, false]) {
      const { rows } = await readRollupRows(snapshot, {
        ...scope,
        ...page,
        sort: { by: 'costChange', descending },
      });
      moved.push(...rows);
    }
    const margin = marginOf(totals);
    const revenue = totals.revenuePicoUsd;
    return {
      from: window.start.toISOString(),
      until: window.end.toISOString(),
      // Capacity that nobody used is in what the time before cost, and so it is here.
      cost: sayAmount(knownCostOf(totals) + totals.idleCostPicoUsd, 'usd'),
      costBefore: totals.costBeforePicoUsd === null ? null : sayAmount(totals.costBeforePicoUsd, 'usd'),
      revenue: revenue === null ? null : sayAmount(revenue, 'usd'),
      marginPermille:
        margin === null || revenue === null || revenue === 0n ? null : Number((margin * 1_000n) / revenue),
      movers: await sayMovers(snapshot, moved),
      ...(await readWaiting(snapshot, { window, customerId })),
    };
  });
}

/** The largest first, each once. */
async function sayMovers(
  snapshot: LedgerTransaction,
  rows: readonly RollupRow[],
): Promise<FactsOf<'digest'>['movers']> {
  const changeOf = (row: RollupRow) => knownCostOf(row) - (row.costBeforePicoUsd ?? 0n);
  const size = (row: RollupRow) => (changeOf(row) < 0n ? -changeOf(row) : changeOf(row));
  const largest = [...new Map(rows.map((row) => [JSON.stringify(row.dimensions), row])).values()]
    .filter((row) => size(row) >= LEAST_CHANGE_PICO)
    .toSorted((left, right) => (size(left) > size(right) ? -1 : 1))
    .slice(0, MOST_MOVERS);
  const ids = largest.map(({ dimensions }) => dimensions.customer ?? '');
  const { rows: named } = await sql<{ id: string; name: string | null }>`
    select customer_id as id, name from customers where customer_id = any(${ids}::text[])`.execute(snapshot);
  const names = new Map(named.map(({ id, name }) => [id, name ?? id]));
  return largest.map((row) => {
    const { customer = '', feature = '', model = '' } = row.dimensions;
    const change = changeOf(row);
    return {
      name: customer === '' ? 'usage of nobody' : (names.get(customer) ?? customer),
      what: [feature, model].filter((part) => part !== '').join(' on '),
      cost: sayAmount(knownCostOf(row), 'usd'),
      change: `${change > 0n ? '+' : ''}${sayAmount(change, 'usd')}`,
    };
  });
}

/** What stands and nobody acknowledged, and how much was told of. */
async function readWaiting(
  snapshot: LedgerTransaction,
  { window, customerId }: { window: TimeWindow; customerId: string | null },
): Promise<Pick<FactsOf<'digest'>, 'waits' | 'alertCount'>> {
  const ofCustomer = customerId === null ? sql`true` : sql`customer_id = ${customerId}`;
  const { rows } = await sql<{ what: string; count: bigint }>`
    select kind as what, count(distinct facts -> 'invoiceId') filter (where kind = 'held_invoice')
        + count(*) filter (where kind <> 'held_invoice') as count
    from alerts where is_standing and ended_at is null and acknowledged_at is null and ${ofCustomer} group by 1 order by 1`.execute(
    snapshot,
  );
  const { rows: told } = await sql<{ count: bigint }>`
    select count(*) as count from alerts where raised_at >= ${window.start} and raised_at < ${window.end} and ${ofCustomer}
      and kind not in ('digest', 'storm', 'test') and withdraws_alert_id is null`.execute(snapshot);
  return {
    waits: rows.map(({ what, count }) => ({ what: what.replaceAll('_', ' '), count: Number(count) })),
    alertCount: Number(told[0]?.count ?? 0n),
  };
}
