import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { renderUsageEvent } from '../../jobs/collect/build-events.ts';
import { FIGURES, type FigureName } from '../../pricing/usage/shape.ts';
import { MINUTE_MS } from '../../src/platform/clock.ts';
import { acceptEntry } from '../../src/quarantine/accept.ts';
import { writeOffEntry } from '../../src/quarantine/desk.ts';
import { listQuarantine } from '../../src/quarantine/entries.ts';
import { retryEntry } from '../../src/quarantine/retry.ts';
import { selectFigures, selectKey } from '../../src/usage/columns.ts';
import type { UsageEvent } from '../../src/usage/events/usage-events.ts';
import { balance, openPipeline, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { dimensions, makeRow } from '../setup/rows.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

const EVENT_MS = START_MS + MINUTE_MS;
const WHOLE = { prompt: 100, completion: 20, total: 120 };

/** Rows of one and the same minute, told now. */
function inject(told: Partial<Record<FigureName, number>>, model = 'gpt-4o'): void {
  pipeline.traffic.inject(
    Object.entries(told).map(([figure, sum]) =>
      makeRow({
        itemId: randomUUID(),
        eventMs: EVENT_MS,
        ingestedMs: Math.max(EVENT_MS + 2 * MINUTE_MS, pipeline.clock.nowMs()),
        metricName: FIGURES[figure as FigureName].metricNames[0] ?? '',
        sum,
        max: sum,
        properties: dimensions({ model }),
      }),
    ),
  );
}

async function collect(): Promise<void> {
  pipeline.advance(0.5);
  await pipeline.run('collect-usage');
}

const ticks = async (count: number) => {
  for (let tick = 0; tick < count; tick += 1) await pipeline.tick(1);
};
const waiting = async (stage: 'source_item' | 'usage_event' = 'source_item') =>
  await listQuarantine(pipeline.deps.database, { stage }, { after: null, limit: 100 });
const by = () => ({ reason: 'test', actor: 'test', now: pipeline.clock.now() });

/** Settled usage by token type, and hours that nothing settles. */
async function settled() {
  const { database } = pipeline.deps;
  const rows = await sql<{ type: string; tokens: bigint }>`
    select token_type as type, sum(delta_token_count)::bigint as tokens from hourly_usage group by 1
    having sum(delta_token_count) <> 0 order by 1`.execute(database);
  const open = await sql`select 1 from settlements where status = 'open'`.execute(database);
  const byType = Object.fromEntries(rows.rows.map((row) => [row.type, row.tokens]));
  return { ...byType, openHours: open.rows.length };
}

/** Usage as it was counted before names had keys. */
async function spellFormerly(model: string): Promise<void> {
  const { database } = pipeline.deps;
  const events = await sql<Omit<UsageEvent, 'body'>>`
    select usage_event_id as "usageEventId", window_start as "windowStart", event_time as "eventTime", ${selectKey()}, ${selectFigures()}
    from usage_events`.execute(database);
  for (const event of events.rows) {
    const body = renderUsageEvent({ ...event, model });
    await sql`update usage_events set model = ${model}, body = ${body} where usage_event_id = ${event.usageEventId}`.execute(
      database,
    );
  }
}

describe('what comes late of a minute that was counted under another spelling', () => {
  it('joins it there when it is part of it, so that the hour agrees', async () => {
    pipeline = await openPipeline();
    inject(WHOLE, 'GPT-4o');
    await collect();
    await spellFormerly('GPT-4o');
    await ticks(3);
    inject({ cachedPrompt: 30 }, 'GPT-4o');
    await ticks(3);
    expect(await settled()).toEqual({ prompt: 70n, prompt_cached: 30n, completion: 20n, openHours: 0 });
    expect(await waiting()).toEqual([]);
    expect(await balance(pipeline)).toMatchObject({ billed: 120n, due: 0n, drift: 0n });
  });

  it('is counted by its key when it is whole by itself', async () => {
    pipeline = await openPipeline();
    inject(WHOLE, 'GPT-4o');
    await collect();
    await spellFormerly('GPT-4o');
    inject({ prompt: 1, total: 1 }, 'GPT-4o');
    await ticks(3);
    const models = await sql<{ model: string }>`select model from usage_events order by model`.execute(
      pipeline.deps.database,
    );
    expect(models.rows.map(({ model }) => model).sort()).toEqual(['GPT-4o', 'gpt-4o']);
    expect(await settled()).toEqual({ prompt: 101n, completion: 20n, openHours: 0 });
  });
});

describe('a minute that a person takes as it was told', () => {
  it('is taken with what comes before the jobs have done it', async () => {
    pipeline = await openPipeline();
    inject({ completion: 20, total: 120 });
    await ticks(2);
    const [entry] = await waiting();
    await acceptEntry(pipeline.deps.database, { quarantineId: entry?.quarantineId ?? '', ...by() });
    inject({ prompt: 50 });
    await collect();
    expect(await waiting()).toEqual([]);
    await ticks(3);
    expect(await settled()).toEqual({ prompt: 50n, completion: 20n, openHours: 0 });
  });
});

describe('a part of usage that OpenMeter refused', () => {
  it('waits with it, and leaves no hour open when that is given up', async () => {
    pipeline = await openPipeline();
    const { database } = pipeline.deps;
    inject(WHOLE);
    await collect();
    const event = await database.selectFrom('usage_events').selectAll().executeTakeFirstOrThrow();
    pipeline.openMeter.setFaults({ poisonIds: [event.usage_event_id] });
    await ticks(2);
    inject({ cachedPrompt: 30 });
    await ticks(2);
    expect(await waiting()).toMatchObject([{ detail: 'cached prompt 30 is part of prompt 0' }]);
    const [refused] = await waiting('usage_event');
    await writeOffEntry(database, { quarantineId: refused?.quarantineId ?? '', ...by() });
    await ticks(2);
    expect(await settled()).toEqual({ openHours: 0 });
    expect(await balance(pipeline)).toMatchObject({ writtenOff: 120n, due: 0n, drift: 0n });
  });

  it('comes free when that is sent after all', async () => {
    pipeline = await openPipeline();
    const { database } = pipeline.deps;
    inject(WHOLE);
    await collect();
    const event = await database.selectFrom('usage_events').selectAll().executeTakeFirstOrThrow();
    pipeline.openMeter.setFaults({ poisonIds: [event.usage_event_id] });
    await ticks(2);
    inject({ cachedPrompt: 30 });
    await ticks(2);
    pipeline.openMeter.setFaults({ poisonIds: [] });
    const [refused] = await waiting('usage_event');
    await retryEntry(database, { quarantineId: refused?.quarantineId ?? '', ...by() });
    await ticks(1);
    const [part] = await waiting();
    await retryEntry(database, { quarantineId: part?.quarantineId ?? '', ...by() });
    await ticks(3);
    expect(await settled()).toEqual({ prompt: 70n, prompt_cached: 30n, completion: 20n, openHours: 0 });
    expect(await waiting()).toEqual([]);
  });
});
