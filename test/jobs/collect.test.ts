import { afterEach, describe, expect, it } from 'vitest';
import { backfillUsage, collectUsage } from '../../jobs/collect/collect-usage.ts';
import { runStep } from '../../jobs/queue/steps.ts';
import type { SourceQuery, UsageSource } from '../../src/azure/source.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { readWatermark } from '../../src/usage/collection/watermarks.ts';
import { balance, openPipeline, outsideWrites, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

const at = (hours: number) => new Date(START_MS + hours * HOUR_MS);
const LAG_MS = 10 * 60_000;

let pipeline: Pipeline;
afterEach(() => pipeline.close());

async function collected() {
  const { database } = pipeline.deps;
  const count = (table: 'source_items' | 'usage_events') =>
    database
      .selectFrom(table)
      .select(({ fn }) => fn.countAll<bigint>().as('count'))
      .executeTakeFirstOrThrow();
  const [items, events] = await Promise.all([count('source_items'), count('usage_events')]);
  return { itemCount: Number(items.count), eventCount: Number(events.count) };
}

/** Calls `before` ahead of every query, with its number. */
function watchQueries(
  source: UsageSource,
  before: (query: SourceQuery, number: number) => void | Promise<void>,
): UsageSource {
  let number = 0;
  return {
    name: source.name,
    summarizeMetrics: (since, signal) => source.summarizeMetrics(since, signal),
    async queryRows(query, signal) {
      number += 1;
      await before(query, number);
      return await source.queryRows(query, signal);
    },
  };
}

/** Ten calls an hour for `hours` hours: 30 rows an hour. */
function busyHours(hours: number) {
  return Array.from({ length: hours * 10 }, (_, index) =>
    makeCall({ hour: Math.floor(index / 10), minute: (index % 10) * 6 }),
  ).flat();
}

describe('collecting', () => {
  it('splits answers that are too long, cut or partial, and loses and doubles nothing', async () => {
    pipeline = await openPipeline({ settings: { collectRowLimit: 40 } });
    pipeline.traffic.inject(busyHours(8));
    pipeline.azure.setFaults({ rowCeiling: 25, percent: { partial: 15, timeout: 10, too_large: 10 } });
    pipeline.advance(10);
    const outcome = await collectUsage(pipeline.deps);
    expect(outcome).toMatchObject({ rowCount: 240, newRowCount: 240 });
    expect((await collected()).itemCount).toBe(240);
    const total = await balance(pipeline);
    expect(total.collected).toBe(total.source);
    expect(await readWatermark(pipeline.deps.database, 'app-metrics')).toEqual(
      new Date(pipeline.clock.nowMs() - LAG_MS),
    );
  });

  it('splits by id what time cannot split', async () => {
    pipeline = await openPipeline({ settings: { collectRowLimit: 12 } });
    const crowd = busyHours(5).map((row) => ({ ...row, ingestedMs: START_MS + HOUR_MS + 500 }));
    pipeline.traffic.inject([...crowd, ...makeCall({ hour: 2 })]);
    const queries: SourceQuery[] = [];
    pipeline.deps.source = watchQueries(pipeline.deps.source, (query) => void queries.push(query));
    pipeline.advance(6);
    expect(await collectUsage(pipeline.deps)).toMatchObject({ newRowCount: 153 });
    expect(queries.some((query) => (query.partition?.count ?? 0) > 4)).toBe(true);
    const total = await balance(pipeline);
    expect(total.collected).toBe(total.source);
  });

  it('goes on at the watermark after it was killed between two slices', async () => {
    pipeline = await openPipeline({ settings: { collectRowLimit: 40 } });
    pipeline.traffic.inject(busyHours(8));
    pipeline.advance(10);
    const { source } = pipeline.deps;
    for (const lastQuery of [5, 3, 1]) {
      pipeline.deps.source = watchQueries(source, (_query, number) => {
        if (number > lastQuery) throw new Error('killed');
      });
      await expect(collectUsage(pipeline.deps)).rejects.toThrow('killed');
    }
    const reached = await readWatermark(pipeline.deps.database, 'app-metrics');
    expect(reached?.getTime()).toBeGreaterThan(START_MS);
    let firstStart: Date | undefined;
    pipeline.deps.source = watchQueries(source, (query) => {
      firstStart ??= query.window.start;
    });
    await collectUsage(pipeline.deps);
    expect(firstStart).toEqual(reached);
    expect((await collected()).itemCount).toBe(240);
    expect(await balance(pipeline)).toMatchObject({ collected: 8n * 10n * 120n });
  });

  it('goes on after it was killed between two partitions of one instant', async () => {
    pipeline = await openPipeline({ settings: { collectRowLimit: 12 } });
    pipeline.traffic.inject(busyHours(3).map((row) => ({ ...row, ingestedMs: START_MS + HOUR_MS + 500 })));
    pipeline.advance(6);
    const { source } = pipeline.deps;
    let partitions = 0;
    pipeline.deps.source = watchQueries(source, (query) => {
      if (query.partition !== undefined) partitions += 1;
      if (partitions > 9) throw new Error('killed');
    });
    await expect(collectUsage(pipeline.deps)).rejects.toThrow('killed');
    const before = await collected();
    expect(before.itemCount).toBeGreaterThan(0);
    expect(before.itemCount).toBeLessThan(90);
    pipeline.deps.source = source;
    expect(await collectUsage(pipeline.deps)).toMatchObject({ newRowCount: 90 - before.itemCount });
    expect(await balance(pipeline)).toMatchObject({ collected: 3n * 10n * 120n });
  });

  it('done by two at once counts nothing twice', async () => {
    pipeline = await openPipeline({ settings: { collectRowLimit: 60 } });
    pipeline.traffic.inject(busyHours(8));
    pipeline.advance(10);
    const both = await Promise.allSettled([collectUsage(pipeline.deps), collectUsage(pipeline.deps)]);
    for (const result of both) {
      if (result.status === 'rejected')
        expect(result.reason).toMatchObject({ code: 'STALE_LEASE', retry: true });
    }
    await collectUsage(pipeline.deps);
    expect(await collected()).toEqual({ itemCount: 240, eventCount: 80 });
    expect(await balance(pipeline)).toMatchObject({ collected: 8n * 10n * 120n });
  });

  it('is left to the one who holds the step', async () => {
    pipeline = await openPipeline();
    const { source } = pipeline.deps;
    let second: unknown;
    pipeline.deps.source = watchQueries(source, async () => {
      second ??= await runStep(pipeline.deps, 'collect-usage');
    });
    pipeline.advance(1);
    expect(await runStep(pipeline.deps, 'collect-usage')).toMatchObject({ ran: true });
    expect(second).toEqual({ ran: false });
  });

  it('opens an hour again for rows that come late, and their difference reaches Stripe', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject([
      ...makeCall({ prompt: 100, completion: 20 }),
      ...makeCall({ minute: 30, prompt: 7, cachedPrompt: 3, completion: 2, ingestedAtHour: 30 }),
    ]);
    for (let round = 0; round < 3; round += 1) await pipeline.tick(2);
    expect((await balance(pipeline)).billed).toBe(120n);
    for (let round = 0; round < 6; round += 1) await pipeline.tick(6);
    expect(await balance(pipeline)).toMatchObject({ billed: 129n, metered: 129n, due: 0n, drift: 0n });
    const pushes = await pipeline.deps.database
      .selectFrom('meter_pushes')
      .select(['event_name', 'revision', 'delta_token_count', 'total_token_count'])
      .where('event_name', '=', 'gpt_4o_prompt_tokens')
      .orderBy('revision')
      .execute();
    expect(pushes).toEqual([
      { event_name: 'gpt_4o_prompt_tokens', revision: 1, delta_token_count: 100n, total_token_count: 100n },
      { event_name: 'gpt_4o_prompt_tokens', revision: 2, delta_token_count: 4n, total_token_count: 104n },
    ]);
  });
});

