import { afterEach, expect, it } from 'vitest';
import { listUninvoiced } from '../../src/billing/uninvoiced/desk.ts';
import { call, callersOf, openClosing, runUntil } from '../setup/closing.ts';
import { balance, type Pipeline } from '../setup/pipeline.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

/** Stripe lists no invoice while this is so. */
let hidesInvoices = false;

it('a draft that is heard of a day late bills its usage once, and not as an item of itself', async () => {
  hidesInvoices = true;
  pipeline = await openClosing({
    gracePeriodHours: 71,
    around: {
      stripe: (handler) => (request, bindings, context) =>
        hidesInvoices && new URL(request.url).pathname === '/v1/invoices'
          ? Response.json({ object: 'list', url: '/v1/invoices', has_more: false, data: [] })
          : handler(request, bindings, context),
    },
  });
  const [caller] = callersOf(pipeline);
  call(pipeline, caller, { hour: 3, prompt: 1_000_000, completion: 0 });
  await pipeline.tick(0);
  await runUntil(pipeline, 0, 6 * 60);
  await runUntil(pipeline, 26, 2 * 60);
  const { database } = pipeline.deps;
  const page = { afterId: 0n, limit: 10 };
  expect(await listUninvoiced(database, {}, page)).toMatchObject([
    { reason: 'no_invoice', state: 'open', tokenCount: 1_000_000n },
  ]);
  hidesInvoices = false;
  await runUntil(pipeline, 30, 30);
  const items = await database.selectFrom('late_items').select(['token_count', 'state']).execute();
  expect(items).toEqual([]);
  expect(await listUninvoiced(database, {}, page)).toMatchObject([{ state: 'invoiced' }]);
  expect(await balance(pipeline)).toMatchObject({ invoiced: 1_000_000n, uninvoiced: 0n, drift: 0n });
});
