import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addMs } from '../../src/platform/clock.ts';
import { UpstreamError } from '../../src/platform/errors.ts';
import { DEFAULT_API_SETTINGS } from '../../src/platform/http/dependencies.ts';
import { insertInvoice } from '../api/statement-world.ts';
import { stripePreview } from '../api/world.ts';
import { createPortalBench, type PortalBench } from './bench.ts';
import { insertPortalWorld } from './world.ts';

const MINUTE_MS = 60_000;
const OLDER = 'are as they stood on';
const WITHOUT = 'are not in these figures';

let bench: PortalBench;
let invoiceReadCount = 0;

beforeAll(async () => {
  const down = () => {
    invoiceReadCount += 1;
    return Promise.reject(
      new UpstreamError('down', { system: 'stripe', code: 'UPSTREAM_UNAVAILABLE', retry: true }),
    );
  };
  const settings = {
    ...DEFAULT_API_SETTINGS,
    stripePreviewReadsPerDay: 12,
    stripePreviewReadsPerCustomer: 5,
  };
  bench = await createPortalBench({ settings, invoicing: { readInvoice: down } });
  await insertPortalWorld(bench.ledger.database);
  await insertInvoice(bench.ledger.database, { id: 'in_draft', status: 'draft', totalMinor: 1n });
  for (const customer of ['northwind', 'adatum'])
    bench.billing.previews.set(`sub_${customer}`, stripePreview(customer, { prompt: 5_000_000n }));
});
afterAll(() => bench.close());

const pass = (ms: number) => {
  bench.clock.instant = addMs(bench.clock.instant, ms);
};

// One story: what it spends and keeps is what the next part begins with.
describe("a customer's pages", () => {
  it('ask Stripe within a budget of that customer, leave it alone when it fails, and show its last word with its age', async () => {
    const northwind = await bench.visit({});
    const adatum = await bench.visit({ customerId: 'adatum' });
    const { billing } = bench;
    let text = '';
    for (let load = 0; load < 20; load += 1) {
      ({ text } = await bench.read(northwind));
      expect(text.includes(OLDER), `load ${load}`).toBe(load >= 5);
      expect(text, `load ${load}`).not.toContain(WITHOUT);
      pass(11 * MINUTE_MS);
    }
    expect(billing.previewCallCount).toBe(5);
    expect((await bench.read(adatum)).text, 'another customer').not.toMatch(
      new RegExp(`${OLDER}|${WITHOUT}`),
    );
    expect(billing.previewCallCount).toBe(6);

    pass(12 * 60 * MINUTE_MS);
    billing.failure = new UpstreamError('down', {
      system: 'stripe',
      code: 'UPSTREAM_UNAVAILABLE',
      retry: true,
    });
    for (let load = 0; load < 3; load += 1) {
      expect((await bench.read(northwind)).text, 'Stripe is down').toContain(OLDER);
      pass(MINUTE_MS / 4);
    }
    expect(billing.previewCallCount, 'asked once, of the new day').toBe(7);
    pass(MINUTE_MS);
    await bench.read(northwind);
    expect(billing.previewCallCount, 'asked again').toBe(8);
    pass(12 * 60 * MINUTE_MS);
    expect((await bench.read(northwind)).text, 'a day later').toContain(WITHOUT);

    for (let load = 0; load < 3; load += 1)
      expect((await bench.read(`${northwind}/invoices/in_draft`)).status).toBe(503);
    expect(invoiceReadCount, 'of an invoice').toBe(1);
  });
});
