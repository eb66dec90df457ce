import { sql } from 'kysely';
import { afterEach, expect, it } from 'vitest';
import type { InvoicePreviewBody } from '../../src/previews/schemas.ts';
import type { StatementBody } from '../../src/statements/schemas.ts';
import { balance, openPipeline, type Pipeline } from '../setup/pipeline.ts';
import { openPipelineApi } from '../setup/pipeline-api.ts';
import { makeCall } from '../setup/rows.ts';

const SPELLINGS = ['gpt-4o', 'GPT-4o', 'gpt-4o ', 'azure/gpt-4o', 'ＧＰＴ-4o'];
const CUSTOMER = 'northwind';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

async function openApi() {
  const ask = await openPipelineApi(pipeline);
  return async <Body>(path: string, body?: unknown): Promise<Body> => {
    const response = await ask(path, body);
    expect(response.ok, await response.clone().text()).toBe(true);
    return (await response.json()) as Body;
  };
}

async function respellPrices(): Promise<void> {
  for (const price of (await pipeline.account.prices.list({ limit: 100 })).data) {
    const model = price.metadata.tallystick_model;
    if (model === 'gpt-4o') {
      await pipeline.account.prices.update(price.id, { metadata: { tallystick_model: ' GPT-4O' } });
    }
  }
}

it('one model in five spellings is one model, from the source to the invoice and the quote', async () => {
  pipeline = await openPipeline();
  await respellPrices();
  pipeline.traffic.inject([
    ...SPELLINGS.flatMap((model, index) =>
      makeCall({ minute: 1 + index, dimensions: { model, deployment: ` ${model.toUpperCase()}` } }),
    ),
    // Two spellings within one minute are one event.
    ...SPELLINGS.slice(0, 2).flatMap((model) =>
      makeCall({ minute: 20, dimensions: { model, deployment: '' } }),
    ),
  ]);
  await pipeline.tick(2);
  await pipeline.tick(1);
  const { database } = pipeline.deps;

  const events = await database.selectFrom('usage_events').select(['model', 'deployment', 'body']).execute();
  expect(events.map(({ model }) => model)).toEqual(Array(6).fill('gpt-4o'));
  expect(events.map(({ body }) => JSON.parse(body).data.model)).toEqual(Array(6).fill('gpt-4o'));
  expect(new Set(events.map(({ deployment }) => deployment))).toEqual(
    new Set(['gpt-4o', 'azure/gpt-4o', '']),
  );
  const items = await database.selectFrom('source_items').select('model').distinct().execute();
  expect(new Set(items.map(({ model }) => model))).toEqual(new Set(SPELLINGS));

  const total = await balance(pipeline);
  expect(total).toMatchObject({
    source: 840n,
    metered: 840n,
    billed: 840n,
    quarantined: 0n,
    due: 0n,
    drift: 0n,
  });
  const pushes = await database.selectFrom('meter_pushes').select('delta_token_count').execute();
  expect(pushes.map((push) => push.delta_token_count).sort()).toEqual([140n, 700n].sort());

  const ask = await openApi();
  const usage = await ask<{ rows: Record<string, string>[] }>(
    '/v1/usage?period=2026-10&groupBy=model&model=GPT-4O',
  );
  expect(usage.rows).toMatchObject([{ model: 'gpt-4o', tokenCount: '840', requestCount: '7' }]);
  const drift = await ask<{ rows: { difference: string }[] }>('/v1/drift?period=2026-10&show=all');
  expect(new Set(drift.rows.map(({ difference }) => difference))).toEqual(new Set(['0']));
  const preview = await ask<InvoicePreviewBody>(`/v1/customers/${CUSTOMER}/invoice-preview`);
  const used = preview.subscriptions.flatMap(({ lines }) => lines).filter(({ quantity }) => quantity !== '0');
  expect(used.flatMap(({ parts }) => parts.map(({ model, quantity }) => [model, quantity]))).toEqual(
    expect.arrayContaining([
      ['gpt-4o', '700'],
      ['gpt-4o', '140'],
    ]),
  );
  expect(used.flatMap(({ parts }) => parts)).toHaveLength(2);
  const { statements } = await ask<{ statements: StatementBody[] }>(`/v1/statements/preview/${CUSTOMER}`);
  expect(statements.map(({ byModel }) => byModel.rows.map((row) => [row.name, row.tokenCount]))).toEqual([
    [['gpt-4o', '840']],
  ]);

  const quote = await ask<{
    lines: { model: string; tokenType: string; tokenCount: string }[];
    invoiceLines: { quantity: string }[];
    totals: { cost: { reason: string | null } };
  }>('/v1/quotes', {
    customerId: CUSTOMER,
    usage: SPELLINGS.map((model) => ({ model, promptTokenCount: 1_000, completionTokenCount: 100 })),
  });
  expect(quote.lines.map(({ model, tokenType, tokenCount }) => [model, tokenType, tokenCount])).toEqual([
    ['gpt-4o', 'prompt', '5000'],
    ['gpt-4o', 'completion', '500'],
  ]);
  expect(quote.totals.cost.reason).toBeNull();
});

it('usage that was counted under another spelling binds, comes free, and is shown with the rest', async () => {
  pipeline = await openPipeline();
  const { database } = pipeline.deps;
  pipeline.traffic.inject(makeCall({}));
  await pipeline.tick(2);
  await pipeline.tick(1);
  // As it lay before names had keys: the item, the event and the hour under the text as told, and held.
  await sql`update hourly_usage set model = 'GPT-4o', quarantine_reason = 'no_binding', meter_push_id = null,
    customer_id = null`.execute(database);
  await sql`update usage_events set model = 'GPT-4o'`.execute(database);
  await sql`update source_items set model = 'GPT-4o'`.execute(database);
  pipeline.traffic.inject(makeCall({ hour: 3, dimensions: { model: 'GPT-4o ' } }));
  pipeline.advance(2);
  await pipeline.run('collect-usage', 'ingest-events');
  pipeline.advance(1);
  await pipeline.run('sync-catalog', 'collect-usage', 'ingest-events', 'aggregate-usage', 'push-usage');

  const held = await database
    .selectFrom('hourly_usage')
    .select('model')
    .where('quarantine_reason', 'is not', null);
  expect(await held.execute()).toEqual([]);
  const ask = await openApi();
  const usage = await ask<{ rows: Record<string, string>[] }>('/v1/usage?period=2026-10&groupBy=model');
  expect(usage.rows.map(({ model, tokenCount }) => [model, tokenCount])).toEqual([['gpt-4o', '240']]);
  const { statements } = await ask<{ statements: StatementBody[] }>(`/v1/statements/preview/${CUSTOMER}`);
  expect(statements.map(({ byModel }) => byModel.rows.map(({ name }) => name))).toEqual([['gpt-4o']]);
});
