import { createHash } from 'node:crypto';
import type pg from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { buildRowQuery } from '../../src/azure/kql.ts';
import { buildRequestQuery } from '../../src/azure/kql-llm-log.ts';
import { buildQueryText } from '../../src/azure/query-templates.ts';
import type { SourceQuery } from '../../src/azure/source.ts';
import { readCertifiedWindows } from '../../src/closing/certified-windows.ts';
import { proveWindows } from '../../src/closing/window-proof.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { readSnapshot } from '../../src/platform/database/snapshot.ts';
import { type EarlierLedger, openLedgerBefore } from '../setup/earlier-ledger.ts';
import { addWindow } from '../setup/windows.ts';

const CHAINING = /_window_chain\.sql$/;
const DIMENSIONS = { subject: 'u "1"', tenant: 't', feature: 'f', model: 'm', deployment: 'd' };
const PERIOD = { start: '2026-10-01T00:00:00.000Z', end: '2026-11-01T00:00:00.000Z' };

let ledger: EarlierLedger;
let client: pg.Client;
let database: LedgerDatabase;

/** A ledger as it was before windows were chained. */
beforeEach(async () => {
  ledger = await openLedgerBefore(CHAINING);
  ({ client, database } = ledger);
});
afterEach(() => ledger.close());

interface OldWindow {
  source: string;
  by: SourceQuery['by'];
  window: SourceQuery['window'];
  rowCount: number;
  text: string;
}

/** Texts as the collector wrote them, and some that no template of ours makes. */
function oldWindows(): OldWindow[] {
  const at = (text: string, ms = 0) => new Date(Date.parse(text) + ms);
  const windows: OldWindow[] = [];
  for (let hour = 0; hour < 40; hour += 1) {
    const window = {
      start: at('2026-09-30T20:00:00Z', hour * 1_234_567),
      end: at('2026-09-30T20:00:00Z', (hour + 1) * 1_234_567),
    };
    const by = hour % 9 === 5 ? ('event' as const) : ('ingestion' as const);
    const query = {
      window,
      by,
      rowLimit: 10_000,
      ...(hour % 7 === 3 ? { partition: { count: 4, index: 2 } } : {}),
    };
    const metrics = buildRowQuery({ schema: 'AppMetrics', dimensions: DIMENSIONS }, query);
    windows.push({ source: 'app-metrics', by, window, rowCount: hour, text: metrics });
    const requests = buildRequestQuery(query, 15 * 60_000);
    windows.push({ source: 'llm-log', by, window, rowCount: 1, text: requests });
  }
  const window = { start: at('2026-10-02T00:00:00Z'), end: at('2026-10-02T06:00:00Z') };
  for (const text of [
    'AppMetrics | where x == "{start+0}" and t < datetime(2026-10-02T06:00:00.000Z)',
    'as it was\tin "older" versions \\ äö \u{1f600} datetime(2026-10-02T00:00:00Z)',
    '',
  ])
    windows.push({ source: 'app-metrics', by: 'ingestion', window, rowCount: 5, text });
  return windows;
}

async function insertOld(windows: readonly OldWindow[]): Promise<void> {
  for (const { source, by, window, rowCount, text } of windows) {
    await client.query(
      `insert into collection_windows (source, cursor_kind, window_start, window_end, row_count, new_row_count,
        usage_event_count, query_text, collected_at) values ($1, $2, $3, $4, $5, 1, 1, $6, $4)`,
      [source, by, window.start, window.end, rowCount, text],
    );
  }
}

/** As certificates of format 1 were made. */
function certifyTexts(windows: readonly OldWindow[], source: string) {
  const own = windows.filter(
    ({ source: name, by, window }) =>
      name === source &&
      window.end > new Date(PERIOD.start) &&
      (by === 'ingestion' || window.start < new Date(PERIOD.end)),
  );
  const hash = createHash('sha256');
  for (const { window, text } of own)
    hash.update(`${window.start.toISOString()} ${window.end.toISOString()} ${text}\n`);
  return { source, windowCount: String(own.length), windowsSha256: hash.digest('hex') };
}

