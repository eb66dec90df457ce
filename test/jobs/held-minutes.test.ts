import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { backfillUsage } from '../../jobs/collect/collect-usage.ts';
import { readProviders } from '../../pricing/usage/providers.ts';
import type { FigureName } from '../../pricing/usage/shape.ts';
import { FIGURES } from '../../pricing/usage/shape.ts';
import type { TrafficRow } from '../../sandbox/traffic/row.ts';
import { checkProviders } from '../../src/command-line/doctor/provider-checks.ts';
import { HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import { acceptEntry } from '../../src/quarantine/accept.ts';
import { writeOffEntry } from '../../src/quarantine/desk.ts';
import { listQuarantine } from '../../src/quarantine/entries.ts';
import { readDriftReport } from '../../src/reconciliation/drift-report.ts';
import { balance, openPipeline, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { dimensions, makeRow } from '../setup/rows.ts';
import { requestEntryRetry } from './retry-entry.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

const CLAUDE = 'claude-sonnet-4-5';
const BUILT_IN = readProviders({});

type Told = Partial<Record<FigureName, number>>;

/** Rows of one minute, a row for each figure; indexed `afterMinutes` after it. */
function minute(
  told: Told,
  { model = 'gpt-4o', at = 1, afterMinutes = 2 }: { model?: string; at?: number; afterMinutes?: number } = {},
): TrafficRow[] {
  const eventMs = START_MS + at * MINUTE_MS;
  return Object.entries(told).map(([figure, sum]) =>
    makeRow({
      itemId: randomUUID(),
      eventMs,
      ingestedMs: eventMs + afterMinutes * MINUTE_MS,
      metricName: FIGURES[figure as FigureName].metricNames[0] ?? '',
      sum,
      max: sum,
      properties: dimensions({ model }),
    }),
  );
}

async function open(rows: TrafficRow[], providers = BUILT_IN): Promise<void> {
  pipeline = await openPipeline({ settings: { providers } });
  pipeline.traffic.inject(rows);
}
const ticks = async (count: number) => {
  for (let tick = 0; tick < count; tick += 1) await pipeline.tick(1);
};
const waiting = () =>
  listQuarantine(pipeline.deps.database, { stage: 'source_item' }, { after: null, limit: 100 });
const held = async () => (await waiting()).map(({ reason, detail }) => `${reason}: ${detail}`);
const by = () => ({ actor: 'test', now: pipeline.clock.now() });

/** Settled usage by token type, and requests. */
async function settled() {
  const rows = await sql<{ type: string; tokens: bigint }>`
    select token_type as type, sum(delta_token_count)::bigint as tokens from hourly_usage group by 1 order by 1`.execute(
    pipeline.deps.database,
  );
  const requests = await sql<{ count: bigint }>`
    select coalesce(sum(request_count), 0)::bigint as count from usage_events`.execute(
    pipeline.deps.database,
  );
  return {
    ...Object.fromEntries(rows.rows.map((row) => [row.type, row.tokens])),
    requests: requests.rows[0]?.count,
  };
}

describe('a provider that counts cached tokens beside the prompt', () => {
  it('has each token billed as what it is, to the hour', async () => {
    // As reported of live traffic: one user-hour.
    const told = { prompt: 319_709, cachedPrompt: 6_803_708, completion: 151_594 };
    await open(minute({ ...told, total: 319_709 + 6_803_708 + 151_594 }, { model: CLAUDE }));
    await ticks(3);
    expect(await settled()).toEqual({
      prompt: 319_709n,
      prompt_cached: 6_803_708n,
      completion: 151_594n,
      requests: 1n,
    });
    expect(await waiting()).toEqual([]);
    // Nothing is sold under this name here: it waits for its binding, every token of it.
    const { collected, byReason } = await balance(pipeline);
    expect([collected, byReason]).toEqual([7_275_011n, { no_binding: 7_275_011n }]);
  });

  it('may call either sum a total, and nothing but the request depends on it', async () => {
    const told = { prompt: 3, cachedPrompt: 1_313, completion: 50 };
    await open([
      ...minute({ ...told, total: 1_366 }, { model: CLAUDE }),
      ...minute({ ...told, total: 53 }, { model: CLAUDE, at: 2 }),
    ]);
    await ticks(3);
    expect(await settled()).toEqual({ prompt: 6n, prompt_cached: 2_626n, completion: 100n, requests: 2n });
  });

  it('is no reading for a model of another: what fits its sum waits whole', async () => {
    await open(minute({ prompt: 3, cachedPrompt: 1_313, completion: 50, total: 1_366 }));
    await ticks(3);
    expect(await settled()).toEqual({ requests: 0n });
    expect(await held()).toEqual(
      Array(4).fill('counts_disagree: total 1366, but prompt 3 + completion 50 = 53 as openai counts'),
    );
  });

  it('may be named for a model later: what was sent stays, what comes and what waits follow the new rule', async () => {
    const model = 'house-model';
    const named = (provider: string) => readProviders({ modelProviders: `house-*=${provider}` });
    await open(
      [
        ...minute({ prompt: 10, cachedPrompt: 4, completion: 1, total: 11 }, { model }),
        ...minute({ prompt: 3, cachedPrompt: 13, completion: 5, total: 21 }, { model, at: 2 }),
      ],
      named('openai'),
    );
    await ticks(3);
    expect(await settled()).toEqual({ prompt: 6n, prompt_cached: 4n, completion: 1n, requests: 1n });
    pipeline.deps.settings.providers = named('anthropic');
    pipeline.traffic.inject(
      minute({ prompt: 10, cachedPrompt: 4, completion: 1, total: 15 }, { model, at: 200 }),
    );
    await ticks(3);
    expect((await waiting()).length).toBe(4);
    await requestEntryRetry(pipeline, 'counts_disagree');
    await ticks(3);
    expect(await waiting()).toEqual([]);
    expect(await settled()).toEqual({
      prompt: 6n + 10n + 3n,
      prompt_cached: 4n + 4n + 13n,
      completion: 7n,
      requests: 3n,
    });
  });

  it('waits where nobody named one, and comes free by itself once the configuration does', async () => {
    await open(minute({ prompt: 10, cachedPrompt: 14, completion: 1, total: 25 }, { model: 'Mystery-1' }));
    await ticks(3);
    expect(await settled()).toEqual({ requests: 0n });
    expect(new Set((await waiting()).map(({ reason }) => reason))).toEqual(new Set(['no_provider']));
    const { database } = pipeline.deps;
    expect(await checkProviders(database, BUILT_IN)).toMatchObject([
      {
        verdict: 'bad',
        what: expect.stringMatching(/^4 rows of the model "Mystery-1", the last of 2026-10-01T00:01/),
      },
    ]);
    const providers = readProviders({ modelProviders: 'mystery-*=anthropic' });
    pipeline.deps.settings.providers = providers;
    expect(await checkProviders(database, providers)).toMatchObject([{ verdict: 'look' }]);
    await ticks(2);
    expect(await checkProviders(database, BUILT_IN)).toEqual([]);
    expect(await settled()).toEqual({ prompt: 10n, prompt_cached: 14n, completion: 1n, requests: 1n });
    expect(await waiting()).toEqual([]);
  });
});

describe('a minute whose figures contradict each other', () => {
  it('waits whole, is seen as quarantined, and comes free when the missing row comes late', async () => {
    await open(minute({ completion: 20, total: 120 }));
    await ticks(3);
    const sums = 'counts_disagree: total 120, but prompt 0 + completion 20 = 20 as openai counts';
    expect(await held()).toEqual([sums, sums]);
    expect(await balance(pipeline)).toMatchObject({ billed: 0n, quarantined: 20n, due: 0n, drift: 0n });
    const report = await readDriftReport(pipeline.deps.database, {
      window: { start: new Date(START_MS), end: new Date(START_MS + HOUR_MS) },
      customerId: null,
      withAgreeing: true,
      after: null,
      limit: 100,
    });
    expect(report).toMatchObject([
      { tokenType: 'completion', source: 20n, quarantined: 20n, difference: 0n, driftClass: 'quarantined' },
    ]);
    pipeline.traffic.inject(minute({ prompt: 100 }, { afterMinutes: 300 }));
    await ticks(5);
    expect(await waiting()).toEqual([]);
    expect(await settled()).toEqual({ prompt: 100n, completion: 20n, requests: 1n });
    expect(await balance(pipeline)).toMatchObject({ billed: 120n, quarantined: 0n, drift: 0n });
  });

  it('comes free when a rescan finds the row that no window showed', async () => {
    await open(minute({ completion: 20, total: 120 }));
    await ticks(3);
    pipeline.traffic.inject(minute({ prompt: 100 }));
    const start = new Date(START_MS);
    expect(await backfillUsage(pipeline.deps, { start, end: new Date(START_MS + HOUR_MS) })).toMatchObject({
      newRowCount: 1,
      usageEventCount: 1,
      quarantinedRowCount: 0,
    });
    // One event of all three: the minute became usage whole.
    await ticks(2);
    expect(await settled()).toEqual({ prompt: 100n, completion: 20n, requests: 1n });
  });

  it('comes to the same in whatever slices its rows come', async () => {
    const parts: Told[] = [{ prompt: 100 }, { cachedPrompt: 30 }, { completion: 20 }, { total: 120 }];
    // Each order of arrival is another minute; an hour apart, so that no slice joins two rows.
    const orders = permutations(parts);
    await open(
      orders.flatMap((order, at) =>
        order.flatMap((told, place) => minute(told, { at: at + 1, afterMinutes: 60 * (place + 1) })),
      ),
    );
    await ticks(8);
    expect(await waiting()).toEqual([]);
    expect(await settled()).toEqual({
      prompt: 70n * 24n,
      prompt_cached: 30n * 24n,
      completion: 20n * 24n,
      requests: 24n,
    });
  });

  it('is one minute of a model in whatever spelling its rows name it', async () => {
    await open([
      ...minute({ prompt: 100 }, { model: 'gpt-4o' }),
      ...minute({ total: 120 }, { model: ' GPT-4o', afterMinutes: 90 }),
      ...minute({ completion: 20 }, { model: 'Azure/GPT-4o', afterMinutes: 180 }),
    ]);
    await ticks(5);
    expect(await waiting()).toEqual([]);
    expect(await settled()).toEqual({ prompt: 100n, completion: 20n, requests: 1n });
  });

  it('is judged by what of it is no usage yet: what was sent stays', async () => {
    await open([
      ...minute({ prompt: 100 }),
      ...minute({ completion: 20, total: 999 }, { afterMinutes: 90 }),
      // Whole by itself, though not with what was sent and with what waits.
      ...minute({ prompt: 1, completion: 1, total: 2 }, { at: 2 }),
      ...minute({ prompt: 1, completion: 1, total: 2 }, { at: 2, afterMinutes: 90 }),
    ]);
    await ticks(4);
    expect(await settled()).toEqual({ prompt: 102n, completion: 2n, requests: 2n });
    expect(await held()).toEqual(
      Array(2).fill('counts_disagree: total 999, but prompt 100 + completion 20 = 120 as openai counts'),
    );
  });

  it('says what it says with all that has come of it', async () => {
    await open([...minute({ completion: 20, total: 200 }), ...minute({ prompt: 100 }, { afterMinutes: 90 })]);
    await ticks(4);
    expect(await held()).toEqual(
      Array(3).fill('counts_disagree: total 200, but prompt 100 + completion 20 = 120 as openai counts'),
    );
  });

  it('counts no request while its total is missing, and one when that has come', async () => {
    await open(minute({ prompt: 100, completion: 20 }));
    await ticks(3);
    expect(await settled()).toEqual({ prompt: 100n, completion: 20n, requests: 0n });
    pipeline.traffic.inject(minute({ total: 120 }, { afterMinutes: 240 }));
    await ticks(3);
    expect(await settled()).toEqual({ prompt: 100n, completion: 20n, requests: 1n });
  });

  it('waits without a person when a row of it is none that can be counted', async () => {
    const [prompt, ...rest] = minute({ prompt: 100, completion: 20, total: 120 });
    await open([{ ...(prompt as TrafficRow), sum: -100 }, ...rest]);
    await ticks(3);
    expect((await held()).sort()).toEqual([
      'counts_disagree: total 120, but prompt 0 + completion 20 = 20 as openai counts',
      'counts_disagree: total 120, but prompt 0 + completion 20 = 20 as openai counts',
      'negative: -100 tokens of 1 measurements as told, counted as none',
    ]);
  });
});

describe('a held minute at the desk', () => {
  const accept = async (reason = 'the row was lost') => {
    const [entry] = await waiting();
    return await acceptEntry(pipeline.deps.database, {
      quarantineId: entry?.quarantineId ?? '',
      reason,
      ...by(),
    });
  };

  it('is billed as told when a person accepts one of its entries, and stays right when the row comes after all', async () => {
    await open(minute({ completion: 20, total: 120 }));
    await ticks(3);
    expect(await accept()).toMatchObject({ rowCount: 2, tokenCount: 20n });
    await ticks(3);
    expect(await waiting()).toEqual([]);
    expect(await settled()).toEqual({ completion: 20n, requests: 1n });
    pipeline.traffic.inject(minute({ prompt: 100 }, { afterMinutes: 60 * 8 }));
    await ticks(5);
    expect(await settled()).toEqual({ prompt: 100n, completion: 20n, requests: 1n });
    expect(await balance(pipeline)).toMatchObject({ billed: 120n, quarantined: 0n, drift: 0n });
  });

  it('is refused when its parts have no place in their whole: nobody can say what to bill', async () => {
    await open(minute({ prompt: 3, cachedPrompt: 1_313, completion: 50, total: 1_366 }));
    await ticks(3);
    await expect(accept()).rejects.toThrow('cached prompt 1313 is part of prompt 3');
    await expect(accept(' ')).rejects.toThrow('reason');
    await ticks(1);
    expect((await waiting()).length).toBe(4);
  });

  it('is retried as it is, and written off row by row', async () => {
    await open(minute({ completion: 20, total: 120 }));
    await ticks(3);
    await requestEntryRetry(pipeline, 'counts_disagree');
    await ticks(1);
    const entries = await waiting();
    expect(entries.length).toBe(2);
    for (const { quarantineId } of entries) {
      await writeOffEntry(pipeline.deps.database, { quarantineId, reason: 'test', ...by() });
    }
    pipeline.traffic.inject(minute({ prompt: 100 }, { afterMinutes: 60 * 5 }));
    await ticks(4);
    // What was given up is judged no more; the late row is whole without it.
    expect(await balance(pipeline)).toMatchObject({ billed: 100n, writtenOff: 20n, quarantined: 0n });
  });

  it('is nothing to accept where it waits for itself', async () => {
    await open(minute({ prompt: 1 }, { model: 'Mystery-1' }));
    await ticks(2);
    await expect(accept()).rejects.toThrow('waits because of no_provider, which is nothing to accept');
  });
});

function permutations<One>(all: readonly One[]): One[][] {
  if (all.length === 0) return [[]];
  return all.flatMap((one, index) =>
    permutations(all.filter((_, other) => other !== index)).map((rest) => [one, ...rest]),
  );
}
