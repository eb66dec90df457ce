import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ApiScope, createApiKey } from '../../src/identity/api-keys.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { createApp } from '../../src/service/app.ts';
import { readTokenTotals } from '../../src/status/totals.ts';
import { foreignEvent } from '../jobs/foreign-event.ts';
import { openPipeline, type Pipeline, type PipelineOptions, START_MS } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

interface Row {
  windowStart: string;
  customerId: string | null;
  tokenType: string;
  source: string;
  metered: string;
  invoiced: string;
  awaitingInvoice: string;
  due: string;
  quarantined: string;
  difference: string;
  class: string | null;
  since: string | null;
}

let pipeline: Pipeline;
const asked: string[] = [];

async function call(path: string, init: RequestInit & { scope?: ApiScope } = {}): Promise<Response> {
  const { deps } = pipeline;
  const app = createApp({
    database: deps.database,
    clock: deps.clock,
    billing: deps.billing,
    version: '0.0.0-test',
    enqueueStep: async (step) => void asked.push(step),
  });
  const { scope = 'finance', ...request } = init;
  const { plainKey } = await createApiKey(deps.database, {
    name: scope,
    scopes: [scope],
    actor: 'test',
    now: deps.clock.now(),
  });
  const headers = { authorization: `Bearer ${plainKey}`, ...request.headers };
  return await app.request(path, { ...request, headers });
}

const instant = (hours: number) => new Date(START_MS + hours * HOUR_MS).toISOString();

async function drift(query = ''): Promise<Row[]> {
  const response = await call(`/v1/drift?from=${instant(0)}&to=${instant(48)}${query}`);
  expect(response.status).toBe(200);
  return ((await response.json()) as { rows: Row[] }).rows;
}

/** Usage of a customer with cached tokens in the first hour and without in the second. */
async function open(options: PipelineOptions = {}): Promise<void> {
  pipeline = await openPipeline(options);
  pipeline.traffic.inject([
    ...makeCall({ prompt: 100, cachedPrompt: 40, completion: 20 }),
    ...makeCall({ hour: 1, prompt: 7, completion: 0 }),
  ]);
}

const brief = (rows: Row[]) =>
  rows.map((row) => [
    row.tokenType,
    row.source,
    row.metered,
    row.awaitingInvoice,
    row.due,
    row.difference,
    row.class,
  ]);

