import { sql, type Updateable } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CloseChain } from '../../pricing/closing/collection.ts';
import { buildQueryText } from '../../src/azure/query-templates.ts';
import { type Certified, readCertifiedWindows } from '../../src/closing/certified-windows.ts';
import { readCloseChains } from '../../src/closing/chains.ts';
import { proveWindows } from '../../src/closing/window-proof.ts';
import { addMs, HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import type { Ledger } from '../../src/platform/database/schema/schema.ts';
import { readSnapshot } from '../../src/platform/database/snapshot.ts';
import { ensurePartitions } from '../../src/usage/collection/partitions.ts';
import { dropOldWindows } from '../../src/usage/collection/window-retention.ts';
import { insertInvoice } from '../api/statement-world.ts';
import { insertCatalog } from '../api/world.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';
import { addWindow } from '../setup/windows.ts';

const START = new Date('2026-10-01T00:00:00Z');
const PERIOD_END = new Date('2026-11-01T00:00:00Z');
let ledger: TestLedger;
beforeEach(async () => {
  ledger = await createTestLedger();
});
afterEach(() => ledger.close());

/** A window of so many hours after the start, and as wide. */
function add(
  hour: number,
  changes: { source?: string; by?: 'ingestion' | 'event'; hours?: number; rows?: number } = {},
) {
  const { source = 'app-metrics', by = 'ingestion', hours = 1, rows = 10 } = changes;
  const window = { start: addMs(START, hour * HOUR_MS), end: addMs(START, (hour + hours) * HOUR_MS) };
  return addWindow(ledger.database, {
    source,
    cursorKind: by,
    window,
    rowCount: rows,
    newRowCount: Math.floor(rows / 2),
    usageEventCount: 1,
    collectedAt: addMs(window.end, 10 * MINUTE_MS),
    recipe: { template: 'recorded/1', parameters: '{"text":"T | where at >= {start+0}"}' },
  });
}

async function certify(from: Date): Promise<Certified & { collection: { chains: CloseChain[] } }> {
  const chains = (await readCloseChains(ledger.database, [from])).get(from.getTime()) ?? [];
  return { invoiceId: 'in_1', periodStart: from, periodEnd: PERIOD_END, collection: { chains } };
}

const prove = (certified: Certified) =>
  readSnapshot(ledger.database, (snapshot) => proveWindows(snapshot, certified, buildQueryText));

describe('the chain of windows', () => {
  it('holds when many commit at once, each source and cursor by itself', async () => {
    await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        add(index, {
          source: index % 3 === 0 ? 'llm-log' : 'app-metrics',
          by: index % 5 === 0 ? 'event' : 'ingestion',
        }),
      ),
    );
    const certified = await certify(new Date(0));
    expect(certified.collection.chains.map((chain) => [chain.source, chain.by, chain.windowCount])).toEqual([
      ['app-metrics', 'event', '8'],
      ['app-metrics', 'ingestion', '32'],
      ['llm-log', 'event', '4'],
      ['llm-log', 'ingestion', '16'],
    ]);
    expect(await prove(certified)).toEqual({
      verdict: 'intact',
      certifiedWindowCount: '60',
      provenWindowCount: '60',
    });
  });

  it('gives a period the windows from the first that reached into it, and their sums', async () => {
    const hours = [0, 1, 2, 3, 4, 5, 6];
    for (const hour of hours) await add(hour, { rows: 2 ** hour });
    // A rescan looks back; what it finds comes later in the chain.
    await add(1, { hours: 2, rows: 1_000 });
    await add(7, { rows: 128 });
    const starts = [-1, 0, 0.5, 1, 3, 6.5, 7.5, 9].map((hour) => addMs(START, hour * HOUR_MS));
    const found = await readCloseChains(ledger.database, starts);
    expect(
      starts.map((start) =>
        found.get(start.getTime())?.map(({ windowCount, rowCount }) => [windowCount, rowCount]),
      ),
    ).toEqual([
      [['9', '1255']],
      [['9', '1255']],
      [['9', '1255']],
      [['8', '1254']],
      [['6', '1248']],
      [['3', '1192']],
      [['1', '128']],
      [],
    ]);
    expect(await prove(await certify(addMs(START, 3 * HOUR_MS)))).toMatchObject({
      verdict: 'intact',
      provenWindowCount: '6',
    });
  });

  it('proves what was certified however much comes after', async () => {
    for (let hour = 0; hour < 6; hour += 1) await add(hour);
    const certified = await certify(addMs(START, 2 * HOUR_MS));
    await add(6);
    expect(await prove(certified)).toEqual({
      verdict: 'intact',
      certifiedWindowCount: '4',
      provenWindowCount: '4',
    });
  });

  it.each<[string, (database: LedgerDatabase) => Promise<unknown>]>([
    ['a count', (database) => change(database, 4n, { row_count: 11 })],
    ['an end', (database) => change(database, 6n, { window_end: PERIOD_END })],
    ['a digest', (database) => change(database, 5n, { digest: Buffer.alloc(32) })],
    ['the first digest', (database) => change(database, 2n, { digest: Buffer.alloc(32) })],
    [
      'a query',
      (database) => database.updateTable('collection_queries').set({ parameters: '{"text":"T"}' }).execute(),
    ],
    ['a window that is gone', (database) => removeWindow(database, 5n)],
    ['the last one that is gone', (database) => removeWindow(database, 6n)],
  ])('shows that something was changed: %s', async (_, damage) => {
    for (let hour = 0; hour < 6; hour += 1) await add(hour);
    const certified = await certify(addMs(START, 2 * HOUR_MS));
    expect(await prove(certified)).toMatchObject({ verdict: 'intact' });
    await damage(ledger.database);
    expect(await prove(certified)).toMatchObject({ verdict: 'altered' });
  });
});

