import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SeedTieredPrice } from '../../sandbox/stripe/seed.ts';
import { createApiKey } from '../../src/identity/api-keys.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { DEFAULT_API_SETTINGS } from '../../src/platform/http/dependencies.ts';
import type { InvoicePreviewBody } from '../../src/previews/schemas.ts';
import type { AppDependencies } from '../../src/service/app.ts';
import { createApp } from '../../src/service/app.ts';
import { openPipeline, type Pipeline, START_MS } from '../setup/pipeline.ts';

const TIERED: SeedTieredPrice[] = [
  {
    tenantKey: 'northwind',
    model: 'gpt-4o-mini',
    tokenType: 'prompt',
    tiersMode: 'graduated',
    tiers: [
      { upTo: 20_000, unitAmountDecimal: '0', flatAmountDecimal: '1900' },
      { upTo: 40_000, unitAmountDecimal: '0.013', flatAmountDecimal: null },
      { upTo: null, unitAmountDecimal: '0.007', flatAmountDecimal: '5' },
    ],
  },
  {
    tenantKey: 'northwind',
    model: 'gpt-4o-mini',
    tokenType: 'completion',
    tiersMode: 'volume',
    tiers: [
      { upTo: 1_000, unitAmountDecimal: '0.05', flatAmountDecimal: null },
      { upTo: null, unitAmountDecimal: '0.04', flatAmountDecimal: '100' },
    ],
  },
];

let pipeline: Pipeline;
let plainKey: string;

/** Nearly two days of traffic, of a period of three; of the last six hours Stripe knows nothing. */
beforeAll(async () => {
  pipeline = await openPipeline({
    scenario: { seed: 7, dayCount: 2, customerCount: 2, userCount: 6 },
    stripe: { tieredPrices: TIERED },
  });
  ({ plainKey } = await createApiKey(pipeline.deps.database, {
    name: 'sales',
    scopes: ['sales'],
    actor: 'test',
    now: pipeline.clock.now(),
  }));
  await pipeline.run();
  while (pipeline.clock.nowMs() < START_MS + 42 * HOUR_MS) await pipeline.tick(6);
  // Collected and settled, and not pushed.
  pipeline.advance(6);
  await pipeline.run('collect-usage', 'ingest-events', 'aggregate-usage');
});
afterAll(() => pipeline.close());

async function preview(more: Partial<AppDependencies> = {}, accept = 'application/json') {
  const { database, billing, clock } = pipeline.deps;
  const api = createApp({ database, billing, clock, version: '0.0.0-test', ...more });
  const response = await api.request('/v1/customers/northwind/invoice-preview', {
    headers: { authorization: `Bearer ${plainKey}`, accept },
  });
  expect(response.status, await response.clone().text()).toBe(200);
  return response;
}

async function read(more: Partial<AppDependencies> = {}) {
  const body = (await (await preview(more)).json()) as InvoicePreviewBody;
  const [subscription] = body.subscriptions;
  if (subscription === undefined) throw new Error('no subscription');
  const line = (name: string) => subscription.lines.find((entry) => entry.description === name);
  return { ...subscription, line };
}

const sum = (texts: readonly (string | null)[]) =>
  texts.reduce((total, text) => total + Math.round(Number(text) * 100), 0);

