import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { renderUsageEvent } from '../../jobs/collect/build-events.ts';
import { recountUsage } from '../../jobs/recount/recount-usage.ts';
import { readProviders } from '../../pricing/usage/providers.ts';
import { FIGURES, type FigureName } from '../../pricing/usage/shape.ts';
import { MINUTE_MS } from '../../src/platform/clock.ts';
import { selectFigures, selectKey } from '../../src/usage/columns.ts';
import type { UsageEvent } from '../../src/usage/events/usage-events.ts';
import { balance, openPipeline, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { openPipelineApi } from '../setup/pipeline-api.ts';
import { dimensions, makeRow } from '../setup/rows.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

const CLAUDE = 'claude-sonnet-4-5';
const MONTH = new Date(START_MS).toISOString().slice(0, 7);

function inject(told: Partial<Record<FigureName, number>>, model: string, { at = 1, metricNames = {} } = {}) {
  const eventMs = START_MS + at * MINUTE_MS;
  pipeline.traffic.inject(
    Object.entries(told).map(([figure, sum]) =>
      makeRow({
        itemId: randomUUID(),
        eventMs,
        ingestedMs: Math.max(eventMs + 2 * MINUTE_MS, pipeline.clock.nowMs()),
        metricName:
          (metricNames as Record<string, string>)[figure] ??
          FIGURES[figure as FigureName].metricNames[0] ??
          '',
        sum,
        max: sum,
        properties: dimensions({ model }),
      }),
    ),
  );
}

/** What is collected of these rows is what the former version had of them: figures as told, whatever they say. */
async function collectFormerly(told: Partial<Record<FigureName, number>>, at: number): Promise<void> {
  pipeline.deps.settings.providers = readProviders({ modelProviders: 'claude*=openai' });
  // The same minute with a prompt that its cached tokens fit into; then as it was told.
  const { prompt = 0, cachedPrompt = 0, completion = 0 } = told;
  const fitting = prompt + cachedPrompt;
  inject({ ...told, prompt: fitting, total: fitting + completion }, CLAUDE, { at });
  pipeline.advance(2);
  await pipeline.run('collect-usage');
  const { database } = pipeline.deps;
  const found = await sql<Omit<UsageEvent, 'body'>>`
    select usage_event_id as "usageEventId", window_start as "windowStart", event_time as "eventTime", ${selectKey()}, ${selectFigures()}
    from usage_events where event_time = ${new Date(START_MS + at * MINUTE_MS)}`.execute(database);
  for (const event of found.rows) {
    const former = {
      ...event,
      promptTokenCount: BigInt(prompt),
      totalTokenCount: BigInt(prompt + completion),
    };
    await sql`update usage_events set prompt_token_count = ${prompt}, total_token_count = ${prompt + completion},
        body = ${renderUsageEvent(former)}, counting_version = 1, counted_formerly = ${cachedPrompt > prompt}
      where usage_event_id = ${event.usageEventId}`.execute(database);
    await sql`update source_items set token_count = case token_kind when 'prompt' then ${prompt}::bigint else ${prompt + completion}::bigint end
      where usage_event_id = ${event.usageEventId} and token_kind in ('prompt', 'total')`.execute(database);
  }
  expect(found.rows).toHaveLength(1);
  pipeline.deps.settings.providers = readProviders({});
}

const ticks = async (count: number) => {
  for (let tick = 0; tick < count; tick += 1) await pipeline.tick(1);
};

async function settled(): Promise<Record<string, bigint>> {
  const rows = await sql<{ type: string; tokens: bigint }>`
    select token_type as type, sum(delta_token_count)::bigint as tokens from hourly_usage group by 1 having sum(delta_token_count) <> 0
    order by 1`.execute(pipeline.deps.database);
  return Object.fromEntries(rows.rows.map((row) => [row.type, row.tokens]));
}

async function openApi() {
  const ask = await openPipelineApi(pipeline);
  return {
    list: async () => {
      const answer = await ask(`/v1/recounts?month=${MONTH}`);
      return ((await answer.json()) as { recounts: Record<string, unknown>[] }).recounts;
    },
    decide: async (act: 'approve' | 'reject', cause: string, month = MONTH) =>
      (await ask(`/v1/recounts/${act}`, { customerId: 'northwind', month, cause })).status,
  };
}

describe('usage that the former rules counted', () => {
  it('of a maker that tells cached tokens apart is billed once more only when a person approves it', async () => {
    pipeline = await openPipeline();
    // An hour that contradicts itself, as told of live traffic, and one that only looks sound.
    await collectFormerly({ prompt: 319, cachedPrompt: 6_803, completion: 151 }, 1);
    await collectFormerly({ prompt: 1_000, cachedPrompt: 300, completion: 20 }, 90);
    await ticks(4);
    // Cut by the hour, as it was billed.
    const formerly = { completion: 171n, prompt: 700n, prompt_cached: 319n + 300n };
    expect(await settled()).toEqual(formerly);
    // What the source told beside the prompt was neither metered nor billed.
    expect(await balance(pipeline)).toMatchObject({ drift: 7_103n, due: 0n });
    const api = await openApi();
    expect(await api.list()).toEqual([
      {
        customerId: 'northwind',
        month: MONTH,
        model: CLAUDE,
        cause: 'told_apart',
        tokens: [
          { tokenType: 'prompt', formerly: '700', now: '1319' },
          { tokenType: 'prompt_cached', formerly: '619', now: '7103' },
        ],
        told: null,
        proposal: ['late_item'],
        state: 'open',
      },
    ]);
    // Nothing moves by itself.
    await ticks(2);
    expect(await settled()).toEqual(formerly);
    expect(await api.decide('approve', 'told_apart')).toBe(202);
    expect(await api.decide('reject', 'told_apart')).toBe(409);
    await pipeline.run('sync-catalog');
    await ticks(4);
    expect(await settled()).toEqual({ completion: 171n, prompt: 1_319n, prompt_cached: 7_103n });
    const after = await balance(pipeline);
    expect(after).toMatchObject({ drift: 0n, due: 0n });
    expect(await api.list()).toEqual([]);
    // Done once, whoever runs it again.
    await pipeline.run('sync-catalog');
    await ticks(2);
    expect(await balance(pipeline)).toEqual(after);
  });

  it('without its audio stays billed as text until a person approves it', async () => {
    pipeline = await openPipeline();
    // The metric was unknown then; its rows wait under its name.
    const names = { promptAudio: 'Prompt Sound Tokens' };
    inject({ prompt: 600, completion: 20, total: 620 }, 'gpt-4o');
    pipeline.advance(0.5);
    await pipeline.run('collect-usage');
    await sql`update usage_events set counting_version = 1`.execute(pipeline.deps.database);
    inject({ promptAudio: 500 }, 'gpt-4o', { metricNames: names });
    await ticks(1);
    await sql`update source_items set metric_name = 'Prompt Audio Tokens', raw = jsonb_set(raw, '{metricName}', '"Prompt Audio Tokens"')
      where quarantine_reason = 'unknown_metric'`.execute(pipeline.deps.database);
    await ticks(3);
    await pipeline.run('sync-catalog');
    await ticks(2);
    expect(await settled()).toEqual({ completion: 20n, prompt: 600n });
    const api = await openApi();
    expect(await api.list()).toMatchObject([
      { cause: 'untold_parts', proposal: ['late_item', 'credit'], state: 'open' },
    ]);
    expect(await api.decide('approve', 'untold_parts')).toBe(202);
    await pipeline.run('sync-catalog');
    await ticks(4);
    expect(await settled()).toEqual({ completion: 20n, prompt: 100n, prompt_audio: 500n });
  });

  it('may be approved again when more of it has come to the customer', async () => {
    pipeline = await openPipeline();
    await collectFormerly({ prompt: 1_000, cachedPrompt: 300, completion: 20 }, 1);
    await collectFormerly({ prompt: 1_000, cachedPrompt: 300, completion: 20 }, 190);
    await pipeline.run('sync-catalog');
    const { database } = pipeline.deps;
    await sql`update usage_events set subject = 'user-late' where event_time > ${new Date(START_MS + 100 * MINUTE_MS)}`.execute(
      database,
    );
    await sql`insert into subjects (subject, tenant_key, first_seen_at, updated_at) values ('user-late', '', now(), now())`.execute(
      database,
    );
    const api = await openApi();
    expect(await api.decide('approve', 'told_apart')).toBe(202);
    expect(await api.decide('approve', 'told_apart')).toBe(202);
    expect(await recountUsage(pipeline.deps)).toBe(1);
    expect(await api.list()).toMatchObject([{ customerId: null, state: 'open' }]);
    await sql`update subjects set customer_id = 'northwind', assigned_by = 'person' where subject = 'user-late'`.execute(
      database,
    );
    expect(await api.list()).toMatchObject([{ customerId: 'northwind', state: 'open' }]);
    expect(await recountUsage(pipeline.deps)).toBe(0);
    expect(await api.decide('approve', 'told_apart')).toBe(202);
    expect(await recountUsage(pipeline.deps)).toBe(1);
    expect(await recountUsage(pipeline.deps)).toBe(0);
    expect(await api.list()).toEqual([]);
  });

  it('and was given up is not counted again', async () => {
    pipeline = await openPipeline();
    await collectFormerly({ prompt: 1_000, cachedPrompt: 300, completion: 20 }, 1);
    const { database } = pipeline.deps;
    await sql`update usage_events set status = 'quarantined', quarantine_reason = 'refused_by_openmeter', written_off_at = now()`.execute(
      database,
    );
    const api = await openApi();
    expect(await api.list()).toEqual([]);
    expect(await api.decide('approve', 'told_apart')).toBe(404);
  });

  it('is refused of a month that is none', async () => {
    pipeline = await openPipeline();
    const api = await openApi();
    for (const month of ['0000-01', '2026-13', '2026-10-01'])
      expect(await api.decide('approve', 'told_apart', month)).toBe(400);
  });

  it('that contradicts itself is listed, and nothing can be approved', async () => {
    pipeline = await openPipeline();
    await pipeline.run('sync-catalog');
    inject({ prompt: 100, completion: 20, total: 120 }, 'gpt-4o');
    pipeline.advance(0.5);
    await pipeline.run('collect-usage');
    await sql`update usage_events set counting_version = 1, total_token_count = 320`.execute(
      pipeline.deps.database,
    );
    const api = await openApi();
    expect(await api.list()).toMatchObject([
      {
        cause: 'contradicting',
        told: { totalTokenCount: '320', countedTokenCount: '120' },
        proposal: null,
      },
    ]);
    expect(await api.decide('approve', 'contradicting')).toBe(409);
    expect(await api.decide('reject', 'contradicting')).toBe(202);
    expect(await api.list()).toMatchObject([{ state: 'rejected' }]);
    expect(await api.decide('approve', 'told_apart')).toBe(404);
  });
});
