import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { completePriceRow } from '../../pricing/prices/rows.ts';
import type { TrafficRow } from '../../sandbox/traffic/row.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { changePriceBook } from '../../src/prices/book-changes.ts';
import { makeGatewayRow, makeLlmRow } from '../setup/log-rows.ts';
import { balance, openPipeline, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { dimensions, makeRow } from '../setup/rows.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

interface Request {
  minute?: number;
  hour?: number;
  model?: string;
  /** Tokens by the name of the metric; a metric that is left out is not emitted. */
  tokens: Record<string, number>;
  ingestedAtHour?: number;
}

/** The rows of one request, as a gateway emits them that tells these metrics. */
function request({ minute = 1, hour = 0, model = 'gpt-4o-audio-preview', tokens, ingestedAtHour }: Request) {
  const eventMs = START_MS + hour * HOUR_MS + minute * 60_000;
  return Object.entries(tokens).map(
    ([metricName, sum]): TrafficRow =>
      makeRow({
        eventMs,
        ingestedMs: ingestedAtHour === undefined ? eventMs + 120_000 : START_MS + ingestedAtHour * HOUR_MS,
        metricName,
        sum,
        max: sum,
        properties: dimensions({ model, deployment: 'speech' }),
      }),
  );
}

const WHOLE = { 'Prompt Tokens': 600, 'Completion Tokens': 900, 'Total Tokens': 1_500 };
const AUDIO = { 'Prompt Audio Tokens': 500, 'Completion Audio Tokens': 800 };
const NO_AUDIO = { 'Prompt Audio Tokens': 0, 'Completion Audio Tokens': 0 };

async function bringThrough(...requests: Request[]) {
  pipeline = await openPipeline();
  pipeline.traffic.inject(requests.flatMap(request));
  for (let tick = 0; tick < 5; tick += 1) await pipeline.tick(1);
}

/** What usage cost in all, as far as it is known; and the tokens whose cost is not, by reason. */
async function costs() {
  const { rows } = await sql<{ reason: string | null; tokens: string; cost: string | null }>`
    select reason, sum(token_count)::text as tokens, sum(cost_pico_usd)::text as cost from daily_costs
    group by reason order by reason nulls first`.execute(pipeline.deps.database);
  return rows.map(({ reason, tokens, cost }) => [
    reason,
    Number(tokens),
    cost === null ? null : Number(cost) / 1e12,
  ]);
}

describe('audio in usage', () => {
  it('costs what the book says of audio: 0.08525 USD', async () => {
    await bringThrough({ tokens: { ...WHOLE, ...AUDIO } });
    expect(await costs()).toEqual([[null, 1_500, 0.08525]]);
  });

  it('that nobody told of makes the cost unknown, and is not called text', async () => {
    await bringThrough({ tokens: WHOLE });
    expect(await costs()).toEqual([['audio_not_told', 1_500, null]]);
  });

  it('that is told to be none is none', async () => {
    await bringThrough({ tokens: { ...WHOLE, ...NO_AUDIO } });
    expect(await costs()).toEqual([[null, 1_500, 0.0105]]);
  });

  it('is not told of an hour in which one request did not tell', async () => {
    await bringThrough(
      { tokens: { ...WHOLE, ...AUDIO } },
      { minute: 2, tokens: WHOLE },
      { hour: 1, tokens: { ...WHOLE, ...AUDIO } },
    );
    // The audio of the first hour is known to be audio, whatever the rest is.
    const [known, unknown] = await costs();
    expect(known).toEqual([null, 1_500 + 1_300, 0.08525 + 0.084]);
    expect(unknown).toEqual(['audio_not_told', 1_700, null]);
  });

  it('does not matter to a model without a price for it', async () => {
    await bringThrough({ model: 'gpt-4o', tokens: WHOLE });
    expect(await costs()).toEqual([[null, 1_500, 0.0105]]);
  });

  it('becomes known when its rows come late, those of no tokens too', async () => {
    await bringThrough({ tokens: WHOLE }, { tokens: NO_AUDIO, ingestedAtHour: 4 });
    for (let tick = 0; tick < 3; tick += 1) await pipeline.tick(1);
    expect(await costs()).toEqual([[null, 1_500, 0.0105]]);
  });

  it('waits, named, where nothing sells it, and is billed neither as text nor at nothing', async () => {
    await bringThrough({ model: 'gpt-4o', tokens: { ...WHOLE, ...AUDIO } });
    expect(await balance(pipeline)).toMatchObject({
      source: 1_500n,
      billed: 200n,
      byReason: { no_binding: 1_300n },
      drift: 0n,
    });
    // The book has no price of audio for it either.
    expect(await costs()).toEqual([
      [null, 200, 0.00125],
      ['no_price_for_token_type', 1_300, null],
    ]);
  });
});

describe('cache writes, which the metrics do not tell', () => {
  it('leave the cost of the known part, with the reason', async () => {
    await bringThrough();
    await changePriceBook(pipeline.deps.database, {
      kind: 'add',
      actor: 'test',
      reason: 'a model of another maker',
      now: pipeline.clock.now(),
      change: {
        rows: (
          [
            ['prompt', '3'],
            ['prompt_cache_write_5m', '3.75'],
            ['completion', '15'],
          ] as const
        ).map(([tokenType, amount]) => completePriceRow({ model: 'claude-sonnet-4', tokenType, amount })),
        supersede: false,
        addModels: true,
      },
    });
    pipeline.traffic.inject(
      request({
        hour: 6,
        model: 'claude-sonnet-4',
        tokens: { 'Prompt Tokens': 1_000, 'Completion Tokens': 100, 'Total Tokens': 1_100 },
      }),
    );
    for (let tick = 0; tick < 5; tick += 1) await pipeline.tick(1);
    expect(await costs()).toEqual([[null, 1_100, 0.0045]]);
    const noted = await pipeline.deps.database
      .selectFrom('daily_costs')
      .select(['token_type', 'price_notes'])
      .where('model', '=', 'claude-sonnet-4')
      .orderBy('token_type')
      .execute();
    expect(noted.map(({ token_type, price_notes }) => [token_type, price_notes])).toEqual([
      ['completion', []],
      ['prompt', ['cache_writes_not_told']],
    ]);
  });
});

describe('the log of each request', () => {
  const CLAUDE = 'claude-sonnet-4';
  const request = (usage: Record<string, string> | null) => ({
    llm: [
      makeLlmRow({
        deploymentName: '',
        modelName: CLAUDE,
        promptTokens: 1_000,
        completionTokens: 100,
        totalTokens: 1_100,
      }),
    ],
    gateway: [
      makeGatewayRow({
        traceRecords: [
          {
            source: 'tallystick',
            message: 'caller',
            metadata: dimensions({ model: CLAUDE, deployment: '' }),
          },
          ...(usage === null ? [] : [{ source: 'tallystick', message: 'usage', metadata: usage }]),
        ],
      }),
    ],
  });
  const told = async () =>
    await pipeline.deps.database
      .selectFrom('measured_figures')
      .select(['token_kind', 'measurement_count', 'token_count'])
      .where('token_kind', 'not in', ['prompt', 'completion', 'total'])
      .orderBy('token_kind')
      .execute();

  it('tells what a trace of the answer’s usage says, none of it too', async () => {
    pipeline = await openPipeline({ usageSource: 'llm-log' });
    pipeline.requestLog.inject(
      request({ cache_write_5m_tokens: '0', cache_write_1h_tokens: '40', reasoning_tokens: '' }),
    );
    for (let tick = 0; tick < 3; tick += 1) await pipeline.tick(1);
    expect(await told()).toEqual([
      { token_kind: 'cache_write_1h', measurement_count: 1n, token_count: 40n },
      { token_kind: 'cache_write_5m', measurement_count: 1n, token_count: 0n },
    ]);
  });

  it('tells none of it without one', async () => {
    pipeline = await openPipeline({ usageSource: 'llm-log' });
    pipeline.requestLog.inject(request(null));
    for (let tick = 0; tick < 3; tick += 1) await pipeline.tick(1);
    expect(await told()).toEqual([]);
  });
});
