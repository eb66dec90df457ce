import { afterEach, describe, expect, it } from 'vitest';
import { rescanUsage, runRescan } from '../../jobs/rescan/rescan-usage.ts';
import type { SourceQuery, UsageSource } from '../../src/azure/source.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { UpstreamError } from '../../src/platform/errors.ts';
import { checkRescanWindow, getRescan, requestRescan } from '../../src/usage/collection/rescans.ts';
import { balance, openPipeline, outsideWrites, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { makeCall, makeRow } from '../setup/rows.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

const at = (hours: number) => new Date(START_MS + hours * HOUR_MS);

/** A source that does not show some rows for a time, though they are stored: the lag was too short for them. */
function hideUntil(source: UsageSource, itemIds: readonly string[], isShown: () => boolean): UsageSource {
  return {
    ...source,
    async queryRows(query: SourceQuery, signal?: AbortSignal) {
      const answer = await source.queryRows(query, signal);
      if (answer.kind === 'split' || isShown()) return answer;
      return { ...answer, rows: answer.rows.filter((row) => !itemIds.includes(row.sourceItemId)) };
    },
  };
}

async function ask(from: number, to: number) {
  return await requestRescan(pipeline.deps.database, {
    window: { start: at(from), end: at(to) },
    requestedBy: 'test',
    now: pipeline.clock.now(),
  });
}

describe('the nightly rescan', () => {
  it('finds what the collector’s cursor passed, once, and it reaches its own hour', async () => {
    pipeline = await openPipeline();
    const late = makeCall({ hour: 2 });
    let isShown = false;
    pipeline.deps.source = hideUntil(
      pipeline.deps.source,
      late.map((row) => row.itemId),
      () => isShown,
    );
    pipeline.traffic.inject([...makeCall({ hour: 1 }), ...late]);
    for (let tick = 0; tick < 3; tick += 1) await pipeline.tick(6);
    expect(await balance(pipeline)).toMatchObject({ billed: 120n, collected: 120n });
    isShown = true;
    expect((await pipeline.tick(3))['rescan-usage']).toMatchObject({ nightDone: false });
    expect((await pipeline.tick(3))['rescan-usage']).toMatchObject({ nightDone: true, newRowCount: 3 });
    expect((await pipeline.tick(1))['rescan-usage']).toMatchObject({ nightDone: false, rowCount: 0 });
    await pipeline.tick(1);
    expect(await balance(pipeline)).toMatchObject({ billed: 240n, due: 0n, quarantined: 0n, drift: 0n });
  });

  it('looks 72 hours back and no further, and makes up for missed nights', async () => {
    pipeline = await openPipeline();
    const starts: number[] = [];
    const { source } = pipeline.deps;
    pipeline.deps.source = {
      ...source,
      queryRows: (query, signal) => {
        starts.push((query.window.start.getTime() - START_MS) / HOUR_MS);
        return source.queryRows(query, signal);
      },
    };
    pipeline.advance(1);
    await pipeline.run('collect-usage');
    pipeline.advance(6 * 24);
    await pipeline.run('collect-usage');
    starts.splice(0);
    // The night of the second day was missed: it would have looked back to the collector's own beginning.
    await pipeline.run('rescan-usage');
    expect(Math.min(...starts)).toBe(0);
    pipeline.advance(24);
    await pipeline.run('collect-usage');
    starts.splice(0);
    await pipeline.run('rescan-usage');
    expect(Math.min(...starts)).toBe(6 * 24 + 24 - 72);
  });

  it('writes nothing when there is nothing new', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject(makeCall({ hour: 1 }));
    for (let tick = 0; tick < 3; tick += 1) await pipeline.tick(6);
    const windows = () => pipeline.deps.database.selectFrom('collection_windows').selectAll().execute();
    const before = await windows();
    pipeline.advance(12);
    pipeline.calls.splice(0);
    expect((await pipeline.run('rescan-usage'))['rescan-usage']).toMatchObject({
      nightDone: true,
      rowCount: 3,
      newRowCount: 0,
    });
    expect(await windows()).toEqual(before);
    expect(outsideWrites(pipeline.calls)).toEqual([]);
  });

  it('goes on where it was when the source fails', async () => {
    pipeline = await openPipeline();
    await pipeline.tick(6);
    pipeline.advance(24);
    const { source } = pipeline.deps;
    const down = new UpstreamError('down', { system: 'azure', code: 'UPSTREAM_UNAVAILABLE', retry: true });
    pipeline.deps.source = { ...source, queryRows: () => Promise.reject(down) };
    await expect(pipeline.run('rescan-usage')).rejects.toThrow('down');
    pipeline.deps.source = source;
    expect((await pipeline.run('rescan-usage'))['rescan-usage']).toMatchObject({ nightDone: true });
  });
});