describe('a preview of tiered prices, through the pipeline', () => {
  it('includes what Stripe has not seen, and is Stripe’s own to the cent once it has', async () => {
    const before = await read();
    expect(before.stripe).toMatchObject({ answered: true, status: 'ok' });
    expect(before.lines.some((line) => BigInt(line.notYetCounted ?? 0) > 0n)).toBe(true);
    expect(before.lines.map((line) => line.equalsStripe)).toEqual(before.lines.map(() => true));
    await pipeline.run('fetch-missed-events', 'refresh-catalog', 'push-usage');
    pipeline.advance(1);
    const after = await read();
    expect(after.lines.map((line) => line.amount)).toEqual(before.lines.map((line) => line.amount));
    expect(after.lines.map((line) => line.stripeAmount)).toEqual(after.lines.map((line) => line.amount));
    expect(after.total).toBe(after.stripe.total);
    expect(sum(after.lines.map((line) => line.amount))).toBe(sum([after.total]));
    const graduated = after.line('GPT-4o mini prompt tokens');
    expect(graduated).toMatchObject({
      price: { kind: 'graduated', source: 'stripe_catalog' },
      unitAmountDecimal: null,
      tiers: [
        { tier: 1, quantity: '20000', flatAmount: '19.00', amount: '19.00' },
        { tier: 2, quantity: '20000', flatAmount: null, amount: '2.60' },
        { tier: 3, flatAmount: '0.05' },
      ],
    });
    expect(sum(graduated?.parts.map((part) => part.amount) ?? [])).toBe(sum([graduated?.amount ?? null]));
    expect(after.line('GPT-4o mini completion tokens')).toMatchObject({
      price: { kind: 'volume' },
      tiers: [{ tier: 2, flatAmount: '1.00' }],
    });
  });

  it('says the same from our side when the day’s reads are used up, or Stripe is down', async () => {
    const asked = pipeline.calls.length;
    const whole = await read();
    const spent = await read({ settings: { ...DEFAULT_API_SETTINGS, stripePreviewReadsPerDay: 0 } });
    expect(spent.stripe).toEqual({
      answered: false,
      status: 'unavailable',
      asOf: null,
      reason: 'READ_BUDGET_SPENT',
      total: null,
    });
    const previews = pipeline.calls.slice(asked).filter((call) => call.endsWith('/create_preview'));
    expect(previews).toHaveLength(1);
    pipeline.stripe.faults.add({ kind: 'fail', path: '/v1/invoices' });
    const down = await read();
    pipeline.stripe.faults.clear();
    expect(down.stripe).toMatchObject({ answered: false, reason: 'UPSTREAM_UNAVAILABLE' });
    for (const alone of [spent, down]) {
      expect(alone.total).toBe(whole.total);
      expect(alone.lines.map((line) => line.tiers)).toEqual(whole.lines.map((line) => line.tiers));
      expect(alone.lines.every((line) => line.equalsStripe === null)).toBe(true);
    }
  });

  it('counts the reads of a preview with many lines, and keeps to the budget', async () => {
    await pipeline.ledger.database.deleteFrom('stripe_reads').where('purpose', '=', 'preview').execute();
    // 10 items, two of them tiered: more lines than come with the answer, so each preview costs two reads, and its credits a third.
    const settings = { ...DEFAULT_API_SETTINGS, stripePreviewReadsPerDay: 3 };
    expect((await read({ settings })).stripe.answered).toBe(true);
    expect((await read({ settings })).stripe.answered).toBe(false);
    const row = await pipeline.ledger.database
      .selectFrom('stripe_reads')
      .select('read_count')
      .where('purpose', '=', 'preview')
      .executeTakeFirstOrThrow();
    expect(row.read_count).toBe(3);
  });

  it('refuses to project from two days, and says how many it has', async () => {
    const { projection, lines } = await read();
    expect(projection).toMatchObject({ total: null, reason: 'too_little_history' });
    expect(projection.knownDayCount).toBeLessThan(3);
    expect(lines.every((line) => line.projected === null)).toBe(true);
  });

  it('is a table whose amounts add up to the total', async () => {
    const { total } = await read();
    const response = await preview({}, 'text/csv');
    expect(response.headers.get('content-type')).toMatch(/^text\/csv/);
    const [header = '', ...rows] = (await response.text()).trimEnd().split('\r\n');
    const column = header.split(',').indexOf('amount');
    // No text of this world holds a comma but the rounding rule, which comes later.
    expect(sum(rows.map((row) => row.split(',')[column] ?? null))).toBe(sum([total]));
    expect(rows.length).toBeGreaterThan(10);
  });

  it('names the hours that are settled and those that are open', async () => {
    const { hours, ledger, periodStart } = await read();
    expect(hours.settledCount).toBeGreaterThan(20);
    expect(Number(ledger.openHourCount)).toBe(
      hours.open.reduce((count, { from, to }) => count + (Date.parse(to) - Date.parse(from)) / HOUR_MS, 0),
    );
    for (const { from } of hours.quarantined) expect(from >= periodStart).toBe(true);
  });
});