describe('the drift report', () => {
  beforeEach(() => {
    asked.length = 0;
  });
  afterEach(() => pipeline.close());

  it('shows what is still due, and nothing once all agree', async () => {
    await open();
    await pipeline.tick(2);
    expect(brief(await drift())).toEqual([
      ['completion', '20', '0', '0', '20', '0', 'still_due'],
      ['prompt', '60', '0', '0', '60', '0', 'still_due'],
      ['prompt_cached', '40', '0', '0', '40', '0', 'still_due'],
      ['prompt', '7', '0', '0', '7', '0', 'still_due'],
    ]);
    await pipeline.tick(1);
    expect(await drift()).toEqual([]);
    expect(brief(await drift('&show=all'))).toEqual([
      ['completion', '20', '20', '20', '0', '0', null],
      ['prompt', '60', '60', '60', '0', '0', null],
      ['prompt_cached', '40', '40', '40', '0', '0', null],
      ['prompt', '7', '7', '7', '0', '0', null],
    ]);
  });

  it('shows what waits and contradicts itself figure by figure, as it was told', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject(
      makeCall({ prompt: 3, cachedPrompt: 1_313, completion: 50, dimensions: { model: ' ' } }),
    );
    await pipeline.tick(2);
    expect(
      (await drift()).map((row) => [row.tokenType, row.source, row.quarantined, row.difference]),
    ).toEqual([
      ['completion', '50', '50', '0'],
      ['prompt', '3', '3', '0'],
      ['prompt_cached', '1313', '1313', '0'],
    ]);
  });

  it('calls late what reopens an hour that had been settled', async () => {
    await open();
    await pipeline.tick(2);
    await pipeline.tick(1);
    pipeline.traffic.inject(makeCall({ minute: 50, prompt: 5, completion: 0, ingestedAtHour: 3 }));
    await pipeline.tick(1);
    expect(await drift()).toMatchObject([
      { tokenType: 'prompt', source: '65', metered: '60', awaitingInvoice: '60', due: '5', class: 'late' },
    ]);
  });

  it('names what OpenMeter lost, once later usage is to be seen', async () => {
    // One sender, so that both events travel in one batch and share its fault.
    await open({ openMeter: { dedupe: null }, settings: { ingestConcurrency: 1 } });
    pipeline.openMeter.setFaults({ dropEvery: 1 });
    await pipeline.tick(2);
    for (let round = 0; round < 2; round += 1) await pipeline.tick(1);
    // Nothing of it is to be seen, and nothing later either: it may only be late.
    const ofFirstHour = async () =>
      (await drift()).find((row) => row.tokenType === 'prompt' && row.windowStart === instant(0));
    expect(await ofFirstHour()).toMatchObject({ source: '60', metered: '0', due: '60', class: 'still_due' });
    pipeline.openMeter.setFaults({ dropEvery: 0 });
    const classes = new Set<string | null | undefined>();
    for (let round = 0; round < 8 && !classes.has('lost_in_openmeter'); round += 1) {
      pipeline.traffic.inject(makeCall({ hour: 4 + round, completion: 0 }));
      await pipeline.tick(1);
      classes.add((await ofFirstHour())?.class);
    }
    expect(classes).toContain('lost_in_openmeter');
  });

  it('names what OpenMeter counted twice', async () => {
    await open({ openMeter: { dedupe: null }, settings: { ingestConcurrency: 1 } });
    pipeline.openMeter.setFaults({ next: ['error-after-commit'], appliesTo: 'ingest' });
    await pipeline.tick(2);
    for (let round = 0; round < 2; round += 1) await pipeline.tick(1);
    expect((await drift()).find((row) => row.tokenType === 'prompt')).toMatchObject({
      source: '60',
      metered: '120',
      class: 'counted_twice',
    });
  });

  it('shows what Stripe took and lost, until it is repaired and proven', async () => {
    await open();
    pipeline.stripe.faults.dropNextMeterEvents(1);
    await pipeline.tick(3);
    await pipeline.tick(1);
    expect(await drift()).toEqual([]);
    await pipeline.tick(3);
    const lost = await drift();
    expect(lost).toMatchObject([
      { invoiced: '0', awaitingInvoice: '0', due: '0', class: 'push_unconfirmed', since: instant(7) },
    ]);
    expect(lost[0]?.difference).toBe(lost[0]?.source);
    const metrics = await (await call('/metrics')).text();
    expect(metrics).toMatch(/^tallystick_drifts\{boundary="stripe",class="push_unconfirmed"\} 1$/m);
    expect(metrics).toMatch(/^tallystick_doubted_pairs 1$/m);
    expect(metrics).toMatch(/^tallystick_stripe_reads_today\{purpose="doubt"\} \d+$/m);
    // Nothing later was sent: a day of silence proves the loss.
    for (let round = 0; round < 34; round += 1) await pipeline.tick(1);
    expect(await drift()).toEqual([]);
  });

  it('shows quarantined and foreign usage without a customer', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject([
      ...makeCall({ dimensions: { userId: 'contractor', tenantId: 'nobody' }, completion: 0 }),
      ...makeCall({ dimensions: { model: 'gpt-next' }, completion: 0, prompt: 9 }),
    ]);
    await pipeline.deps.metering.ingestEvents([foreignEvent({ tokens: '55', hour: 1 })]);
    pipeline.traffic.inject(makeCall({ hour: 1, completion: 0 }));
    for (let round = 0; round < 6; round += 1) await pipeline.tick(1);
    const rows = (await drift()).filter((row) => row.tokenType === 'prompt');
    expect(rows).toMatchObject([
      { customerId: null, source: '100', quarantined: '100', difference: '0', class: 'quarantined' },
      { customerId: 'northwind', source: '9', quarantined: '9', class: 'quarantined' },
      { customerId: null, source: '0', metered: '55', awaitingInvoice: '0', class: 'unexplained' },
    ]);
    expect((await drift('&customerId=northwind')).map((row) => row.source)).toEqual(['9']);
  });

  it('adds up to the totals of the ledger at every stage', async () => {
    await open({ scenario: { dayCount: 1, customerCount: 3, userCount: 5 } });
    const to = instant(24 * 30);
    for (let round = 0; round < 4; round += 1) {
      const rows: Row[] = [];
      for (let cursor = ''; ; ) {
        const response = await call(`/v1/drift?from=${instant(-24)}&to=${to}&show=all&limit=50${cursor}`);
        const page = (await response.json()) as { rows: Row[]; nextCursor: string | null };
        rows.push(...page.rows);
        if (page.nextCursor === null) break;
        cursor = `&cursor=${page.nextCursor}`;
      }
      const sum = (field: 'source' | 'invoiced' | 'awaitingInvoice' | 'due' | 'quarantined' | 'difference') =>
        rows.reduce((total, row) => total + BigInt(row[field]), 0n);
      const totals = await readTokenTotals(pipeline.deps.database);
      expect(sum('source')).toBe(totals.collectedTokenCount);
      expect(sum('invoiced')).toBe(totals.invoicedTokenCount);
      expect(sum('awaitingInvoice')).toBe(totals.awaitingInvoiceTokenCount);
      expect(sum('due')).toBe(totals.dueTokenCount);
      expect(sum('quarantined')).toBe(totals.quarantinedTokenCount);
      expect(sum('difference')).toBe(0n);
      await pipeline.run('sync-catalog', 'collect-usage', 'ingest-events');
      pipeline.advance(7);
      await pipeline.run('aggregate-usage');
      if (round > 1) await pipeline.run('push-usage');
    }
  });

  it('comes as CSV, whole', async () => {
    await open();
    await pipeline.tick(2);
    const path = `/v1/drift?from=${instant(0)}&to=${instant(48)}`;
    const response = await call(path, { headers: { accept: 'text/csv' } });
    const lines = (await response.text()).trimEnd().split('\r\n');
    expect(lines[0]).toBe(
      'windowStart,windowEnd,customerId,tokenType,source,metered,invoiced,awaitingInvoice,due,quarantined,uninvoiced,writtenOff,difference,class,since',
    );
    expect(lines).toHaveLength(5);
  });

  it('refuses what it cannot answer', async () => {
    await open();
    for (const query of [
      '',
      `?from=${instant(1)}&to=${instant(1)}`,
      `?from=${instant(0.5)}&to=${instant(2)}`,
      `?from=${instant(0)}&to=${instant(36 * 24)}`,
      `?from=${instant(0)}&to=${instant(1)}&cursor=nonsense`,
      `?from=${instant(0)}&to=${instant(1)}&show=some`,
    ]) {
      expect((await call(`/v1/drift${query}`)).status, query).toBe(400);
    }
    const path = `/v1/drift?from=${instant(0)}&to=${instant(1)}`;
    expect((await call(path, { scope: 'sales' })).status).toBe(403);
  });
});

