import { afterEach, describe, expect, it } from 'vitest';
import { collectControl } from '../../jobs/collect-control.ts';
import { STEP_NAMES, stepNames } from '../../jobs/steps.ts';
import { HOUR_MS } from '../../src/clock.ts';
import { makeGatewayRow, makeLlmRow } from '../setup/log-rows.ts';
import { balance, openPipeline, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

describe('the control source', () => {
  let pipeline: Pipeline | undefined;
  afterEach(() => pipeline?.close());

  const items = async (opened: Pipeline) =>
    await opened.deps.database
      .selectFrom('control_items')
      .selectAll()
      .orderBy('source_item_id')
      .orderBy('metric_name')
      .execute();

  it('is a step only where it is configured', async () => {
    pipeline = await openPipeline();
    expect(stepNames(pipeline.deps)).toEqual(STEP_NAMES);
    expect(await collectControl(pipeline.deps)).toEqual({ rowCount: 0, itemCount: 0 });
    await pipeline.close();
    pipeline = await openPipeline({ controlSource: 'llm-log' });
    expect(stepNames(pipeline.deps)).toEqual([...STEP_NAMES, 'collect-control']);
  });

  it.each([
    ['metrics', 'llm-log'],
    ['llm-log', 'metrics'],
  ] as const)('changes nothing of what %s bills, with %s beside it', async (usageSource, controlSource) => {
    const scenario = { seed: 3, dayCount: 1, customerCount: 3, userCount: 4 };
    const play = async (opened: Pipeline) => {
      await opened.run();
      for (let tick = 0; tick < 12; tick += 1) await opened.tick(6);
      return await balance(opened);
    };
    const alone = await openPipeline({ usageSource, scenario });
    const without = await play(alone);
    await alone.close();
    pipeline = await openPipeline({ usageSource, controlSource, scenario });
    expect(await play(pipeline)).toEqual(without);
    expect(without.drift).toBe(0n);
    const { tokens } = await pipeline.deps.database
      .selectFrom('control_items')
      .select(({ fn }) => fn.sum<string>('token_count').as('tokens'))
      .where('token_kind', 'in', ['prompt', 'completion'])
      .executeTakeFirstOrThrow();
    const other =
      controlSource === 'metrics'
        ? pipeline.traffic.tokenTotal()
        : [...pipeline.requestLog.tokenTotalByTenant().values()].reduce((sum, count) => sum + count, 0n);
    expect(BigInt(tokens ?? 0)).toBe(other);
    expect(other).not.toBe(without.source);
  });

  it('keeps its own watermark, out of the way of the source that bills', async () => {
    pipeline = await openPipeline({ controlSource: 'llm-log' });
    pipeline.advance(5);
    await pipeline.run('collect-control');
    const { database } = pipeline.deps;
    expect(await database.selectFrom('watermarks').selectAll().execute()).toEqual([]);
    const [mark] = await database.selectFrom('control_watermarks').selectAll().execute();
    expect(mark).toMatchObject({ source: 'llm-log', position: new Date(START_MS + 5 * HOUR_MS - 600_000) });
    pipeline.calls.splice(0);
    await pipeline.run('collect-control');
    expect(pipeline.calls).toEqual([]);
  });

  it('keeps failed requests, and attributes late ones when their gateway log has come', async () => {
    pipeline = await openPipeline({ controlSource: 'llm-log' });
    const nothing = { promptTokens: 0, completionTokens: 0, totalTokens: 0 };
    pipeline.traffic.inject(makeCall({}));
    pipeline.requestLog.inject({
      llm: [makeLlmRow(), makeLlmRow({ ...nothing, itemId: 'b', correlationId: 'request-2' })],
      gateway: [
        makeGatewayRow({ ingestedMs: START_MS + 3 * HOUR_MS }),
        makeGatewayRow({ correlationId: 'request-2', responseCode: 429 }),
      ],
    });
    pipeline.advance(2);
    await pipeline.run('collect-control');
    expect((await items(pipeline)).map((item) => item.fault)).toEqual([
      'no_subject',
      'no_subject',
      'no_subject',
      'request_failed',
    ]);
    pipeline.advance(2);
    expect(await collectControl(pipeline.deps)).toMatchObject({ itemCount: 4 });
    const after = await items(pipeline);
    expect(after.map((item) => [item.fault, item.subject])).toEqual([
      [null, 'user-00001'],
      [null, 'user-00001'],
      [null, 'user-00001'],
      ['request_failed', 'user-00001'],
    ]);
    expect(await collectControl(pipeline.deps)).toEqual({ rowCount: 0, itemCount: 0 });
  });
});
