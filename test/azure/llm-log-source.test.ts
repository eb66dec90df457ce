import { afterEach, describe, expect, test } from 'vitest';
import { createLlmLogSource } from '../../src/azure/llm-log-source.ts';
import type { SourceQuery, SourceRow } from '../../src/azure/source.ts';
import { HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { makeGatewayRow, makeLlmRow } from '../setup/log-rows.ts';
import { type AzureWorld, EVERYTHING, RESOURCE_ID, START_MS, smallScenario, startAzure } from './support.ts';

let world: AzureWorld;

afterEach(() => world.close());

const NO_HOLD_BACK = { LLM_LOG_HOLD_BACK_MINUTES: '0' };

async function quietWorld() {
  world = await startAzure({ scenario: smallScenario(1, 0), nowMs: START_MS + 96 * HOUR_MS });
  return world.openLlmLog(NO_HOLD_BACK);
}

async function readAll(source = world.openLlmLog(NO_HOLD_BACK), query: SourceQuery = EVERYTHING) {
  const result = await source.queryRows(query);
  if (result.kind === 'split') throw new Error(`split: ${result.reason}`);
  return result.rows;
}

const counts = (rows: readonly SourceRow[]) =>
  rows.map((row) => [row.sourceItemId, row.metricName, row.sum, row.itemCount]);

describe('a request', () => {
  test('becomes one row for each count, with the caller of its trace and the facts of its logs', async () => {
    const source = await quietWorld();
    world.requestLog.inject({ llm: [makeLlmRow()], gateway: [makeGatewayRow()] });
    const rows = await readAll(source);
    expect(counts(rows)).toEqual([
      ['request-1', 'Prompt Tokens', 100, 1],
      ['request-1', 'Completion Tokens', 20, 1],
      ['request-1', 'Total Tokens', 120, 1],
    ]);
    expect(rows[0]).toMatchObject({
      subject: 'user-00001',
      tenantKey: 'northwind',
      feature: 'chat',
      model: 'gpt-4o',
      deployment: 'gpt-4o-global',
      eventTime: new Date(START_MS + MINUTE_MS),
      request: {
        isStream: false,
        hasTokens: true,
        hasGatewayLog: true,
        hasTrace: true,
        responseCode: 200,
        subscriptionId: 'sub-1',
        productId: 'llm',
        servedModel: 'gpt-4o-2024-11-20',
        repeatedTokenCount: 0,
      },
    });
  });

  test('has what the log lacks from the trace of its answer, as told, and nothing that is not told', async () => {
    const source = await quietWorld();
    const usage = {
      cached_prompt_tokens: '40',
      cache_write_5m_tokens: '7',
      cache_write_1h_tokens: '0',
      audio_prompt_tokens: '',
      reasoning_tokens: 'many',
    };
    const caller = makeGatewayRow().traceRecords[0];
    world.requestLog.inject({
      llm: [makeLlmRow()],
      gateway: [
        makeGatewayRow({
          traceRecords: [
            ...(caller === undefined ? [] : [caller]),
            { source: 'tallystick', message: 'usage', metadata: { ...usage, userId: 'somebody-else' } },
            { source: 'other', message: 'usage', metadata: { cache_write_5m_tokens: '9' } },
          ],
        }),
      ],
    });
    const rows = await readAll(source);
    expect(counts(rows)).toEqual([
      ['request-1', 'Prompt Tokens', 100, 1],
      ['request-1', 'Completion Tokens', 20, 1],
      ['request-1', 'Total Tokens', 120, 1],
      ['request-1', 'Prompt Cached Tokens', '40', 1],
      ['request-1', 'Prompt Cache Write 5m Tokens', '7', 1],
      ['request-1', 'Prompt Cache Write 1h Tokens', '0', 1],
      ['request-1', 'Completion Reasoning Tokens', 'many', 1],
    ]);
    expect(new Set(rows.map((row) => row.subject))).toEqual(new Set(['user-00001']));
  });

  test('without a total stands for itself with the sum of what was told, as its maker adds it up', async () => {
    const source = await quietWorld();
    const request = (correlationId: string, model: string) => {
      const caller = makeGatewayRow().traceRecords[0]?.metadata ?? {};
      const metadata = { ...caller, model, cached_prompt_tokens: '50', cache_write_5m_tokens: '3' };
      return makeGatewayRow({
        correlationId,
        traceRecords: [{ source: 'tallystick', message: 'both', metadata }],
      });
    };
    const part = (
      correlationId: string,
      itemId: string,
      promptTokens: number | null,
      completionTokens: number | null,
    ) => makeLlmRow({ correlationId, itemId, promptTokens, completionTokens, totalTokens: null });
    world.requestLog.inject({
      llm: [
        part('claude', 'a', 100, 20),
        part('gpt', 'b', 100, 20),
        part('pieces', 'c', 100, null),
        makeLlmRow({ ...part('pieces', 'd', null, 20), ingestedMs: START_MS + 6 * MINUTE_MS }),
      ],
      gateway: [
        request('claude', 'claude-sonnet-4-5'),
        request('gpt', 'gpt-4o'),
        request('pieces', 'gpt-4o'),
      ],
    });
    const totals = (await readAll(source)).filter((row) => row.metricName === 'Total Tokens');
    expect(counts(totals).sort(([one], [other]) => (String(one) < String(other) ? -1 : 1))).toEqual([
      ['claude', 'Total Tokens', 173, 1],
      ['gpt', 'Total Tokens', 120, 1],
      ['pieces', 'Total Tokens', 100, 1],
      ['pieces#1', 'Total Tokens', 20, 0],
    ]);
  });

  test('counts its largest row, not the sum, and says by how much they differ', async () => {
    const source = await quietWorld();
    world.requestLog.inject({
      llm: [
        makeLlmRow({
          itemId: 'a',
          sequenceNumber: 1,
          promptTokens: null,
          completionTokens: null,
          totalTokens: null,
        }),
        makeLlmRow({ itemId: 'b' }),
        makeLlmRow({ itemId: 'c', sequenceNumber: 2 }),
      ],
      gateway: [makeGatewayRow()],
    });
    const rows = await readAll(source);
    expect(rows.map((row) => row.sum)).toEqual([100, 20, 120]);
    expect(rows[0]?.request?.repeatedTokenCount).toBe(120);
  });

  test('gives a row that comes later an id of its own, with what it adds', async () => {
    const source = await quietWorld();
    world.requestLog.inject({
      llm: [
        makeLlmRow({ itemId: 'a' }),
        makeLlmRow({
          itemId: 'b',
          ingestedMs: START_MS + 5 * HOUR_MS,
          completionTokens: 50,
          totalTokens: 150,
        }),
      ],
      gateway: [makeGatewayRow()],
    });
    const early = { start: new Date(START_MS), end: new Date(START_MS + HOUR_MS) };
    const late = { start: early.end, end: new Date(START_MS + 6 * HOUR_MS) };
    const first = counts(await readAll(source, { ...EVERYTHING, window: early }));
    const second = counts(await readAll(source, { ...EVERYTHING, window: late }));
    expect(first.map(([id, , sum]) => [id, sum])).toEqual([
      ['request-1', 100],
      ['request-1', 20],
      ['request-1', 120],
    ]);
    // The later slice tells the whole request again: what was known keeps its id and value.
    expect(second).toEqual([
      ...first,
      ['request-1#1', 'Completion Tokens', 30, 0],
      ['request-1#1', 'Total Tokens', 30, 0],
    ]);
    expect(counts(await readAll(source, { ...EVERYTHING, by: 'event', window: early }))).toEqual(second);
  });

  test('without any count is one row with its fault, unless it failed', async () => {
    const source = await quietWorld();
    const nothing = { promptTokens: 0, completionTokens: 0, totalTokens: 0 };
    world.requestLog.inject({
      llm: [
        makeLlmRow({ ...nothing, isStream: true }),
        makeLlmRow({ ...nothing, itemId: 'b', correlationId: 'request-2' }),
      ],
      gateway: [makeGatewayRow(), makeGatewayRow({ correlationId: 'request-2', responseCode: 429 })],
    });
    const rows = await readAll(source);
    expect(counts(rows)).toEqual([['request-1', 'Total Tokens', 0, 1]]);
    expect(rows[0]).toMatchObject({ fault: 'no_token_count', request: { isStream: true, hasTokens: false } });
    const config = loadConfig({
      AZURE_LOGS_ENDPOINT: world.endpoint,
      AZURE_LOGS_WORKSPACE_ID: '5a1b0c52-7e57-4a11-a57c-000000000001',
      ...NO_HOLD_BACK,
    });
    const all = await readAll(createLlmLogSource(config, { keepFailed: true }));
    expect(all.map((row) => row.fault)).toEqual(['no_token_count', 'request_failed']);
  });

  test('has no subject while its gateway log is missing, and has one once it came', async () => {
    const source = await quietWorld();
    world.requestLog.inject({ llm: [makeLlmRow()] });
    const [before] = await readAll(source);
    expect(before).toMatchObject({
      subject: '',
      model: 'gpt-4o-2024-11-20',
      request: { hasGatewayLog: false },
    });
    world.requestLog.inject({ gateway: [makeGatewayRow({ ingestedMs: START_MS + 50 * HOUR_MS })] });
    const [after] = await readAll(source);
    expect(after).toMatchObject({
      sourceItemId: before?.sourceItemId,
      subject: 'user-00001',
      model: 'gpt-4o',
    });
  });

  test('is known by our trace only, whatever other traces say', async () => {
    const source = await quietWorld();
    world.requestLog.inject({
      llm: [makeLlmRow(), makeLlmRow({ itemId: 'b', correlationId: 'request-2' })],
      gateway: [
        makeGatewayRow({
          traceRecords: [{ source: 'other', message: '', metadata: { userId: 'somebody-else' } }],
        }),
        makeGatewayRow({ correlationId: 'request-2', traceRecords: [] }),
      ],
    });
    const rows = await readAll(source);
    expect(new Set(rows.map((row) => row.subject))).toEqual(new Set(['']));
    expect(rows[0]?.request).toMatchObject({ hasGatewayLog: true, hasTrace: false });
  });

  test('with a count that is none is judged by that row alone', async () => {
    const source = await quietWorld();
    world.requestLog.inject({
      llm: [
        makeLlmRow(),
        makeLlmRow({ itemId: 'b', promptTokens: -7, completionTokens: 20, totalTokens: 13 }),
      ],
      gateway: [makeGatewayRow()],
    });
    expect(counts(await readAll(source))).toEqual([
      ['request-1', 'Prompt Tokens', 100, 1],
      ['request-1', 'Completion Tokens', 20, 1],
      ['request-1', 'Total Tokens', 120, 1],
      ['request-1#b', 'Prompt Tokens', -7, 1],
    ]);
  });
});

test('a slice by ingestion waits for the gateway log as long as it is held back', async () => {
  await quietWorld();
  const ingestedMs = START_MS + 60 * MINUTE_MS;
  world.requestLog.inject({ llm: [makeLlmRow({ ingestedMs })], gateway: [makeGatewayRow()] });
  const source = world.openLlmLog({ LLM_LOG_HOLD_BACK_MINUTES: '15' });
  const until = (minutes: number) => ({
    ...EVERYTHING,
    window: { start: new Date(START_MS), end: new Date(START_MS + minutes * MINUTE_MS) },
  });
  expect(await readAll(source, until(75))).toEqual([]);
  expect(await readAll(source, until(76))).toHaveLength(3);
});

test('a duplicated row of either table changes nothing', async () => {
  world = await startAzure();
  const sound = counts(await readAll());
  world.standIn.setFaults({ duplicatePercent: 30 });
  expect(counts(await readAll())).toEqual(sound);
});

test('neighbouring slices, and partitions of one, give every request of the traffic', async () => {
  world = await startAzure();
  const key = (row: SourceRow) => `${row.sourceItemId} ${row.metricName} ${row.sum}`;
  const whole = new Set((await readAll()).map(key));
  const parts = new Set<string>();
  for (let hour = 0; hour < 96; hour += 5) {
    const window = {
      start: new Date(START_MS + hour * HOUR_MS),
      end: new Date(START_MS + (hour + 5) * HOUR_MS),
    };
    for (const row of await readAll(undefined, { ...EVERYTHING, window })) parts.add(key(row));
  }
  expect(parts).toEqual(whole);
  const partitions: string[] = [];
  for (const index of [0, 1, 2, 3]) {
    const rows = await readAll(undefined, { ...EVERYTHING, partition: { count: 4, index } });
    partitions.push(...rows.map(key));
  }
  expect(partitions.length).toBe(whole.size);
  expect(new Set(partitions)).toEqual(whole);
});

test('the tokens are those that the traffic counts itself', async () => {
  world = await startAzure();
  let tokens = 0n;
  for (const row of await readAll()) if (row.metricName !== 'Total Tokens') tokens += BigInt(row.sum ?? 0);
  const counted = [...world.requestLog.tokenTotalByTenant().values()].reduce((sum, count) => sum + count, 0n);
  expect(tokens).toBe(counted);
  expect(tokens).toBeGreaterThan(100_000n);
});

test('more log rows than the limit ask for a split', async () => {
  world = await startAzure();
  expect(await world.openLlmLog(NO_HOLD_BACK).queryRows({ ...EVERYTHING, rowLimit: 10 })).toEqual({
    kind: 'split',
    reason: 'row_limit',
  });
});

test('doctor learns how many requests arrived, and how many name their user', async () => {
  world = await startAzure();
  const [summary] = await world.openLlmLog().summarizeMetrics(new Date(START_MS));
  expect(summary?.metricName).toBe('LLM gateway log');
  expect(summary?.rowCountWithModel).toBe(summary?.rowCount);
  expect(summary?.rowCountWithSubject).toBeLessThan(summary?.rowCount ?? 0);
  expect(summary?.rowCountWithSubject).toBeGreaterThan(0.9 * (summary?.rowCount ?? 0));
});

test('an Application Insights component has no such tables, and the configuration says so', async () => {
  world = await startAzure();
  expect(() => createLlmLogSource(loadConfig({ AZURE_LOGS_RESOURCE_ID: RESOURCE_ID }))).toThrow(/workspace/);
  expect(() => loadConfig({ USAGE_SOURCE: 'llm-log', CONTROL_SOURCE: 'llm-log', PORT: 'x' })).toThrow(
    /PORT[\s\S]*CONTROL_SOURCE: must be another source/,
  );
});