describe('a reconciliation on demand', () => {
  beforeEach(() => {
    asked.length = 0;
  });
  afterEach(() => pipeline.close());

  const post = (body: object, scope: ApiScope = 'admin') =>
    call('/v1/reconciliations', {
      method: 'POST',
      scope,
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    });

  it('is queued, done by the jobs, and says what it found', async () => {
    await open({ settings: { stripeReadsPerDay: 0 } });
    await pipeline.tick(3);
    await pipeline.tick(1);
    pipeline.advance(3);
    const response = await post({ from: instant(0), to: instant(5), customerId: 'northwind' });
    expect(response.status).toBe(202);
    expect(asked).toEqual(['reconcile']);
    const location = response.headers.get('location') ?? '';
    expect(await (await call(location, { scope: 'admin' })).json()).toMatchObject({
      status: 'queued',
      result: null,
    });
    await pipeline.run('reconcile');
    expect(await (await call(location, { scope: 'admin' })).json()).toMatchObject({
      status: 'done',
      customerId: 'northwind',
      result: { hourCount: 2, reopenedHourCount: 0, pairCount: 3, stripeReadCount: 3, billingDriftCount: 0 },
    });
  });

  it('refuses windows and customers that are not there', async () => {
    await open();
    expect((await post({ from: instant(2), to: instant(1) })).status).toBe(400);
    expect((await post({ from: instant(1), to: instant(2) })).status).toBe(400);
    await pipeline.tick(3);
    expect((await post({ from: instant(0), to: instant(2), customerId: 'nobody' })).status).toBe(404);
    expect((await post({ from: instant(0), to: instant(2) }, 'finance')).status).toBe(403);
    expect((await call('/v1/reconciliations/rec_none', { scope: 'admin' })).status).toBe(404);
    expect(asked).toEqual([]);
  });
});
