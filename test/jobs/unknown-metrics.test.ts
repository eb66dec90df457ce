import { afterEach, describe, expect, it } from 'vitest';
import { METRIC_NAMES, PREVIEW_METRIC_NAME } from '../../sandbox/traffic/row.ts';
import { createAppMetricsSource } from '../../src/azure/usage-source.ts';
import { readHeldMetricsOfCloses } from '../../src/closing/unknown-metrics.ts';
import { checkAzure } from '../../src/command-line/doctor/checks.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { showHeldMetric } from '../../src/usage/collection/held-metrics.ts';
import { balance, openPipeline, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { openPipelineApi } from '../setup/pipeline-api.ts';
import { makeCall, makeRow } from '../setup/rows.ts';

/** What a gateway emits beside the three for one request in plain text. */
const EMPTY = [
  ...[METRIC_NAMES.audioPrompt, METRIC_NAMES.audioCompletion],
  ...[METRIC_NAMES.acceptedPrediction, METRIC_NAMES.rejectedPrediction, PREVIEW_METRIC_NAME],
];
const PERIOD = 'from=2026-10-01&to=2026-10-02';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

const beside = (metricName: string, sum: number | string, minute = 1) =>
  makeRow({ metricName, sum, max: Number(sum), eventMs: START_MS + minute * 60_000 });

async function openApi() {
  const ask = await openPipelineApi(pipeline);
  return async (path: string): Promise<string> => {
    const response = await ask(path);
    expect(response.status, path).toBe(200);
    return await response.text();
  };
}

describe('metrics that nobody knows', () => {
  it('are noted by their names while they count nothing, however many rows there are', async () => {
    pipeline = await openPipeline();
    for (let minute = 1; minute <= 30; minute += 1) {
      pipeline.traffic.inject([
        ...makeCall({ minute }),
        ...EMPTY.map((metricName) => beside(metricName, 0, minute)),
        beside('Prompt Vision Tokens', '0.0', minute),
      ]);
    }
    await pipeline.tick(2);
    await pipeline.tick(1);
    const { database } = pipeline.deps;
    const ask = await openApi();
    const status = JSON.parse(await ask('/v1/status'));
    expect(status.quarantine).toEqual([]);
    const noted = await database.selectFrom('noted_metrics').selectAll().orderBy('metric_name').execute();
    expect(noted.filter(({ metric_name }) => metric_name === PREVIEW_METRIC_NAME)).toMatchObject([
      { source: 'app-metrics', row_count: 30n },
    ]);
    expect(noted.map(({ metric_name }) => metric_name)).toContain('Prompt Vision Tokens');
    const names = await database.selectFrom('source_items').select('metric_name').distinct().execute();
    expect(names.map(({ metric_name }) => metric_name)).not.toContain(PREVIEW_METRIC_NAME);
    expect(status.notedMetrics).toHaveLength(noted.length);
    expect(JSON.parse(await ask(`/v1/coverage?${PERIOD}`)).notedMetrics).toHaveLength(noted.length);
    expect(await balance(pipeline)).toMatchObject({ source: 3_600n, billed: 3_600n, due: 0n, drift: 0n });
  });

  it('wait with their name and tokens as soon as they count something, wherever what waits is shown', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject([
      ...makeCall({}),
      ...[
        beside(PREVIEW_METRIC_NAME, 700),
        beside(PREVIEW_METRIC_NAME, 30, 2),
        beside(PREVIEW_METRIC_NAME, 0, 3),
      ],
      beside('Prompt Vision Tokens', 5),
    ]);
    await pipeline.tick(2);
    await pipeline.tick(1);
    const ask = await openApi();

    const quarantine = JSON.parse(await ask('/v1/quarantine'));
    const summary = [
      { reason: 'unknown_metric', metricName: PREVIEW_METRIC_NAME, rowCount: '2', tokenCount: '730' },
      { reason: 'unknown_metric', metricName: 'Prompt Vision Tokens', rowCount: '1', tokenCount: '5' },
    ];
    expect(quarantine.entries).toMatchObject(summary);
    expect(quarantine.entries[1].examples).toMatchObject([
      { metricName: 'Prompt Vision Tokens', tokenCount: '5' },
    ]);
    expect(
      quarantine.items.map((item: Record<string, string>) => [item.metricName, item.tokenCount]),
    ).toEqual(
      expect.arrayContaining([
        [PREVIEW_METRIC_NAME, '700'],
        [PREVIEW_METRIC_NAME, '30'],
        ['Prompt Vision Tokens', '5'],
      ]),
    );
    expect(JSON.parse(await ask('/v1/status')).quarantine).toMatchObject(summary);
    expect(await ask('/metrics')).toContain(
      `tallystick_quarantined_tokens{stage="source_item",reason="unknown_metric",metric="${PREVIEW_METRIC_NAME}"} 730`,
    );
    const waiting = summary.map(({ reason: _, ...metric }) => metric);
    expect(JSON.parse(await ask(`/v1/drift?${PERIOD}`)).unknownMetrics).toEqual(waiting);
    expect(JSON.parse(await ask(`/v1/drift?${PERIOD}&customerId=northwind`)).unknownMetrics).toEqual(waiting);
    expect(JSON.parse(await ask(`/v1/drift?${PERIOD}&customerId=fabrikam`)).unknownMetrics).toEqual([]);
    expect(JSON.parse(await ask(`/v1/coverage?${PERIOD}`)).unknownMetrics).toEqual(waiting);
    const close = {
      ...{ invoiceId: 'in_1', customerId: 'northwind' },
      ...{ periodStart: new Date(START_MS), periodEnd: new Date('2026-11-01T00:00:00Z') },
    };
    const ofCloses = await readHeldMetricsOfCloses(pipeline.deps.database, [close]);
    expect((ofCloses.get('in_1') ?? []).map(showHeldMetric)).toEqual(waiting);
    // They are part of something that is billed already, or not: no sum of tokens holds them.
    expect(await balance(pipeline)).toMatchObject({ source: 120n, billed: 120n, quarantined: 0n, drift: 0n });
  });

  it('are told of by the sandbox as by a live gateway, and with a count where a fault says so', async () => {
    pipeline = await openPipeline({ scenario: { dayCount: 1 } });
    await pipeline.faults.set({ azure: { previewMetricPercent: 20 } });
    while (pipeline.clock.nowMs() < pipeline.traffic.lastIngestionMs) await pipeline.tick(6);
    const { database } = pipeline.deps;
    const noted = await database.selectFrom('noted_metrics').select('metric_name').execute();
    expect(noted.map(({ metric_name }) => metric_name)).toContain(PREVIEW_METRIC_NAME);
    const held = await database
      .selectFrom('source_items')
      .select(['metric_name', ({ fn }) => fn.sum<string>('token_count').as('tokens')])
      .where('quarantine_reason', '=', 'unknown_metric')
      .groupBy('metric_name')
      .execute();
    expect(held.map(({ metric_name }) => metric_name)).toEqual([PREVIEW_METRIC_NAME]);
    expect(Number(held[0]?.tokens)).toBeGreaterThan(0);
  });
});

