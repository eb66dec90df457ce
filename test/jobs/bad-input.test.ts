import { afterEach, describe, expect, it } from 'vitest';
import type { TrafficRow } from '../../sandbox/traffic/row.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { readEvidenceSource } from '../../src/statements/evidence/event-rows.ts';
import { balance, openPipeline, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { dimensions, makeCall, makeRow } from '../setup/rows.ts';
import { addRows, strangeRow } from '../setup/strange-rows.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

/** Rows of the test, brought through all steps until nothing is due. */
async function bringThrough(rows: TrafficRow[]): Promise<void> {
  pipeline.traffic.inject(rows);
  for (let round = 0; round < 3; round += 1) await pipeline.tick(2);
}

async function reasonOf(itemId: string): Promise<string | null | undefined> {
  const item = await pipeline.deps.database
    .selectFrom('source_items')
    .select('quarantine_reason')
    .where('source_item_id', '=', itemId)
    .executeTakeFirst();
  return item?.quarantine_reason;
}

describe('bad rows', () => {
  it('wait in quarantine with their reason, and stop nothing', async () => {
    pipeline = await openPipeline();
    const sound = makeCall({});
    const bad: [TrafficRow, string][] = [
      [makeRow({ properties: dimensions({ userId: undefined }) }), 'no_subject'],
      [makeRow({ properties: dimensions({ model: undefined }) }), 'no_model'],
      [makeRow({ metricName: 'Audio Tokens' }), 'unknown_metric'],
      [makeRow({ metricName: `${'🧮'.repeat(200)} Tokens` }), 'unknown_metric'],
      [makeRow({ sum: 10.5 }), 'not_an_integer'],
      [makeRow({ sum: 'NaN' }), 'not_an_integer'],
      [makeRow({ sum: 'many' }), 'not_an_integer'],
      [makeRow({ sum: null }), 'not_an_integer'],
      [makeRow({ sum: -40 }), 'negative'],
      [makeRow({ sum: 9_000_000_000_000_000 }), 'absurd_count'],
      [makeRow({ itemCount: null }), 'not_an_integer'],
      [makeRow({ properties: dimensions({ userId: '🧮'.repeat(2_500) }) }), 'dimension_too_long'],
      [makeRow({ properties: dimensions({ userId: 'nul\u0000here' }) }), 'unreadable_dimension'],
      [makeRow({ properties: dimensions({ userId: 'half \ud83e' }) }), 'unreadable_dimension'],
      [makeRow({ properties: dimensions({ featureArea: '\udd2e chat' }) }), 'unreadable_dimension'],
    ];
    await bringThrough([...sound, ...bad.map(([row]) => row)]);
    for (const [row, reason] of bad)
      expect([row.metricName, await reasonOf(row.itemId)]).toEqual([row.metricName, reason]);
    const total = await balance(pipeline);
    // All of them but the sound call's 120 tokens, as far as they are countable prompt tokens.
    expect(total.byReason).toEqual({
      no_subject: 100n,
      no_model: 100n,
      not_an_integer: 100n,
      negative: 0n,
      absurd_count: 9_000_000_000_000_000n,
      dimension_too_long: 100n,
      unreadable_dimension: 300n,
    });
    expect(total).toMatchObject({ billed: 120n, metered: 120n, due: 0n, drift: 0n });
    const raw = await pipeline.deps.database
      .selectFrom('source_items')
      .select('raw')
      .where('quarantine_reason', '=', 'dimension_too_long')
      .executeTakeFirstOrThrow();
    expect(raw.raw).toMatchObject({ subject: '🧮'.repeat(2_500), sum: 100 });
  });

  it('with times no store would keep wait as well, and stop nothing', async () => {
    pipeline = await openPipeline();
    const rows = [
      strangeRow({ eventTime: null }),
      strangeRow({ eventTime: new Date(Number.NaN) }),
      strangeRow({ eventTime: new Date('1970-01-01T00:00:00Z') }),
      strangeRow({ eventTime: new Date('2100-01-01T00:00:00Z') }),
      strangeRow({ eventTime: new Date('0000-01-01T00:00:00Z') }),
      strangeRow({ eventTime: new Date(8_640_000_000_000_000) }),
    ];
    pipeline.deps.source = addRows(pipeline.deps.source, rows);
    await bringThrough(makeCall({}));
    const reasons = await Promise.all(rows.map((row) => reasonOf(row.sourceItemId)));
    expect(reasons).toEqual([
      'no_time',
      'no_time',
      'absurd_time',
      'absurd_time',
      'absurd_time',
      'absurd_time',
    ]);
    const total = await balance(pipeline);
    expect(total.byReason).toEqual({ no_time: 200n, absurd_time: 400n });
    expect(total.collected).toBe(120n + 600n);
    expect(total).toMatchObject({ billed: 120n, due: 0n });
  });

  it('with names that Postgres cannot tell apart are kept each, and stop nothing', async () => {
    pipeline = await openPipeline();
    const long = 'x'.repeat(300);
    const twins = (itemId: string, one: string, other: string) => [
      strangeRow({ sourceItemId: itemId, metricName: one }),
      strangeRow({ sourceItemId: itemId, metricName: other }),
    ];
    const rows = [
      ...twins('long-names', `${long} A Tokens`, `${long} B Tokens`),
      ...twins('nul', 'a\u0000 Tokens', 'a\\u0000 Tokens'),
      ...twins('half', 'a\ud83e Tokens', 'a\ud83f Tokens'),
      ...twins('cut pair', `${'x'.repeat(255)}🧮 Tokens`, `${'x'.repeat(255)}🧰 Tokens`),
      strangeRow({ sourceItemId: `nul \u0000 ${long.repeat(30)} \ud83e` }),
    ];
    pipeline.deps.source = addRows(pipeline.deps.source, rows);
    await bringThrough(makeCall({ minute: 2 }));
    expect(await balance(pipeline)).toMatchObject({ billed: 220n, due: 0n, quarantined: 0n });
    const unknown = await pipeline.deps.database
      .selectFrom('source_items')
      .select('source_item_id')
      .where('quarantine_reason', '=', 'unknown_metric')
      .execute();
    // Each of the eight, told apart by a hash of its whole name.
    expect(unknown.length).toBe(8);
  });
});

describe('unusual but sound rows', () => {
  it('without tenant and feature, or of a subject that looks like a date, are metered and billed unharmed', async () => {
    pipeline = await openPipeline();
    const dateLike = '2026-10-01T00:00:00Z';
    await bringThrough([
      ...makeCall({}),
      ...makeCall({ hour: 0, minute: 2, dimensions: { tenantId: undefined, featureArea: undefined } }),
      ...makeCall({ dimensions: { userId: dateLike } }),
      ...makeCall({ dimensions: { userId: ' 2026-11-21 ', featureArea: '12345', deployment: 'null' } }),
    ]);
    const total = await balance(pipeline);
    expect(total).toMatchObject({ metered: 480n, billed: 480n, due: 0n, quarantined: 0n });
    expect(pipeline.openMeter.tokenTotalBySubject()).toEqual(
      new Map([
        ['user-00001', 240n],
        [dateLike, 120n],
        [' 2026-11-21 ', 120n],
      ]),
    );
  });
});

describe('an item', () => {
  it('counts once, however often and wherever its row turns up', async () => {
    pipeline = await openPipeline();
    pipeline.azure.setFaults({ duplicatePercent: 100 });
    const call = makeCall({});
    const again = (hours: number) =>
      call.map((row) => ({ ...row, ingestedMs: row.ingestedMs + hours * HOUR_MS }));
    // Twice in one answer, in the answer after it, and a day later.
    await bringThrough([...call, ...again(2), ...again(26)]);
    for (let day = 0; day < 6; day += 1) await pipeline.tick(6);
    expect(await balance(pipeline)).toMatchObject({ source: 120n, metered: 120n, billed: 120n, drift: 0n });
    const windows = await pipeline.deps.database
      .selectFrom('collection_windows')
      .select(({ fn }) => [
        fn.sum<bigint>('row_count').as('rows'),
        fn.sum<bigint>('new_row_count').as('newRows'),
      ])
      .executeTakeFirstOrThrow();
    expect([Number(windows.rows), Number(windows.newRows)]).toEqual([18, 3]);
  });

  it('with two metrics is two facts', async () => {
    pipeline = await openPipeline();
    const rows = makeCall({}).map((row) => ({ ...row, itemId: 'one-item' }));
    await bringThrough(rows);
    expect(await balance(pipeline)).toMatchObject({ source: 120n, billed: 120n, drift: 0n });
  });

  it('under one id on two days is two facts, however often each is told', async () => {
    pipeline = await openPipeline();
    const row = { sourceItemId: 'one-item', ingestedAt: new Date(START_MS + 3_600_000) };
    const secondDay = new Date(START_MS + 30 * HOUR_MS);
    const total = { metricName: 'Total Tokens' };
    pipeline.deps.source = addRows(pipeline.deps.source, [
      strangeRow(row),
      strangeRow({ ...row, ...total }),
      strangeRow({ ...row, eventTime: secondDay, ingestedAt: secondDay, sum: 7 }),
      strangeRow({ ...row, ...total, eventTime: secondDay, ingestedAt: secondDay, sum: 7 }),
      strangeRow({ ...row, eventTime: secondDay, ingestedAt: new Date(+secondDay + 60_000), sum: 7 }),
    ]);
    for (let round = 0; round < 12; round += 1) await pipeline.tick(6);
    expect(await balance(pipeline)).toMatchObject({
      collected: 107n,
      metered: 107n,
      billed: 107n,
      due: 0n,
      quarantined: 0n,
    });
    const events = await pipeline.deps.database
      .selectFrom('usage_events')
      .select(['usage_event_id', 'event_time', 'prompt_token_count'])
      .orderBy('event_time')
      .execute();
    expect(events.map((event) => event.prompt_token_count)).toEqual([100n, 7n]);
    for (const event of events) {
      const { items } = await readEvidenceSource(pipeline.deps.database, {
        usageEventId: event.usage_event_id,
        eventTime: event.event_time,
      });
      expect(items.map((item) => item.tokenCount)).toEqual([
        event.prompt_token_count,
        event.prompt_token_count,
      ]);
    }
  });

  it('is its id and its metric, wherever a space stands in them', async () => {
    pipeline = await openPipeline();
    const ambiguous = [
      strangeRow({ sourceItemId: 'x Completion', metricName: 'Reasoning Tokens', sum: 3 }),
      strangeRow({ sourceItemId: 'x', metricName: 'Completion Reasoning Tokens', sum: 4 }),
      // The ids of two events, if only a line break told their items apart.
      strangeRow({ sourceItemId: 'a Prompt Tokens\nb', sum: 5, eventTime: new Date(START_MS + 120_000) }),
      strangeRow({ sourceItemId: 'a', sum: 6, eventTime: new Date(START_MS + 180_000) }),
      strangeRow({ sourceItemId: 'b', sum: 7, eventTime: new Date(START_MS + 180_000) }),
    ];
    pipeline.deps.source = addRows(pipeline.deps.source, ambiguous);
    await bringThrough([]);
    const items = await pipeline.deps.database.selectFrom('source_items').select('token_count').execute();
    expect(items.map((item) => Number(item.token_count)).sort()).toEqual([3, 4, 5, 6, 7]);
    expect(await balance(pipeline)).toMatchObject({ collected: 18n, billed: 18n, due: 0n, quarantined: 0n });
  });
});

describe('a subject seen with a second tenant', () => {
  it('is quarantined under the second, in the same answer and later, and goes on under the first', async () => {
    pipeline = await openPipeline();
    const second = { tenantId: 'fabrikam' };
    const first = makeCall({ minute: 1 });
    const sameAnswer = makeCall({ minute: 2, dimensions: second });
    const later = makeCall({ hour: 3, dimensions: second });
    await bringThrough([...first, ...sameAnswer, ...later, ...makeCall({ hour: 3, minute: 9 })]);
    for (const row of [...sameAnswer, ...later]) expect(await reasonOf(row.itemId)).toBe('tenant_mismatch');
    const total = await balance(pipeline);
    expect(total.byReason).toEqual({ tenant_mismatch: 240n });
    expect(total).toMatchObject({ source: 480n, billed: 240n, due: 0n, drift: 0n });
  });
});
