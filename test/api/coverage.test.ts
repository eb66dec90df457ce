import { afterEach, describe, expect, it } from 'vitest';
import { createApiKey } from '../../src/identity/api-keys.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { createApp } from '../../src/service/app.ts';
import type { CoverageBody } from '../../src/usage/coverage/routes.ts';
import { makeGatewayRow, makeLlmRow } from '../setup/log-rows.ts';
import { openPipeline, type Pipeline, type PipelineOptions, START_MS } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

describe('the coverage report', () => {
  let pipeline: Pipeline | undefined;
  afterEach(() => pipeline?.close());

  const metricsBill = { usageSource: 'metrics', controlSource: 'llm-log' } as const;

  async function open(options: PipelineOptions = metricsBill) {
    pipeline = await openPipeline(options);
    return pipeline;
  }

  async function call(
    opened: Pipeline,
    path: string,
    scope: 'finance' | 'sales' = 'finance',
    accept = '*/*',
  ) {
    const { database, clock, billing } = opened.deps;
    const { plainKey } = await createApiKey(database, {
      name: scope,
      scopes: [scope],
      actor: 'test',
      now: clock.now(),
    });
    const api = createApp({ database, clock, billing, version: '0.0.0-test' });
    return await api.request(path, { headers: { authorization: `Bearer ${plainKey}`, accept } });
  }

  async function report(opened: Pipeline, query = 'from=2026-10-01&to=2026-10-02'): Promise<CoverageBody> {
    const response = await call(opened, `/v1/coverage?${query}`);
    expect(response.status, await response.clone().text()).toBe(200);
    return (await response.json()) as CoverageBody;
  }

  /** One request in both logs, and its metric rows. */
  function request(
    opened: Pipeline,
    id: string,
    given: {
      hour?: number;
      llm?: Parameters<typeof makeLlmRow>[0] | null;
      gateway?: Parameters<typeof makeGatewayRow>[0] | null;
      metric?: Parameters<typeof makeCall>[0] | null;
    } = {},
  ) {
    const hour = given.hour ?? 0;
    const eventMs = START_MS + hour * HOUR_MS + 60_000;
    const common = { correlationId: id, eventMs };
    if (given.metric !== null) opened.traffic.inject(makeCall({ hour, ...given.metric }));
    opened.requestLog.inject({
      ...(given.llm === null ? {} : { llm: [makeLlmRow({ itemId: id, ...common, ...given.llm })] }),
      ...(given.gateway === null ? {} : { gateway: [makeGatewayRow({ ...common, ...given.gateway })] }),
    });
  }

  const collect = async (opened: Pipeline, hours = 8) => {
    opened.advance(hours);
    await opened.run('collect-usage', 'collect-control');
  };
  const reasons = (row: { differences: CoverageBody['totals']['differences'] } | undefined) =>
    Object.fromEntries(
      (row?.differences ?? []).map(({ reason, requestCount, tokenCount }) => [
        reason,
        [requestCount, tokenCount],
      ]),
    );

  it('is silent where both sources saw the same', async () => {
    const opened = await open();
    request(opened, 'r1');
    request(opened, 'r2');
    await collect(opened);
    const coverage = await report(opened);
    expect(coverage.billingSource?.source).toBe('app-metrics');
    expect(coverage.controlSource).toEqual({
      source: 'llm-log',
      collectedThrough: '2026-10-01T07:50:00.000Z',
    });
    expect(coverage.rows).toEqual([
      {
        windowStart: '2026-10-01T00:00:00.000Z',
        model: 'gpt-4o',
        billing: { tokenCount: '240', requestCount: '2' },
        control: { tokenCount: '240', requestCount: '2' },
        differenceTokenCount: '0',
        differences: [],
      },
    ]);
    expect(coverage.totals).toMatchObject({ differenceTokenCount: '0', differences: [] });
  });

  it.each([
    ['a request that the log lost', { llm: null }, 'missing_in_log', ['1', null], '120'],
    ['a metric that never came', { metric: null }, 'missing_in_metrics', ['1', null], '-120'],
    [
      'a stream without usage, estimated in the metric',
      { llm: { isStream: true, promptTokens: 0, completionTokens: 0, totalTokens: 0 } },
      'stream_without_usage',
      ['1', null],
      '120',
    ],
    [
      'a stream with usage, estimated in the metric',
      { llm: { isStream: true, completionTokens: 17, totalTokens: 117 } },
      'streaming_estimate',
      ['1', '117'],
      '3',
    ],
    [
      'an answer without counts',
      { llm: { promptTokens: null, completionTokens: null, totalTokens: null } },
      'no_token_count',
      ['1', null],
      '120',
    ],
    [
      'a refused request',
      {
        llm: { promptTokens: 0, completionTokens: 0, totalTokens: 0 },
        gateway: { responseCode: 429 },
        metric: null,
      },
      'request_failed',
      ['1', '0'],
      '0',
    ],
    [
      'counts that only the metric has wrong',
      { llm: { promptTokens: 90, totalTokens: 110 } },
      'unexplained',
      [null, '10'],
      '10',
    ],
  ] as const)('names %s', async (_title, given, reason, amounts, difference) => {
    const opened = await open();
    request(opened, 'r1', given);
    await collect(opened);
    const coverage = await report(opened);
    expect(coverage.totals.differenceTokenCount).toBe(difference);
    expect(reasons(coverage.rows[0])).toEqual({ [reason]: amounts });
    const totals = reasons(coverage.totals);
    expect(totals).toEqual({ [reason]: amounts });
  });

  it('names requests without our trace and without a gateway log, and counts that stand twice', async () => {
    const opened = await open();
    const llm = { modelName: 'gpt-4o' };
    request(opened, 'untraced', { llm, gateway: { traceRecords: [] } });
    request(opened, 'unjoined', { llm, gateway: null });
    request(opened, 'twice');
    request(opened, 'twice', { llm: { itemId: 'other', sequenceNumber: 1 }, gateway: null, metric: null });
    await collect(opened);
    const coverage = await report(opened);
    expect(coverage.totals.differenceTokenCount).toBe('0');
    expect(reasons(coverage.rows[0])).toEqual({
      no_trace: ['1', '120'],
      gateway_log_late: ['1', '120'],
      repeated_rows: ['1', '120'],
    });
  });

  it('does not blame the metrics for a request that goes by another model for want of its caller', async () => {
    const opened = await open();
    request(opened, 'r1', { gateway: null });
    await collect(opened);
    const { rows } = await report(opened);
    expect(rows.map((row) => [row.model, row.differenceTokenCount, reasons(row)])).toEqual([
      ['gpt-4o', '120', { missing_in_log: ['1', null] }],
      ['gpt-4o-2024-11-20', '-120', { gateway_log_late: ['1', '120'] }],
    ]);
  });

  it('says that an hour is not collected yet, instead of guessing', async () => {
    const opened = await open();
    request(opened, 'r1', { hour: 5 });
    opened.advance(6);
    await opened.run('collect-usage');
    opened.advance(0.1);
    await opened.run('collect-control');
    expect(reasons((await report(opened)).rows[0])).toHaveProperty('not_collected_yet');
    opened.advance(4);
    await opened.run('collect-usage', 'collect-control');
    expect(reasons((await report(opened)).rows[0])).toEqual({});
  });

  it('reads the same world the other way round when the log bills', async () => {
    const opened = await open({ usageSource: 'llm-log', controlSource: 'metrics' });
    request(opened, 'r1', { llm: null });
    request(opened, 'r2', { hour: 1, metric: null });
    await collect(opened);
    const coverage = await report(opened);
    expect(coverage.rows.map((row) => [row.differenceTokenCount, Object.keys(reasons(row))])).toEqual([
      ['-120', ['missing_in_log']],
      ['120', ['missing_in_metrics']],
    ]);
    // One source's gap of one hour is not filled by the other's of another.
    expect(coverage.totals.differenceTokenCount).toBe('0');
    expect(Object.keys(reasons(coverage.totals))).toEqual(['missing_in_log', 'missing_in_metrics']);
  });

  it('accounts for a whole world: every difference has a reason', async () => {
    const opened = await open({
      ...metricsBill,
      scenario: { seed: 5, dayCount: 1, customerCount: 3, userCount: 5 },
    });
    await collect(opened, 48);
    const coverage = await report(opened, 'from=2026-10-01&to=2026-10-03&limit=1000');
    expect(BigInt(coverage.totals.billing.tokenCount)).toBe(opened.traffic.tokenTotal());
    expect(coverage.rows.length).toBeGreaterThan(10);
    for (const row of coverage.rows) {
      if (row.differenceTokenCount !== '0') expect(row.differences).not.toEqual([]);
      expect(reasons(row)).not.toHaveProperty('unexplained');
    }
    expect(Object.keys(reasons(coverage.totals))).toEqual(
      expect.arrayContaining([
        'stream_without_usage',
        'streaming_estimate',
        'request_failed',
        'repeated_rows',
      ]),
    );
  });

  it('shows the source that bills alone where there is no control', async () => {
    const opened = await open({ usageSource: 'llm-log' });
    request(opened, 'r1');
    opened.advance(8);
    await opened.run('collect-usage');
    const coverage = await report(opened);
    expect(coverage.controlSource).toBeNull();
    expect(coverage.rows).toMatchObject([
      { control: null, differenceTokenCount: null, differences: [], billing: { tokenCount: '120' } },
    ]);
  });

  it('pages by hour and model, and as CSV', async () => {
    const opened = await open();
    for (const hour of [0, 1, 2]) request(opened, `r${hour}`, { hour, metric: hour === 1 ? null : {} });
    await collect(opened);
    const hours: string[] = [];
    let cursor: string | null = '';
    for (let page = 0; cursor !== null && page < 5; page += 1) {
      const more: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const coverage: CoverageBody = await report(opened, `from=2026-10-01&to=2026-10-02&limit=2${more}`);
      hours.push(...coverage.rows.map((row) => row.windowStart));
      expect(coverage.totals.billing.tokenCount).toBe('240');
      cursor = coverage.nextCursor;
    }
    expect(hours).toEqual([0, 1, 2].map((hour) => new Date(START_MS + hour * HOUR_MS).toISOString()));
    const csv = await call(opened, '/v1/coverage?from=2026-10-01&to=2026-10-02', 'finance', 'text/csv');
    const rows = (await csv.text()).trimEnd().split('\r\n');
    expect(rows).toHaveLength(4);
    expect(rows.slice(0, 3)).toEqual([
      'windowStart,model,billingTokenCount,controlTokenCount,differenceTokenCount,billingRequestCount,controlRequestCount,not_collected_yet,missing_in_log,missing_in_metrics,stream_without_usage,streaming_estimate,no_token_count,no_trace,gateway_log_late,repeated_rows,request_failed,unexplained',
      '2026-10-01T00:00:00.000Z,gpt-4o,120,120,0,1,1,,,,,,,,,,,',
      '2026-10-01T01:00:00.000Z,gpt-4o,0,120,-120,0,1,,,1,,,,,,,,',
    ]);
  });

  it('is for finance, for at most 35 days, and for whole hours', async () => {
    const opened = await open();
    expect((await call(opened, '/v1/coverage?from=2026-10-01&to=2026-10-02', 'sales')).status).toBe(403);
    for (const query of [
      'from=2026-10-01&to=2026-11-06',
      'from=2026-10-01T00:30:00Z&to=2026-10-02',
      'from=2026-10-02&to=2026-10-01',
      'from=2026-10-01',
      'from=2026-10-01&to=2026-10-02&cursor=x',
      'from=2026-10-01&to=2026-10-02&model=gpt-4o',
    ]) {
      expect((await call(opened, `/v1/coverage?${query}`)).status, query).toBe(400);
    }
  });
});