const change = (
  database: LedgerDatabase,
  position: bigint,
  values: Updateable<Ledger['collection_windows']>,
) => database.updateTable('collection_windows').set(values).where('chain_position', '=', position).execute();
const removeWindow = (database: LedgerDatabase, position: bigint) =>
  database.deleteFrom('collection_windows').where('chain_position', '=', position).execute();

describe('windows older than the retention', () => {
  const drop = (hour: number, limit = 100) =>
    dropOldWindows(ledger.database, { collectedBefore: addMs(START, hour * HOUR_MS), limit });

  it('go in bounded steps, and what is left is proven from the checkpoint', async () => {
    for (let hour = 0; hour < 10; hour += 1) await add(hour);
    for (let hour = 0; hour < 3; hour += 1) await add(hour, { by: 'event' });
    const whole = await certify(addMs(START, HOUR_MS));
    const later = await certify(addMs(START, 7 * HOUR_MS));
    expect(whole.collection.chains.map(({ windowCount }) => windowCount)).toEqual(['2', '9']);
    // Collected ten minutes after their end: those of hours 0 to 4.
    expect(await drop(5.5, 2)).toBe(4);
    expect(await drop(5.5, 2)).toBe(3);
    expect(await drop(5.5)).toBe(1);
    expect(await drop(5.5)).toBe(0);
    expect(await prove(whole)).toEqual({
      verdict: 'dropped',
      certifiedWindowCount: '11',
      provenWindowCount: '5',
    });
    expect(await prove(later)).toMatchObject({ verdict: 'intact', provenWindowCount: '3' });
    const left = await readCertifiedWindows(ledger.database, whole, {
      from: { chain: 0, after: 0n },
      limit: 100,
    });
    expect(left.map(({ window }) => [window.cursorKind, window.position])).toEqual(
      [6n, 7n, 8n, 9n, 10n].map((position) => ['ingestion', position]),
    );
    // The chain goes on, and its sums with it.
    await add(10);
    const now = await certify(addMs(START, 7 * HOUR_MS));
    expect(now.collection.chains.map(({ windowCount, rowCount }) => [windowCount, rowCount])).toEqual([
      ['4', '40'],
    ]);
    expect(await prove(now)).toMatchObject({ verdict: 'intact' });
    await change(ledger.database, 6n, { row_count: 11 });
    expect(await prove(whole)).toMatchObject({ verdict: 'altered' });
  });

  it('stay while a close under way rests on them, and while their items are there', async () => {
    const { database } = ledger;
    for (let hour = 0; hour < 100; hour += 10) await add(hour);
    await insertCatalog(database);
    await insertInvoice(database, { id: 'in_1', status: 'draft' });
    await sql`insert into closes (invoice_id, customer_id, subscription_id, currency, period_start, period_end, state, found_at, state_at)
      values ('in_1', 'northwind', 'sub_1', 'usd', ${addMs(START, 25 * HOUR_MS)}, ${PERIOD_END}, 'found', ${PERIOD_END}, ${PERIOD_END})`.execute(
      database,
    );
    // Those of hours 0, 10 and 20 end before its period.
    expect(await drop(1_000)).toBe(3);
    await sql`update closes set ended_at = ${PERIOD_END}, state = 'left_alone'`.execute(database);
    // Items of a day are found two days before it at the earliest, if clocks differ.
    await ensurePartitions(database, 'source_items', ['2026-10-05'], START);
    expect(await drop(1_000)).toBe(2);
    await sql`insert into dropped_item_days (event_day, item_count, token_count, dropped_at) values ('2026-10-05', 0, 0, ${PERIOD_END})`.execute(
      database,
    );
    expect(await drop(1_000)).toBe(5);
  });
});
