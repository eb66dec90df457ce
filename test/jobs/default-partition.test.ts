import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { type LedgerDatabase, openLedger } from '../../src/platform/database/database.ts';
import { ensurePartitions, type ItemTable } from '../../src/usage/collection/partitions.ts';
import { dropItemDay } from '../../src/usage/collection/retention.ts';
import { findKnownItems } from '../../src/usage/collection/source-items.ts';
import { createTestLedger } from '../setup/ledger.ts';
import { hasPgBouncer, startTestPgBouncer } from '../setup/pgbouncer.ts';
import { balance, openPipeline, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';
import { addRows, strangeRow } from '../setup/strange-rows.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
/** One day beyond the days whose partitions are made ahead, when the pipelines start. */
const FAR_MS = START_MS + 402 * DAY_MS;
const FAR_DAY = dayOf(FAR_MS);

async function open(options: Parameters<typeof openPipeline>[0] = {}): Promise<Pipeline> {
  const pipeline = await openPipeline(options);
  cleanups.push(() => pipeline.close());
  return pipeline;
}

/** How many items of a day lie in which partition. */
async function placesOf(database: LedgerDatabase, table: ItemTable, day: string) {
  const rows = await sql<{ place: string; count: number }>`
    select tableoid::regclass::text as place, count(*)::int as count from ${sql.id(table)}
    where event_day = ${day}::date group by 1 order by 1`.execute(database);
  return rows.rows.map((row) => [row.place, row.count]);
}

const partition = (table: ItemTable, day: string) => `${table}_${day.replaceAll('-', '')}`;

/** Items of a day as an earlier run left them, without a partition of their own. */
async function putItems(
  database: LedgerDatabase,
  table: ItemTable,
  day: string,
  count: number,
  name = 'item',
) {
  const facts = sql`${day}::date, ${name}::text || '-' || n, 'Prompt Tokens', ${day}::timestamp at time zone 'UTC', now(),
    'user-00001', 'northwind', 'chat', 'gpt-4o', 'gpt-4o-global', 'prompt', 1, 1`;
  const columns = sql`event_day, source_item_id, metric_name, event_time, ingested_at, subject, tenant_key, feature, model,
    deployment, token_kind, token_count, request_count`;
  await (table === 'source_items'
    ? sql`insert into source_items (${columns}, usage_event_id, collection_window_id)
          select ${facts}, 'ue_' || n, 1 from generate_series(1, ${count}::int) n`
    : sql`insert into control_items (${columns}, source, collected_at)
          select ${facts}, 'control', now() from generate_series(1, ${count}::int) n`
  ).execute(database);
}

describe('a row dated far in the future', () => {
  const at = (hour: number) => new Date(START_MS + hour * HOUR_MS);
  const lastDays = [new Date(Date.UTC(9999, 11, 31)), new Date(Date.UTC(9998, 11, 31))] as const;
  const rows = [
    strangeRow({ eventTime: new Date(FAR_MS), ingestedAt: at(1) }),
    strangeRow({ eventTime: lastDays[0], ingestedAt: at(1) }),
    strangeRow({ eventTime: lastDays[1], ingestedAt: at(1) }),
    strangeRow({ eventTime: new Date(FAR_MS + 1), ingestedAt: at(100), sum: 7 }),
    strangeRow({ eventTime: lastDays[0], ingestedAt: at(100) }),
  ];

  it.each([
    ['source_items', {}],
    ['control_items', { usageSource: 'llm-log', controlSource: 'metrics' }],
  ] as const)(
    'moves into its partition once there is one (%s), and stops nothing',
    async (table, sources) => {
      const pipeline = await open(sources);
      const { deps } = pipeline;
      const { database } = deps;
      if (deps.control === undefined) deps.source = addRows(deps.source, rows);
      else deps.control = addRows(deps.control, rows);
      const collect = async () => await pipeline.run('collect-usage', 'collect-control');
      pipeline.advance(2);
      await collect();
      expect(await placesOf(database, table, FAR_DAY)).toEqual([[`${table}_default`, 1]]);
      pipeline.traffic.inject(makeCall({ hour: 99 }));
      pipeline.advance(101);
      await collect();
      expect(await placesOf(database, table, FAR_DAY)).toEqual([[partition(table, FAR_DAY), 2]]);
      expect(await placesOf(database, table, '9999-12-31')).toEqual([[`${table}_default`, 2]]);
      expect(await placesOf(database, table, '9998-12-31')).toEqual([[`${table}_default`, 1]]);
      expect(await placesOf(database, table, dayOf(+at(99)))).toHaveLength(1);
    },
  );

  it('is still known when it is told again, and keeps its number in quarantine', async () => {
    const pipeline = await open();
    const { deps } = pipeline;
    deps.source = addRows(deps.source, rows);
    pipeline.advance(2);
    await pipeline.run('collect-usage');
    const items = async () => await deps.database.selectFrom('source_items').selectAll().execute();
    const before = await items();
    pipeline.advance(101);
    await pipeline.run('collect-usage');
    await deps.database.deleteFrom('watermarks').execute();
    await pipeline.run('collect-usage', 'rescan-usage');
    const after = await items();
    expect(after).toHaveLength(5);
    expect(after).toEqual(expect.arrayContaining(before));
    expect((await balance(pipeline)).byReason).toEqual({ absurd_time: 407n });
  });
});

describe('making a partition of which items lie in the default one', () => {
  const now = new Date(START_MS);
  const days = Array.from({ length: 6 }, (_, index) => dayOf(START_MS + index * DAY_MS));

  it.each(['source_items', 'control_items'] as const)(
    'moves all of them, whoever writes and makes at the same time (%s)',
    { timeout: 60_000 },
    async (table) => {
      const ledger = await createTestLedger();
      cleanups.push(() => ledger.close());
      await makeAtOnce([ledger.database, ledger.database], table);
    },
  );

  it.runIf(hasPgBouncer())('works behind PgBouncer', { timeout: 60_000 }, async () => {
    const ledger = await createTestLedger();
    cleanups.push(() => ledger.close());
    const pooler = await startTestPgBouncer(ledger.databaseUrl, 3);
    cleanups.push(() => pooler.stop());
    const databases = [1, 2].map(() =>
      openLedger({ databaseUrl: pooler.databaseUrl, maxConnectionCount: 5 }),
    );
    cleanups.push(async () => void (await Promise.all(databases.map((database) => database.destroy()))));
    await makeAtOnce(databases, 'source_items');
  });

  async function makeAtOnce(databases: LedgerDatabase[], table: ItemTable): Promise<void> {
    const [first] = databases;
    if (first === undefined) throw new RangeError('no database');
    await putItems(first, table, days[0] ?? '', 20_000);
    for (const day of days.slice(1)) await putItems(first, table, day, 100);
    // Writers who do not know of the partitions, such as one whose clock stands elsewhere. One that was about to write
    // into the default partition is refused and comes again.
    const late = days.map(async (day) => {
      const write = async () => await putItems(first, table, day, 1, 'late');
      await write().catch(async (error) => {
        expect(error).toMatchObject({ code: '23514' });
        await write();
      });
    });
    await Promise.all([
      ...late,
      // Each with a memory of its own of what there is.
      ...databases.map((database) => ensurePartitions(database.withoutPlugins(), table, days, now)),
      ...databases.map((database) =>
        ensurePartitions(database.withoutPlugins(), table, days.toReversed(), now),
      ),
    ]);
    for (const [index, day] of days.entries())
      expect(await placesOf(first, table, day)).toEqual([
        [partition(table, day), index === 0 ? 20_001 : 101],
      ]);
    await expect(putItems(first, table, days[0] ?? '', 1)).rejects.toMatchObject({ code: '23505' });
  }
});

describe('items in the default partition', () => {
  it('go with the retention, though their day never had a partition', async () => {
    const pipeline = await open({
      usageSource: 'llm-log',
      controlSource: 'metrics',
      settings: { itemRetentionDays: 40 },
    });
    const { database } = pipeline.deps;
    const old = dayOf(START_MS - 500 * DAY_MS);
    await putItems(database, 'source_items', old, 3);
    await putItems(database, 'control_items', old, 2);
    pipeline.traffic.inject(makeCall({}));
    await pipeline.tick(2);
    await pipeline.tick(46);
    expect(await placesOf(database, 'source_items', old)).toEqual([]);
    expect(await placesOf(database, 'control_items', old)).toEqual([]);
    const kept = await database.selectFrom('dropped_item_days').select(['event_day', 'item_count']).execute();
    expect(kept).toEqual([{ event_day: old, item_count: 3n }]);
  });

  it('are counted or stay, when one is written while its day is dropped', async () => {
    const pipeline = await open();
    const { database } = pipeline.deps;
    const old = dayOf(START_MS - 500 * DAY_MS);
    await putItems(database, 'source_items', old, 3);
    let written = () => {};
    const isWritten = new Promise<void>((resolve) => {
      written = resolve;
    });
    let commit = () => {};
    const mayCommit = new Promise<void>((resolve) => {
      commit = resolve;
    });
    const writer = database.transaction().execute(async (transaction) => {
      await putItems(transaction, 'source_items', dayOf(START_MS - 501 * DAY_MS), 1);
      written();
      await mayCommit;
    });
    await isWritten;
    // Somebody is writing to where the day lies: nobody can say that what is summed is what is deleted.
    const result = await dropItemDay(database, old, new Date(START_MS)).finally(commit);
    await writer;
    expect(result).toEqual({ dropped: false, reason: 'busy' });
    expect(await dropItemDay(database, old, new Date(START_MS))).toMatchObject({
      dropped: true,
      itemCount: 3,
    });
  });

  it('of many days that cannot go do not keep younger ones from going', { timeout: 60_000 }, async () => {
    const pipeline = await open({ settings: { itemRetentionDays: 40 } });
    const { database } = pipeline.deps;
    pipeline.traffic.inject(makeCall({}));
    await pipeline.tick(2);
    await pipeline.tick(46);
    const stuck = Array.from({ length: 101 }, (_, index) => dayOf(START_MS - (600 - index) * DAY_MS));
    for (const day of stuck) {
      await putItems(database, 'source_items', day, 1);
      await sql`insert into settlements (window_start, status) values (${day}::timestamp at time zone 'UTC', 'open')`.execute(
        database,
      );
    }
    await putItems(database, 'source_items', dayOf(START_MS - 450 * DAY_MS), 1);
    expect((await pipeline.run('drop-old-items'))['drop-old-items']).toMatchObject({
      droppedDayCount: 1,
      pendingDayCount: 101,
    });
  });
});

describe('a ledger of many days', () => {
  it('is asked for known items in the partitions of their days alone', async () => {
    const ledger = await createTestLedger();
    cleanups.push(ledger.close);
    const days = ['2026-11-01', '2026-11-02', '2026-11-03', '2026-11-04'];
    await ensurePartitions(ledger.database, 'source_items', new Set(days), new Date('2026-11-05T00:00:00Z'));
    await putItems(ledger.database, 'source_items', '2026-11-02', 2);
    const items = ['item-1', 'item-3'].map((sourceItemId) => ({
      eventDay: '2026-11-02',
      row: { sourceItemId, metricName: 'Prompt Tokens' },
    }));
    await ledger.database.transaction().execute(async (transaction) => {
      expect([...(await findKnownItems(transaction, items)).values()]).toEqual(['settled']);
      // What is planned is locked: of other days nothing is opened.
      const locked = await sql<{ name: string }>`
        select c.relname as name from pg_locks l join pg_class c on c.oid = l.relation
        where l.pid = pg_backend_pid() and c.relkind = 'r' and c.relname like 'source_items%'`.execute(
        transaction,
      );
      expect(locked.rows).toEqual([{ name: partition('source_items', '2026-11-02') }]);
    });
  });
});