describe('a backfill', () => {
  it('over rows already known writes nothing, and finds those from before the collector began', async () => {
    pipeline = await openPipeline({ settings: { collectStart: at(4) } });
    pipeline.traffic.inject(busyHours(8));
    pipeline.advance(10);
    await collectUsage(pipeline.deps);
    const watermark = await readWatermark(pipeline.deps.database, 'app-metrics');
    const progress: Date[] = [];
    const first = await backfillUsage(
      pipeline.deps,
      { start: at(0), end: at(9) },
      { onProgress: (doneUntil) => progress.push(doneUntil) },
    );
    expect(first.rowCount).toBe(240);
    expect(first.newRowCount).toBeGreaterThan(100);
    expect(progress).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9].map(at));
    expect(await collected()).toEqual({ itemCount: 240, eventCount: 80 });
    const again = await backfillUsage(pipeline.deps, { start: at(0), end: at(9) });
    expect(again).toEqual({ rowCount: 240, newRowCount: 0, usageEventCount: 0, quarantinedRowCount: 0 });
    expect(await collected()).toEqual({ itemCount: 240, eventCount: 80 });
    expect(await readWatermark(pipeline.deps.database, 'app-metrics')).toEqual(watermark);
  });

  it('of a settled and billed time changes no hour and sends nothing', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject(busyHours(2));
    for (let round = 0; round < 3; round += 1) await pipeline.tick(2);
    const hours = await pipeline.deps.database.selectFrom('settlements').selectAll().execute();
    await backfillUsage(pipeline.deps, { start: at(0), end: at(3) });
    expect(await pipeline.deps.database.selectFrom('settlements').selectAll().execute()).toEqual(hours);
    pipeline.calls.splice(0);
    await pipeline.run();
    expect(outsideWrites(pipeline.calls)).toEqual([]);
  });

  it('at the same time as the collector counts nothing twice', async () => {
    pipeline = await openPipeline({ settings: { collectRowLimit: 50 } });
    pipeline.traffic.inject(busyHours(8));
    pipeline.advance(10);
    await Promise.all([
      backfillUsage(pipeline.deps, { start: at(0), end: at(9) }),
      collectUsage(pipeline.deps),
    ]);
    expect((await collected()).itemCount).toBe(240);
    expect(await balance(pipeline)).toMatchObject({ collected: 8n * 10n * 120n });
  });

  it('is refused when its window is not one', async () => {
    pipeline = await openPipeline();
    pipeline.advance(10);
    const windows: [string, number, number][] = [
      ['to: must be later than from', 3, 2],
      ['to: must be later than from', 2, 2],
      ['from: lies in the future', 24, 48],
      ['from: is more than 400 days before to', -401 * 24, 1],
      ['from: is not an instant', Number.NaN, 2],
      ['to: is not an instant', 1, Number.NaN],
    ];
    for (const [message, start, end] of windows) {
      await expect(backfillUsage(pipeline.deps, { start: at(start), end: at(end) })).rejects.toMatchObject({
        code: 'VALIDATION',
        message,
      });
    }
    expect(pipeline.calls).toEqual([]);
  });
});