describe('doctor', () => {
  const examine = async (namespace?: string) => {
    const config = loadConfig({
      ...pipeline.azureEnvironment,
      ...(namespace === undefined ? {} : { METRIC_NAMESPACE: namespace }),
    });
    const source = createAppMetricsSource(config, { retryTools: { sleep: async () => {} } });
    return await checkAzure(source, config, pipeline.clock.now());
  };

  it('names metrics that the collector will hold, and those that it only notes', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject([
      ...makeCall({}),
      ...[beside(PREVIEW_METRIC_NAME, 7), beside('Prompt Vision Tokens', 0)],
    ]);
    pipeline.advance(2);
    const findings = await examine();
    expect(findings).toContainEqual(
      expect.objectContaining({
        verdict: 'look',
        what: expect.stringMatching(
          /^Completion Thinking Tokens: .* 1 rows in 7 days count 7 tokens: .* unknown_metric/,
        ),
      }),
    );
    expect(findings).toContainEqual(
      expect.objectContaining({
        verdict: 'good',
        what: expect.stringMatching(/^Prompt Vision Tokens: .* all of them 0: noted/),
      }),
    );
    expect(findings.filter(({ verdict }) => verdict === 'bad')).toEqual([]);
  });

  it('says when METRIC_NAMESPACE filters everything away, or some', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject(makeCall({}));
    pipeline.advance(2);
    expect(await examine('openai')).toContainEqual(
      expect.objectContaining({
        verdict: 'bad',
        what: 'METRIC_NAMESPACE "openai" hides all of 3 rows of the last 7 days',
      }),
    );
    pipeline.traffic.inject(makeCall({ minute: 4, dimensions: { '_MS.MetricNamespace': 'openai' } }));
    expect(await examine('openai')).toContainEqual(
      expect.objectContaining({
        verdict: 'look',
        what: 'METRIC_NAMESPACE "openai" hides 3 of 6 rows of the last 7 days',
      }),
    );
    expect((await examine()).filter(({ what }) => what.includes('METRIC_NAMESPACE'))).toEqual([]);
  });

  it('says when a minute has just about so many users as a metrics SDK lets through', async () => {
    pipeline = await openPipeline();
    const crowd = (count: number, minute: number) =>
      Array.from({ length: count }, (_, index) =>
        makeCall({ minute, dimensions: { userId: `user-${index}` } }),
      ).flat();
    pipeline.traffic.inject([...crowd(30, 1), ...crowd(100, 2)]);
    pipeline.advance(2);
    expect(await examine()).toContainEqual(
      expect.objectContaining({ verdict: 'look', what: expect.stringContaining('has 100 users') }),
    );
    pipeline.traffic.inject(crowd(200, 3));
    expect((await examine()).filter(({ what }) => what.includes('users'))).toEqual([]);
  });
});
