import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { collectUsage } from '../../jobs/collect/collect-usage.ts';
import type { UsageSource } from '../../src/azure/source.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { readWatermark } from '../../src/usage/collection/watermarks.ts';
import { balance, openPipeline, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

let pipeline: Pipeline;
let blocker: pg.Client | undefined;
afterEach(async () => {
  await blocker?.end();
  blocker = undefined;
  await pipeline.close();
});

/** Keeps every commit of a slice waiting until the function it answers is called. */
async function holdCommits(): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: pipeline.ledger.databaseUrl });
  blocker = client;
  await client.connect();
  await client.query('begin; lock table collection_windows in exclusive mode');
  return async () => void (await client.query('commit'));
}

/** Calls `before` ahead of every query, with its number. */
function watchQueries(source: UsageSource, before: (number: number) => void | Promise<void>): UsageSource {
  let number = 0;
  return {
    ...source,
    async queryRows(query, signal) {
      number += 1;
      await before(number);
      return await source.queryRows(query, signal);
    },
  };
}

/** Windows of six hours: a call in the first, others in the second. */
async function openTwoWindows(second: Parameters<typeof makeCall>[0][]) {
  pipeline = await openPipeline();
  pipeline.traffic.inject([
    ...makeCall({ hour: 1 }),
    ...second.flatMap((call) => makeCall({ hour: 8, ...call })),
  ]);
  pipeline.advance(12);
}

async function readReasons() {
  const items = await pipeline.deps.database
    .selectFrom('source_items')
    .select(['tenant_key', 'quarantine_reason'])
    .where('metric_name', '=', 'Prompt Tokens')
    .orderBy('event_time')
    .orderBy('tenant_key')
    .execute();
  return items.map((item) => [item.tenant_key, item.quarantine_reason]);
}

describe('while a slice is being committed', () => {
  it('the next one is read', async () => {
    await openTwoWindows([{}]);
    const release = await holdCommits();
    const asked = Promise.withResolvers<void>();
    pipeline.deps.source = watchQueries(pipeline.deps.source, (number) => {
      if (number === 2) asked.resolve();
    });
    const collecting = collectUsage(pipeline.deps);
    await asked.promise;
    expect(await readWatermark(pipeline.deps.database, 'app-metrics')).toBeNull();
    await release();
    expect(await collecting).toMatchObject({ newRowCount: 6, usageEventCount: 2 });
    const total = await balance(pipeline);
    expect(total.collected).toBe(total.source);
  });

  it('the tenants it taught hold for the next one already', async () => {
    await openTwoWindows([{ dimensions: { tenantId: 'fabrikam' } }]);
    const release = await holdCommits();
    pipeline.deps.source = watchQueries(pipeline.deps.source, async (number) => {
      // Time for the answer to be judged before the slice ahead of it is in the ledger.
      if (number === 2) setTimeout(() => void release(), 300);
    });
    await collectUsage(pipeline.deps);
    expect(await readReasons()).toEqual([
      ['northwind', null],
      ['fabrikam', 'tenant_mismatch'],
    ]);
  });

  it('a failing query waits for the commit, which stays', async () => {
    await openTwoWindows([{}]);
    const release = await holdCommits();
    pipeline.deps.source = watchQueries(pipeline.deps.source, (number) => {
      if (number === 2) throw new Error('gone');
    });
    let ended = false;
    const collecting = collectUsage(pipeline.deps).finally(() => {
      ended = true;
    });
    collecting.catch(() => {});
    await sleep(300);
    expect(ended).toBe(false);
    await release();
    await expect(collecting).rejects.toThrow('gone');
    expect(await readWatermark(pipeline.deps.database, 'app-metrics')).toEqual(
      new Date(START_MS + 6 * HOUR_MS),
    );
    expect(await readReasons()).toEqual([['northwind', null]]);
  });

  it('a failing commit ends the run, and no later slice is committed', async () => {
    await openTwoWindows([{}]);
    const release = await holdCommits();
    pipeline.deps.source = watchQueries(pipeline.deps.source, async (number) => {
      if (number !== 2) return;
      await pipeline.deps.database
        .insertInto('watermarks')
        .values({ source: 'app-metrics', position: new Date(START_MS), updated_at: new Date(START_MS) })
        .execute();
      await release();
    });
    await expect(collectUsage(pipeline.deps)).rejects.toMatchObject({ code: 'STALE_LEASE' });
    expect(await readReasons()).toEqual([]);
  });
});

describe('a subject that a person assigned', () => {
  it('may use several tenants at once', async () => {
    await openTwoWindows([{ dimensions: { tenantId: 'fabrikam' } }, { dimensions: { tenantId: 'contoso' } }]);
    await pipeline.run('sync-catalog');
    const now = new Date(pipeline.clock.nowMs());
    const owner = await pipeline.deps.database
      .selectFrom('customers')
      .select('customer_id')
      .executeTakeFirstOrThrow();
    await pipeline.deps.database
      .insertInto('subjects')
      .values({
        subject: 'user-00001',
        tenant_key: 'northwind',
        customer_id: owner.customer_id,
        assigned_by: 'person',
        first_seen_at: now,
        updated_at: now,
      })
      .execute();
    await collectUsage(pipeline.deps);
    expect(await readReasons()).toEqual([
      ['northwind', null],
      ['contoso', null],
      ['fabrikam', null],
    ]);
  });
});
