import { sql } from 'kysely';
import { afterEach, expect, it } from 'vitest';
import { collectUsage } from '../../jobs/collect/collect-usage.ts';
import { readWatermark } from '../../src/usage/collection/watermarks.ts';
import { balance, openPipeline, outsideWrites, type Pipeline } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

const forgetWatermark = () =>
  pipeline.deps.database.deleteFrom('watermarks').where('source', '=', pipeline.deps.source.name).execute();

/** Commits of slices that were rolled back: each used up a number. */
async function countFailedCommits(): Promise<number> {
  const found = await sql<{ count: number }>`
    select (max(collection_window_id) - count(*))::int as count from collection_windows`.execute(
    pipeline.deps.database,
  );
  return found.rows[0]?.count ?? 0;
}

it('collecting everything once more finds what is new between what is known, and sends nothing else', async () => {
  pipeline = await openPipeline();
  // Windows of six hours: known usage in the first, third and fourth.
  const known = [1, 13, 19].flatMap((hour) => makeCall({ hour }));
  pipeline.traffic.inject(known);
  pipeline.advance(26);
  await pipeline.run();
  const position = await readWatermark(pipeline.deps.database, pipeline.deps.source.name);
  await forgetWatermark();
  const added = makeCall({ hour: 8 });
  pipeline.traffic.inject(added);
  const again = await collectUsage(pipeline.deps);
  expect(again).toMatchObject({ rowCount: known.length + added.length, newRowCount: added.length });
  expect(again.usageEventCount).toBe(1);
  expect(await readWatermark(pipeline.deps.database, pipeline.deps.source.name)).toEqual(position);
  await pipeline.tick(1);
  await pipeline.tick(1);
  const total = await balance(pipeline);
  expect(total).toMatchObject({ due: 0n, drift: 0n, collected: total.source });
});

it('a month that is told once more is looked up, and not written and rolled back slice by slice', async () => {
  pipeline = await openPipeline();
  pipeline.traffic.inject(Array.from({ length: 8 }, (_, index) => makeCall({ hour: 1 + index * 6 })).flat());
  pipeline.advance(50);
  await pipeline.run();
  await pipeline.tick(1);
  expect(await countFailedCommits()).toBe(0);
  const before = await balance(pipeline);
  pipeline.calls.splice(0);
  await forgetWatermark();
  const again = await pipeline.run();
  expect(again['collect-usage']).toMatchObject({ newRowCount: 0, usageEventCount: 0 });
  expect(await countFailedCommits()).toBe(1);
  expect(outsideWrites(pipeline.calls)).toEqual([]);
  expect(await balance(pipeline)).toEqual(before);
});
