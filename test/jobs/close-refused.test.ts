import { afterEach, expect, it } from 'vitest';
import { call, callersOf, closeOf, openClosing, runUntil, states } from '../setup/closing.ts';
import type { Pipeline } from '../setup/pipeline.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

it('a finalization that was refused once is done at the next look after the customer was mended', async () => {
  pipeline = await openClosing();
  const [caller] = callersOf(pipeline);
  for (const one of callersOf(pipeline)) call(pipeline, one, { hour: 3, prompt: 1_000_000 });
  await runUntil(pipeline, 1, 60);
  const { invoiceId } = (await closeOf(pipeline, caller?.customerId)).close;
  pipeline.stripe.faults.add({
    kind: 'reject',
    code: 'customer_tax_location_invalid',
    path: `/v1/invoices/${invoiceId}/finalize`,
    count: 1,
  });
  await runUntil(pipeline, 3, 20);
  const finalizations = pipeline.calls.filter((made) => made.endsWith(`${invoiceId}/finalize`));
  expect(finalizations).toHaveLength(2);
  expect(await states(pipeline)).toEqual(
    Object.fromEntries(callersOf(pipeline).map(({ customerId }) => [customerId, 'finalized'])),
  );
  const intent = `tallystick_close_${invoiceId}_finalize`;
  const keys = pipeline.deps.database.selectFrom('stripe_call_keys').selectAll().where('intent', '=', intent);
  expect(await keys.execute()).toMatchObject([{ spent_count: 1 }]);
});

it('a push refused for a missing permission is delivered by the next run once it is given', async () => {
  pipeline = await openClosing({ settings: { closesInvoices: false } });
  const [caller] = callersOf(pipeline);
  call(pipeline, caller, { hour: 3, prompt: 1_000_000 });
  pipeline.stripe.faults.add({ kind: 'refuse', path: '/v1/billing/meter_events', count: 1 });
  pipeline.advance(6);
  await pipeline.run('sync-catalog', 'collect-usage', 'ingest-events');
  pipeline.advance(1);
  await pipeline.run('aggregate-usage');
  await expect(pipeline.run('push-usage')).rejects.toMatchObject({ statusCode: 403 });
  await pipeline.run('push-usage');
  const pushes = await pipeline.deps.database.selectFrom('meter_pushes').select('status').execute();
  expect(new Set(pushes.map(({ status }) => status))).toEqual(new Set(['delivered']));
  expect(pipeline.stripe.tokenTotal()).toBeGreaterThanOrEqual(1_000_000n);
});
