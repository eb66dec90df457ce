import { sql } from 'kysely';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createRandom } from '../../sandbox/random.ts';
import { refreshStatementSlices } from '../../src/billing/day-sums.ts';
import { previewPeriods, readPreviewUsage } from '../../src/previews/usage.ts';
import { insertCatalog, insertUsage } from '../api/world.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

const CUSTOMER = 'northwind';
/** Begins in the middle of a day, so that history and period share one. */
const PERIOD = { start: new Date('2026-11-05T15:00:00Z'), end: new Date('2026-11-12T15:00:00Z') };
const READ = {
  period: PERIOD,
  historyStart: new Date('2026-11-01T00:00:00Z'),
  now: new Date('2026-11-12T00:00:00Z'),
};
const HOURS = 11 * 24;

let ledger: TestLedger;
beforeEach(async () => {
  ledger = await createTestLedger();
  await insertCatalog(ledger.database);
});
afterEach(() => ledger.close());

/** What was pushed, from its rows alone: by no sum that is kept, and by no statement of the house. */
async function countPushed() {
  const { rows } = await sql<{ key: string; tokens: bigint }>`
    select concat_ws(' ', p.stripe_meter_id, h.model, h.feature, p.status, to_char(h.window_start at time zone 'UTC', 'YYYY-MM-DD'),
        p.event_timestamp >= ${PERIOD.start}) as key, sum(h.delta_token_count)::bigint as tokens
    from hourly_usage h join meter_pushes p using (meter_push_id)
    where h.customer_id = ${CUSTOMER} and p.written_off_at is null
      and p.event_timestamp >= ${READ.historyStart} and p.event_timestamp < ${PERIOD.end}
    group by 1 order by 1`.execute(ledger.database);
  return rows;
}

function pushedOf({ usage }: Awaited<ReturnType<typeof readPreviewUsage>>) {
  return usage
    .filter(({ state }) => state !== 'unpushed')
    .map((row) => ({
      key: [
        row.stripeMeterId,
        row.model,
        row.feature,
        row.state,
        row.day.toISOString().slice(0, 10),
        row.inPeriod ? 't' : 'f',
      ].join(' '),
      tokens: row.tokenCount,
    }))
    .sort((left, right) => (left.key < right.key ? -1 : 1));
}

/** Pushes of any state, in any hour of history and period. */
async function push(random: () => number, count: number): Promise<void> {
  const pick = <Value>(values: readonly Value[]) => values[Math.floor(random() * values.length)] as Value;
  for (let index = 0; index < count; index += 1) {
    await insertUsage(ledger.database, [
      {
        hour: new Date(READ.historyStart.getTime() + Math.floor(random() * HOURS) * 3_600_000).toISOString(),
        subject: pick(['user-1', 'user-2']),
        model: pick(['gpt-4o', 'gpt-4o-mini']),
        feature: pick(['chat', 'search']),
        revision: index + 1,
        tokens: BigInt(Math.floor(random() * 1_000) - 100),
        push: {
          meterId: pick(['mtr_prompt', 'mtr_completion']),
          status: pick(['pending', 'delivered', 'refused']),
        },
      },
    ]);
  }
}

it('says of pushed usage what its rows say, whatever becomes of pushes and however old the sums are', async () => {
  const { database } = ledger;
  const random = createRandom(20_261_122);
  const change = (from: string, set: string) =>
    sql`update meter_pushes set ${sql.raw(set)} where meter_push_id in (
      select meter_push_id from meter_pushes where status = ${from} order by hashint8(meter_push_id) limit 7)`.execute(
      database,
    );
  const steps: (() => Promise<unknown>)[] = [
    () => push(random, 120),
    () => change('pending', "status = 'delivered'"),
    () => change('delivered', "status = 'refused'"),
    () => change('refused', 'written_off_at = now()'),
    () => change('refused', "status = 'pending'"),
    () => push(random, 40),
    () => change('pending', 'written_off_at = now()'),
    () => change('pending', "status = 'delivered'"),
  ];
  const summed: number[] = [];
  for (const step of steps) {
    await step();
    const expected = await countPushed();
    expect(expected.length).toBeGreaterThan(20);
    // First by sums of before the change, then by new ones, then by those of before again.
    expect(pushedOf(await readPreviewUsage(database, CUSTOMER, READ))).toEqual(expected);
    await refreshStatementSlices(database, CUSTOMER, {
      periods: previewPeriods(READ),
      now: READ.now,
      usersOf: [],
    });
    expect(pushedOf(await readPreviewUsage(database, CUSTOMER, READ))).toEqual(expected);
    summed.push(
      await refreshStatementSlices(database, CUSTOMER, { periods: [PERIOD], now: READ.now, usersOf: [] }),
    );
  }
  expect(summed).toEqual(steps.map(() => 0));
});

it('leaves the users of a statement to be summed when one is asked for', async () => {
  const { database } = ledger;
  await push(createRandom(20_261_122), 160);
  const refresh = { periods: [PERIOD], now: READ.now };
  expect(await refreshStatementSlices(database, CUSTOMER, { ...refresh, usersOf: [PERIOD] })).toBeGreaterThan(
    0,
  );
  expect(await refreshStatementSlices(database, CUSTOMER, { ...refresh, usersOf: [PERIOD] })).toBe(0);
  const { rows } = await sql<{ users: bigint; usage: bigint }>`
    select (select sum(token_count) from statement_users where slice_start >= ${PERIOD.start} and slice_end < ${PERIOD.end})::bigint as users,
      (select sum(token_count) from statement_usage where slice_start >= ${PERIOD.start} and slice_end < ${PERIOD.end})::bigint as usage`.execute(
    database,
  );
  expect(rows[0]?.users).toBe(rows[0]?.usage);
  const before = await readPreviewUsage(database, CUSTOMER, READ);
  expect(await refreshStatementSlices(database, CUSTOMER, { ...refresh, usersOf: [PERIOD] })).toBe(0);
  expect(pushedOf(before)).toEqual(await countPushed());
});
