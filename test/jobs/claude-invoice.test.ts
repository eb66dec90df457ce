import { afterEach, expect, it } from 'vitest';
import type { InvoicePreviewBody } from '../../src/previews/schemas.ts';
import type { StatementBody } from '../../src/statements/schemas.ts';
import { balance, openPipeline, type Pipeline } from '../setup/pipeline.ts';
import { openPipelineReads } from '../setup/pipeline-api.ts';
import { dimensions, makeRow } from '../setup/rows.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

const MODEL = 'claude-sonnet-4-5';
/** As reported of live traffic: one user-hour. */
const TOLD = { 'Prompt Tokens': 319_709, 'Prompt Cached Tokens': 6_803_708, 'Completion Tokens': 151_594 };

it('an hour of Claude is on the invoice preview and the statement as its maker counted it, and the late rest too', async () => {
  pipeline = await openPipeline();
  for (const price of (await pipeline.account.prices.list({ limit: 100 })).data) {
    if (price.metadata.tallystick_model === 'gpt-4o')
      await pipeline.account.prices.update(price.id, { metadata: { tallystick_model: MODEL } });
  }
  const inject = (told: Record<string, number>) =>
    pipeline.traffic.inject(
      Object.entries(told).map(([metricName, sum]) =>
        makeRow({
          metricName,
          sum,
          max: sum,
          ingestedMs: Math.max(pipeline.clock.nowMs(), makeRow().ingestedMs),
          properties: dimensions({ model: MODEL, deployment: '' }),
        }),
      ),
    );
  inject({ ...TOLD, 'Total Tokens': 7_275_011 });
  for (let tick = 0; tick < 3; tick += 1) await pipeline.tick(1);
  expect(await balance(pipeline)).toMatchObject({ billed: 7_275_011n, quarantined: 0n, due: 0n });
  // A whole call of the same minute, told after the hour was pushed.
  inject({ 'Prompt Tokens': 3, 'Prompt Cached Tokens': 1_313, 'Completion Tokens': 50, 'Total Tokens': 53 });
  for (let tick = 0; tick < 3; tick += 1) await pipeline.tick(1);
  expect(await balance(pipeline)).toMatchObject({ billed: 7_276_377n, quarantined: 0n, due: 0n });

  const ask = await openPipelineReads(pipeline);
  const preview = await ask<InvoicePreviewBody>('/v1/customers/northwind/invoice-preview');
  const quantities = preview.subscriptions.flatMap(({ lines }) => lines.map(({ quantity }) => quantity));
  expect(quantities.filter((quantity) => quantity !== '0').sort()).toEqual(['151644', '319712', '6805021']);
  const { statements } = await ask<{ statements: StatementBody[] }>('/v1/statements/preview/northwind');
  expect(statements.flatMap(({ byModel }) => byModel.rows)).toMatchObject([
    { name: MODEL, tokenCount: '7276377' },
  ]);
  const drift = await ask<{ rows: { difference: string }[] }>('/v1/drift?period=2026-10&show=all');
  expect(new Set(drift.rows.map(({ difference }) => difference))).toEqual(new Set(['0']));
});
