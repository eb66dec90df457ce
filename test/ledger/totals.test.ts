import { afterEach, expect, it } from 'vitest';
import { readTokenTotals } from '../../src/status/totals.ts';
import { openPipeline, type Pipeline } from '../setup/pipeline.ts';
import { makeCall, makeRow } from '../setup/rows.ts';
import { expectKeptSums } from '../setup/whole-totals.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

it('totals add up at every stage of the way, and each token stands at exactly one', async () => {
  pipeline = await openPipeline();
  const { database } = pipeline.deps;
  const stages: unknown[] = [];
  const look = async () => {
    const totals = await readTokenTotals(database);
    await expectKeptSums(database);
    expect(totals.deliveredTokenCount + totals.dueTokenCount + totals.quarantinedTokenCount).toBe(
      totals.collectedTokenCount,
    );
    stages.push([
      totals.collectedTokenCount,
      totals.dueTokenCount,
      totals.quarantinedTokenCount,
      totals.deliveredTokenCount,
    ]);
  };
  await look();
  pipeline.traffic.inject([
    ...makeCall({ cachedPrompt: 40 }),
    ...makeCall({ dimensions: { userId: 'contractor', tenantId: 'nobody' }, prompt: 7, completion: 0 }),
    makeRow({ sum: 3, properties: {} }),
    makeRow({ sum: -9 }),
  ]);
  pipeline.advance(2);
  for (const step of ['sync-catalog', 'collect-usage', 'ingest-events'] as const) {
    await pipeline.run(step);
    await look();
  }
  pipeline.advance(1);
  await pipeline.run('aggregate-usage');
  await look();
  pipeline.stripe.faults.add({ kind: 'fail' });
  await expect(pipeline.run('push-usage')).rejects.toThrow();
  await look();
  pipeline.stripe.faults.clear();
  await pipeline.run('push-usage');
  await look();
  expect(stages).toEqual([
    [0n, 0n, 0n, 0n],
    [0n, 0n, 0n, 0n],
    [130n, 127n, 3n, 0n],
    [130n, 127n, 3n, 0n],
    [130n, 127n, 3n, 0n],
    [130n, 120n, 10n, 0n],
    [130n, 0n, 10n, 120n],
  ]);
});