describe('a rescan asked for', () => {
  it('covers its window by event time, says what it found, and repeats harmlessly', async () => {
    pipeline = await openPipeline({ settings: { collectStart: at(10) } });
    pipeline.traffic.inject([...makeCall({ hour: 2 }), ...makeCall({ hour: 3 })]);
    await pipeline.tick(12);
    expect(await balance(pipeline)).toMatchObject({ collected: 0n });
    const rescan = await ask(2, 3);
    expect(await rescanUsage(pipeline.deps)).toMatchObject({ finishedRescanCount: 1, newRowCount: 3 });
    expect(await getRescan(pipeline.deps.database, rescan.rescanId)).toMatchObject({
      status: 'done',
      doneUntil: at(3),
      rowCount: 3n,
      newRowCount: 3n,
      usageEventCount: 1n,
    });
    await ask(2, 3);
    expect(await rescanUsage(pipeline.deps)).toMatchObject({ finishedRescanCount: 1, newRowCount: 0 });
    await pipeline.tick(1);
    await pipeline.tick(1);
    // The other call was before the collector's start, and outside the window.
    expect(await balance(pipeline)).toMatchObject({ collected: 120n, billed: 120n, drift: 120n });
  });

  it('over a window without data says zero', async () => {
    pipeline = await openPipeline();
    pipeline.advance(30);
    const rescan = await ask(1, 20);
    const done = await runRescan(pipeline.deps, rescan);
    expect(done.rescan).toMatchObject({ status: 'done', rowCount: 0n, newRowCount: 0n });
  });

  it('is resumed where it was interrupted, and ends as failed when refused for good', async () => {
    pipeline = await openPipeline({ settings: { collectStart: at(10) } });
    pipeline.traffic.inject([1, 2, 3].flatMap((hour) => makeCall({ hour })));
    pipeline.advance(12);
    const { source } = pipeline.deps;
    const failing = (retry: boolean): UsageSource => ({
      ...source,
      queryRows: (query, signal) =>
        query.window.start >= at(2)
          ? Promise.reject(
              new UpstreamError('no', {
                system: 'azure',
                code: retry ? 'UPSTREAM_UNAVAILABLE' : 'UPSTREAM_REJECTED',
                retry,
              }),
            )
          : source.queryRows(query, signal),
    });
    pipeline.deps.source = failing(true);
    const rescan = await ask(1, 4);
    await expect(rescanUsage(pipeline.deps)).rejects.toThrow('no');
    const { database } = pipeline.deps;
    const asked = () => getRescan(database, rescan.rescanId);
    expect(await asked()).toMatchObject({
      status: 'running',
      doneUntil: at(2),
      lastError: 'UPSTREAM_UNAVAILABLE',
    });
    pipeline.deps.source = source;
    await rescanUsage(pipeline.deps);
    expect(await asked()).toMatchObject({ status: 'done', newRowCount: 9n, lastError: null });
    pipeline.deps.source = failing(false);
    const refused = await ask(1, 4);
    await rescanUsage(pipeline.deps);
    expect(await getRescan(database, refused.rescanId)).toMatchObject({
      status: 'failed',
      lastError: 'UPSTREAM_REJECTED',
    });
  });

  it('takes up a row that waited, when the source now tells it whole', async () => {
    pipeline = await openPipeline();
    const whole = makeRow({ sum: 55 });
    const { properties } = whole;
    whole.properties = { ...properties, userId: '' };
    pipeline.traffic.inject([whole]);
    for (let tick = 0; tick < 2; tick += 1) await pipeline.tick(2);
    expect((await balance(pipeline)).byReason).toEqual({ no_subject: 55n });
    whole.properties = properties;
    await ask(0, 1);
    await rescanUsage(pipeline.deps);
    await pipeline.tick(1);
    await pipeline.tick(1);
    expect(await balance(pipeline)).toMatchObject({ billed: 55n, quarantined: 0n, due: 0n, drift: 0n });
  });
});

describe('the window of a rescan', () => {
  const now = at(200 * 24);
  const limits = { now, sourceRetentionDays: 90 };
  const days = (count: number) => at((200 - count) * 24);
  it.each([
    ['in the future', days(2), at(201 * 24), 'to', 'future'],
    ['beginning in the future', at(201 * 24), at(202 * 24), 'from', 'future'],
    ['that is empty', days(2), days(2), 'to', 'later'],
    ['turned round', days(1), days(2), 'to', 'later'],
    ['longer than the source keeps', days(91), days(2), 'from', '90 days'],
    ['of nothing', new Date(Number.NaN), days(2), 'from', 'instant'],
  ])('%s is refused, with field and fix', async (_, start, end, field, message) => {
    pipeline = await openPipeline();
    let thrown: unknown;
    try {
      checkRescanWindow({ start, end }, limits);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: 'VALIDATION', context: { field } });
    expect(String(thrown)).toContain(message);
  });
});