it('windows of before keep their texts to the byte, and certificates over them verify', async () => {
  const windows = oldWindows();
  await insertOld(windows);
  await ledger.migrate();
  const certified = {
    invoiceId: 'in_1',
    periodStart: new Date(PERIOD.start),
    periodEnd: new Date(PERIOD.end),
  };
  for (const source of ['app-metrics', 'llm-log']) {
    const all = {
      ...certified,
      periodStart: new Date(0),
      collection: { source, windowCount: '0', windowsSha256: '' },
    };
    const page = await readCertifiedWindows(database, all, { from: { chain: 0, after: 0n }, limit: 1_000 });
    expect(
      page.map(({ window: { recipe, window, cursorKind: by } }) => buildQueryText(recipe, { window, by })),
    ).toEqual(windows.filter((one) => one.source === source).map(({ text }) => text));
    const collection = certifyTexts(windows, source);
    expect(Number(collection.windowCount)).toBeGreaterThan(20);
    const prove = () =>
      readSnapshot(database, (snapshot) =>
        proveWindows(snapshot, { ...certified, collection }, buildQueryText),
      );
    expect(await prove()).toMatchObject({ verdict: 'intact', provenWindowCount: collection.windowCount });
    // What is collected afterwards is no part of an old certificate.
    await addWindow(database, {
      source,
      cursorKind: 'ingestion',
      window: { start: new Date('2026-10-05T00:00:00Z'), end: new Date('2026-10-05T01:00:00Z') },
      rowCount: 1,
      newRowCount: 1,
      usageEventCount: 1,
      collectedAt: new Date('2026-10-05T01:10:00Z'),
      recipe: { template: 'verbatim/1', parameters: '{"text":"later"}' },
    });
    expect(await prove()).toMatchObject({ verdict: 'intact' });
  }
  // Windows of the same shape share one row.
  const queries = await database.selectFrom('collection_queries').selectAll().execute();
  expect(queries.length).toBeLessThan(20);
  await client.query("update collection_queries set parameters = replace(parameters, '10001', '10002')");
  const collection = certifyTexts(windows, 'app-metrics');
  expect(
    await readSnapshot(database, (snapshot) =>
      proveWindows(snapshot, { ...certified, collection }, buildQueryText),
    ),
  ).toMatchObject({ verdict: 'altered' });
});

it('windows of before are in the chain as if they had been committed to it', async () => {
  await insertOld(oldWindows());
  await ledger.migrate();
  await addWindow(database, {
    source: 'app-metrics',
    cursorKind: 'ingestion',
    window: { start: new Date('2026-10-05T00:00:00Z'), end: new Date('2026-10-05T01:00:00Z') },
    rowCount: 3,
    newRowCount: 2,
    usageEventCount: 1,
    collectedAt: new Date('2026-10-05T01:10:00Z'),
    recipe: { template: 'verbatim/1', parameters: '{"text":"later"}' },
  });
  const { readCloseChains } = await import('../../src/closing/chains.ts');
  const chains = (await readCloseChains(database, [new Date(0)])).get(0) ?? [];
  expect(chains.map(({ source, by }) => `${source} ${by}`)).toEqual([
    'app-metrics event',
    'app-metrics ingestion',
    'llm-log event',
    'llm-log ingestion',
  ]);
  const certified = {
    invoiceId: 'in_1',
    periodStart: new Date(0),
    periodEnd: new Date(PERIOD.end),
    collection: { chains },
  };
  expect(
    await readSnapshot(database, (snapshot) => proveWindows(snapshot, certified, buildQueryText)),
  ).toEqual({ verdict: 'intact', certifiedWindowCount: '84', provenWindowCount: '84' });
});
