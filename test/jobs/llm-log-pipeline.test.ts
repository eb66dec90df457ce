import { afterEach, describe, expect, it } from 'vitest';
import { backfillUsage } from '../../jobs/collect/collect-usage.ts';
import { STEP_NAMES } from '../../jobs/queue/steps.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { makeGatewayRow, makeLlmRow } from '../setup/log-rows.ts';
import { balance, openPipeline, type Pipeline, START_MS } from '../setup/pipeline.ts';

const TICK_HOURS = 12;
const at = (hour: number) => new Date(START_MS + hour * HOUR_MS);

describe('the pipeline on the request-level log', () => {
  let pipeline: Pipeline | undefined;
  afterEach(() => pipeline?.close());

  const quarantinedItems = async (opened: Pipeline) =>
    await opened.deps.database
      .selectFrom('source_items')
      .select(['source_item_id', 'metric_name', 'quarantine_reason', 'token_count', 'request_count'])
      .where('quarantine_reason', 'is not', null)
      .orderBy('source_item_id')
      .orderBy('metric_name')
      .execute();

  it.each([1, 7])('accounts for every token of world %i', async (seed) => {
    pipeline = await openPipeline({
      usageSource: 'llm-log',
      scenario: { seed, dayCount: 2, customerCount: 3, userCount: 5 },
    });
    const endMs = pipeline.requestLog.lastIngestionMs + 2 * TICK_HOURS * HOUR_MS;
    await pipeline.run('sync-catalog');
    const steps = STEP_NAMES.filter((name) => name !== 'rescan-usage' && name !== 'reconcile');
    while (pipeline.clock.nowMs() < endMs) {
      pipeline.advance(TICK_HOURS);
      await pipeline.run(...steps);
    }
    const total = await balance(pipeline);
    expect(total.source).toBeGreaterThan(100_000n);
    expect(total.collected).toBe(total.source);
    expect(total.due).toBe(0n);
    expect(total.drift).toBe(0n);
    expect(total.metered).toBe(total.source - (total.byReason.no_subject ?? 0n));
    expect(total.billed).toBeGreaterThan(total.source / 2n);
    // Streams without counts bill nothing, and are there to be seen.
    const silent = (await quarantinedItems(pipeline)).filter(
      (item) => item.quarantine_reason === 'no_token_count',
    );
    expect(silent.length).toBeGreaterThan(0);
    expect(silent.every((item) => item.token_count === 0n && item.request_count === 1n)).toBe(true);
  });

  it('bills a request whose gateway log came late, once, after a rescan', async () => {
    pipeline = await openPipeline({ usageSource: 'llm-log' });
    pipeline.requestLog.inject({ llm: [makeLlmRow()] });
    await pipeline.run();
    await pipeline.tick(2);
    expect((await balance(pipeline)).byReason).toEqual({ no_subject: 120n });
    pipeline.requestLog.inject({ gateway: [makeGatewayRow({ ingestedMs: START_MS + 3 * HOUR_MS })] });
    pipeline.advance(2);
    for (let round = 0; round < 2; round += 1) {
      await backfillUsage(pipeline.deps, { start: at(0), end: at(4) });
    }
    await pipeline.tick(1);
    await pipeline.tick(1);
    expect(await quarantinedItems(pipeline)).toEqual([]);
    expect(await balance(pipeline)).toMatchObject({
      source: 120n,
      metered: 120n,
      billed: 120n,
      due: 0n,
      quarantined: 0n,
      drift: 0n,
    });
  });

  it('takes a silent stream up when its counts come after all', async () => {
    pipeline = await openPipeline({ usageSource: 'llm-log' });
    const silent = { promptTokens: 0, completionTokens: 0, totalTokens: 0, isStream: true };
    pipeline.requestLog.inject({ llm: [makeLlmRow(silent)], gateway: [makeGatewayRow()] });
    await pipeline.run();
    await pipeline.tick(2);
    expect(await quarantinedItems(pipeline)).toMatchObject([{ quarantine_reason: 'no_token_count' }]);
    pipeline.requestLog.inject({
      llm: [makeLlmRow({ itemId: 'b', isStream: true, ingestedMs: START_MS + 3 * HOUR_MS })],
    });
    await pipeline.tick(3);
    await pipeline.tick(1);
    expect(await quarantinedItems(pipeline)).toEqual([]);
    expect(await balance(pipeline)).toMatchObject({ source: 120n, billed: 120n, drift: 0n });
    const { requests } = await pipeline.deps.database
      .selectFrom('hourly_activity')
      .select(({ fn }) => fn.sum<string>('request_count').as('requests'))
      .executeTakeFirstOrThrow();
    expect(requests).toBe('1');
  });

  it('counts a request logged twice once, at its largest', async () => {
    pipeline = await openPipeline({ usageSource: 'llm-log' });
    pipeline.requestLog.inject({
      llm: [
        makeLlmRow(),
        makeLlmRow({ itemId: 'b', sequenceNumber: 1 }),
        makeLlmRow({
          itemId: 'c',
          ingestedMs: START_MS + 3 * HOUR_MS,
          completionTokens: 50,
          totalTokens: 150,
        }),
      ],
      gateway: [makeGatewayRow()],
    });
    await pipeline.run();
    await pipeline.tick(2);
    expect((await balance(pipeline)).collected).toBe(120n);
    await pipeline.tick(3);
    await pipeline.tick(1);
    expect(await balance(pipeline)).toMatchObject({ source: 150n, collected: 150n, billed: 150n, drift: 0n });
  });
});
