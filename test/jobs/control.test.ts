import { afterEach, describe, expect, it } from 'vitest';
import { collectControl } from '../../jobs/collect/collect-control.ts';
import { backfillUsage, collectUsage } from '../../jobs/collect/collect-usage.ts';
import { STEP_NAMES, type StepName, stepNames } from '../../jobs/queue/steps.ts';
import { boundSource } from '../../src/azure/bounded-source.ts';
import { createLlmLogSource } from '../../src/azure/llm-log-source.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { readTokenTotals } from '../../src/status/totals.ts';
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
    const play = async (opened: Pipeline, ...more: StepName[]) => {
      opened.advance(48);
      await opened.run('collect-usage', ...more);
      const { database } = opened.deps;
      const events = await database
        .selectFrom('usage_events')
        .select('body')
        .orderBy('usage_event_id')
        .execute();
      return { events, watermarks: await database.selectFrom('watermarks').selectAll().execute() };
    };
    const alone = await openPipeline({ usageSource, scenario });
    const without = await play(alone);
    await alone.close();
    pipeline = await openPipeline({ usageSource, controlSource, scenario });
    expect(await play(pipeline, 'collect-control')).toEqual(without);
    expect(without.events.length).toBeGreaterThan(50);
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
    const billed = await readTokenTotals(pipeline.deps.database);
    expect(billed.collectedTokenCount).not.toBe(other);
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

describe('another source for a ledger that was billed from one', () => {
  let pipeline: Pipeline | undefined;
  afterEach(() => pipeline?.close());

  const switchTo = (opened: Pipeline, since: Date | undefined) => {
    const source = boundSource(createLlmLogSource(loadConfig(opened.azureEnvironment)), { since });
    return { ...opened.deps, source, settings: { ...opened.deps.settings, usageSince: since } };
  };
  const at = (hour: number) => new Date(START_MS + hour * HOUR_MS);

  it('is refused without the hour of the switch, and where the first one told usage behind it', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject(makeCall({ hour: 3 }));
    await pipeline.tick(6);
    for (const since of [undefined, at(2), at(3)]) {
      await expect(collectUsage(switchTo(pipeline, since))).rejects.toMatchObject({ code: 'CONFIG' });
      const window = { start: at(0), end: at(1) };
      await expect(backfillUsage(switchTo(pipeline, since), window)).rejects.toMatchObject({
        code: 'CONFIG',
      });
    }
  });

  it('begins where the first one ended, and bills nothing twice', async () => {
    pipeline = await openPipeline();
    const opened = pipeline;
    for (const hour of [1, 2, 3, 4]) {
      const eventMs = START_MS + hour * HOUR_MS + 60_000;
      opened.traffic.inject(makeCall({ hour }));
      opened.requestLog.inject({
        llm: [makeLlmRow({ itemId: `r${hour}`, correlationId: `r${hour}`, eventMs })],
        gateway: [makeGatewayRow({ correlationId: `r${hour}`, eventMs })],
      });
    }
    opened.advance(8);
    await collectUsage({ ...opened.deps, source: boundSource(opened.deps.source, { until: at(3) }) });
    expect((await balance(opened)).collected).toBe(2n * 120n);
    await collectUsage(switchTo(opened, at(3)));
    expect((await balance(opened)).collected).toBe(4n * 120n);
    // The first source may still tell late rows of its own time, and only those.
    const late = { ...opened.deps, source: boundSource(opened.deps.source, { until: at(3) }) };
    const settings = { ...opened.deps.settings, usageSince: at(0) };
    await backfillUsage({ ...late, settings }, { start: at(0), end: at(8) });
    expect((await balance(opened)).collected).toBe(4n * 120n);
  });
});
