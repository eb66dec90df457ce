import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS, type JobDependencies } from '../../jobs/dependencies.ts';
import { previewPriceSync } from '../../jobs/prices/sync-prices.ts';
import { runStep, STEP_NAMES, stepNames } from '../../jobs/queue/steps.ts';
import { findPrice } from '../../pricing/prices/lookup.ts';
import { sandboxMeterId } from '../../sandbox/azure/retail-catalog.ts';
import { createRetailStandIn, type RetailStandIn } from '../../sandbox/azure/retail-stand-in.ts';
import { listen } from '../../sandbox/sandbox.ts';
import { VirtualClock } from '../../sandbox/virtual-clock.ts';
import { createRetailPrices } from '../../src/azure/retail-prices.ts';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { createLogger } from '../../src/platform/log.ts';
import { readPriceBook } from '../../src/prices/book.ts';
import { acceptPriceItem, rejectPriceItem } from '../../src/prices/sync/desk.ts';
import { listPriceSyncItems } from '../../src/prices/sync/items.ts';
import { mapRetailMeter } from '../../src/prices/sync/retail-meters.ts';
import { readPriceSyncRuns, readPriceSyncState, requestPriceSync } from '../../src/prices/sync/runs.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

const START_MS = Date.UTC(2026, 9, 1, 0, 30);

let ledger: TestLedger;
let clock: VirtualClock;
let standIn: RetailStandIn;
let server: { url: string; close(): Promise<void> };
let deps: JobDependencies;

beforeEach(async () => {
  ledger = await createTestLedger();
  clock = new VirtualClock(START_MS);
  const context = { clock, seed: 1, stateDirectory: null, latencyMs: 0 };
  standIn = createRetailStandIn(context, { startMs: START_MS });
  server = await listen(standIn.app.fetch);
  deps = {
    database: ledger.database,
    clock,
    log: createLogger('silent'),
    settings: DEFAULT_SETTINGS,
    retailPrices: createRetailPrices({
      baseUrl: server.url,
      retryPolicy: { attemptCount: 2 },
      retryTools: { sleep: async () => {} },
    }),
    // Nothing of these is used by this step.
  } as Partial<JobDependencies> as JobDependencies;
});
afterEach(async () => {
  await server.close();
  standIn.close();
  await ledger.close();
});

const sync = () => runStep(deps, 'sync-prices');
const pass = (days: number) => clock.advanceTo(clock.nowMs() + days * DAY_MS);
const waiting = () => listPriceSyncItems(ledger.database, { status: 'pending', limit: 1_000 });
const find = async (number: number) =>
  (await waiting()).find(({ meterId }) => meterId === sandboxMeterId(number));

async function priceAt(model: string, tokenType: 'prompt' | 'completion', at: number) {
  const book = await readPriceBook(ledger.database);
  const found = findPrice(book, { model, deploymentType: 'global', at: new Date(at) }, tokenType);
  return found.found ? found.picoUsdPerToken : found.reason;
}

/** Everything that a synchronization may change. */
async function wholeState() {
  const tables = ['price_sync_items', 'price_book_rows', 'price_book_changes', 'retail_meters_seen'] as const;
  return await Promise.all(
    tables.map(async (table) => await ledger.database.selectFrom(table).selectAll().execute()),
  );
}

describe('a synchronization of prices', () => {
  it('finds at first that the shipped book is as the list says, and asks about what it cannot know', async () => {
    const before = (await readPriceBook(ledger.database)).version;
    expect(await sync()).toMatchObject({ ran: true, runCount: 1, appliedCount: 0 });
    const [run] = await readPriceSyncRuns(ledger.database, 1);
    expect(run).toMatchObject({ status: 'done', counts: { pageCount: 2, ignoredCount: 3, appliedCount: 0 } });
    expect(run?.counts?.unchangedCount).toBeGreaterThan(30);
    expect((await readPriceBook(ledger.database)).version).toBe(before);
    const verdicts = new Set((await waiting()).map(({ verdict }) => verdict));
    expect([...verdicts].sort()).toEqual(['new_price', 'unmapped']);
    expect(await find(27)).toMatchObject({
      verdict: 'unmapped',
      target: null,
      meterName: 'gpt-4o-0806-Outp-regnl Tokens',
      regions: ['eastus2', 'swedencentral', 'westeurope'],
    });
  });

  it('takes a small change from the next whole hour on, and leaves what is past', async () => {
    pass(7.5);
    await sync();
    const now = clock.nowMs();
    const nextHour = Math.ceil(now / HOUR_MS) * HOUR_MS;
    expect(await priceAt('gpt-4o-mini', 'completion', nextHour - 1)).toBe(600_000n);
    expect(await priceAt('gpt-4o-mini', 'completion', nextHour)).toBe(640_000n);
    const [applied] = await listPriceSyncItems(ledger.database, { status: 'applied', limit: 10 });
    expect(applied).toMatchObject({
      verdict: 'small_change',
      oldPicoPerUnit: 600_000n,
      newPicoPerUnit: 640_000n,
      effectiveFrom: new Date(nextHour),
      isRetroactive: true,
    });
    const [run] = await readPriceSyncRuns(ledger.database, 1);
    expect(run?.bookVersionAfter).toBe((await readPriceBook(ledger.database)).version);
    expect(run?.bookVersionAfter).not.toBe(run?.bookVersionBefore);
  });

  it('leaves a large change to a person, and takes it when it is accepted', async () => {
    pass(14.5);
    await sync();
    const item = await find(17);
    expect(item).toMatchObject({ verdict: 'large_change', newPicoPerUnit: 12_000_000n });
    expect(await priceAt('gpt-4.1', 'completion', clock.nowMs() + DAY_MS)).toBe(8_000_000n);
    const decision = { itemId: item?.priceSyncItemId ?? 0n, actor: 'erna', now: clock.now() };
    await expect(acceptPriceItem(ledger.database, { ...decision, reason: ' ' })).rejects.toMatchObject({
      code: 'VALIDATION',
    });
    await acceptPriceItem(ledger.database, { ...decision, reason: 'announced' });
    expect(await priceAt('gpt-4.1', 'completion', clock.nowMs())).toBe(8_000_000n);
    expect(await priceAt('gpt-4.1', 'completion', clock.nowMs() + HOUR_MS)).toBe(12_000_000n);
    await expect(acceptPriceItem(ledger.database, { ...decision, reason: 'again' })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    const audit = await ledger.database.selectFrom('audit_log').selectAll().execute();
    expect(audit).toContainEqual(
      expect.objectContaining({
        actor: 'erna',
        action: 'price_sync.accept',
        target: String(item?.priceSyncItemId),
        details: expect.objectContaining({ reason: 'announced', retail_price: '0.012' }),
      }),
    );
    pass(1);
    await sync();
    expect(await find(17)).toBeUndefined();
  });

  it('asks again about what was rejected only when the list says something else', async () => {
    pass(14.5);
    await sync();
    const item = await find(17);
    await rejectPriceItem(ledger.database, {
      itemId: item?.priceSyncItemId ?? 0n,
      reason: 'our contract holds the price',
      actor: 'erna',
      now: clock.now(),
    });
    pass(1);
    await sync();
    expect(await find(17)).toBeUndefined();
    standIn.schedule({ meterId: sandboxMeterId(17), retailPrice: '0.02', effectiveMs: clock.nowMs() });
    pass(1);
    await sync();
    expect(await find(17)).toMatchObject({ verdict: 'large_change', retailPrice: '0.02' });
  });

  it('withdraws what is settled before anybody decided', async () => {
    pass(14.5);
    await sync();
    const item = await find(17);
    standIn.schedule({ meterId: sandboxMeterId(17), retailPrice: '0.008', effectiveMs: clock.nowMs() });
    pass(1);
    await sync();
    const withdrawn = await listPriceSyncItems(ledger.database, { status: 'withdrawn', limit: 10 });
    expect(withdrawn.map(({ priceSyncItemId }) => priceSyncItemId)).toEqual([item?.priceSyncItemId]);
  });

  it('reports a meter that is listed no more, once, and leaves its price in the book', async () => {
    await sync();
    pass(22);
    await sync();
    const item = await find(45);
    expect(item).toMatchObject({ verdict: 'disappeared', target: { model: 'o3', tokenType: 'completion' } });
    await acceptPriceItem(ledger.database, {
      itemId: item?.priceSyncItemId ?? 0n,
      reason: 'retired by Microsoft',
      actor: 'erna',
      now: clock.now(),
    });
    pass(1);
    await sync();
    expect(await find(45)).toBeUndefined();
    expect(await priceAt('o3', 'completion', clock.nowMs())).toBe(8_000_000n);
  });

  it('takes an announced change for the day that it is announced for', async () => {
    const effectiveMs = clock.nowMs() + 3 * DAY_MS;
    standIn.schedule({
      meterId: sandboxMeterId(1),
      retailPrice: '0.0026',
      effectiveMs,
      publishedMs: clock.nowMs(),
    });
    await sync();
    expect(await priceAt('gpt-4o', 'prompt', effectiveMs - 1)).toBe(2_500_000n);
    expect(await priceAt('gpt-4o', 'prompt', effectiveMs)).toBe(2_600_000n);
    pass(5);
    expect(await sync()).toMatchObject({ appliedCount: 0 });
  });

  it('compares a meter as soon as a person has said what it is', async () => {
    await sync();
    const item = await find(26);
    await expect(
      acceptPriceItem(ledger.database, {
        itemId: item?.priceSyncItemId ?? 0n,
        reason: 'why not',
        actor: 'erna',
        now: clock.now(),
      }),
    ).rejects.toMatchObject({ code: 'CONFLICT', fix: expect.stringContaining('prices map') });
    const mapping = { meterId: sandboxMeterId(26), note: 'pricing page', actor: 'erna', now: clock.now() };
    const target = { deploymentType: 'regional', region: 'swedencentral', tokenType: 'prompt' };
    await expect(
      mapRetailMeter(ledger.database, { ...mapping, target: { ...target, model: 'gpt4o' } }),
    ).rejects.toMatchObject({ code: 'VALIDATION', fix: expect.stringContaining('gpt-4o') });
    await mapRetailMeter(ledger.database, { ...mapping, target: { ...target, model: 'gpt-4o' } });
    pass(1);
    await sync();
    const mapped = await find(26);
    expect(mapped).toMatchObject({ verdict: 'new_price', newPicoPerUnit: 3_025_000n, oldPicoPerUnit: null });
    await acceptPriceItem(ledger.database, {
      itemId: mapped?.priceSyncItemId ?? 0n,
      reason: 'as on the pricing page',
      actor: 'erna',
      now: clock.now(),
    });
    const book = await readPriceBook(ledger.database);
    const query = { model: 'gpt-4o', deploymentType: 'regional', region: 'swedencentral' } as const;
    const found = findPrice(book, { ...query, at: new Date(clock.nowMs() + HOUR_MS) }, 'prompt');
    expect(found).toMatchObject({ found: true, row: { amount: '3.025', source: 'azure-retail-prices' } });
  });

  it('lets a person take a row of the mapping file back', async () => {
    await mapRetailMeter(ledger.database, {
      meterId: sandboxMeterId(1),
      target: null,
      note: 'not that model',
      actor: 'erna',
      now: clock.now(),
    });
    await sync();
    expect(await find(1)).toMatchObject({ verdict: 'unmapped' });
  });
});

describe('when the list does not come', () => {
  it.each([
    ['whole', { next: [null, 'failed', 'failed'] as const }, 'PARTIAL_RESULT', 'running'],
    ['with its last page', { next: ['no_next_link'] as const }, 'PARTIAL_RESULT', 'running'],
    ['at all', { next: ['throttled', 'throttled'] as const }, 'UPSTREAM_THROTTLED', 'running'],
    ['from where it should', { next: ['foreign_link'] as const }, 'UPSTREAM_REJECTED', 'failed'],
  ])('%s, nothing is applied, and the next look makes up for it', async (_, faults, code, status) => {
    await sync();
    pass(14.5);
    const before = await wholeState();
    standIn.setFaults({ next: [...faults.next] });
    await expect(sync()).rejects.toMatchObject({ code });
    expect(await wholeState()).toEqual(before);
    expect((await readPriceSyncRuns(ledger.database, 1))[0]).toMatchObject({ status, lastError: code });
    const [step] = await ledger.database.selectFrom('step_runs').selectAll().execute();
    expect(step).toMatchObject({ step: 'sync-prices', last_error: code });
    clock.advanceTo(clock.nowMs() + HOUR_MS);
    expect(await sync()).toMatchObject({ appliedCount: 1 });
    expect((await readPriceSyncRuns(ledger.database, 1))[0]).toMatchObject({
      status: 'done',
      lastError: null,
    });
  });
});

describe('the step', () => {
  it('works once a UTC day, and whenever it is asked', async () => {
    await sync();
    expect(await sync()).toMatchObject({ runCount: 0 });
    clock.advanceTo(START_MS + 23 * HOUR_MS);
    expect(await sync()).toMatchObject({ runCount: 0 });
    clock.advanceTo(START_MS + 24 * HOUR_MS);
    expect(await sync()).toMatchObject({ runCount: 1 });
    const request = { requestedBy: 'erna', now: clock.now() };
    const asked = await requestPriceSync(ledger.database, request);
    expect(await requestPriceSync(ledger.database, request)).toEqual(asked);
    expect(await sync()).toMatchObject({ runCount: 1 });
    const state = await readPriceSyncState(ledger.database);
    expect(state.lastDoneAt).toEqual(clock.now());
    expect(state.waiting.map(({ verdict }) => verdict)).toContain('unmapped');
  });

  it('changes nothing when it is repeated: the same list finds the same', async () => {
    pass(14.5);
    await sync();
    const items = await waiting();
    const book = (await readPriceBook(ledger.database)).version;
    await requestPriceSync(ledger.database, { requestedBy: 'erna', now: clock.now() });
    await sync();
    expect((await readPriceBook(ledger.database)).version).toBe(book);
    expect((await waiting()).map(({ priceSyncItemId }) => priceSyncItemId)).toEqual(
      items.map(({ priceSyncItemId }) => priceSyncItemId),
    );
  });

  it('is none of the steps, and does nothing, where no price list is configured', async () => {
    const { retailPrices: _, ...without } = deps;
    expect(stepNames(without)).toEqual(STEP_NAMES);
    expect(stepNames(deps)).toEqual([...STEP_NAMES, 'sync-prices']);
    expect(await runStep(without, 'sync-prices')).toMatchObject({ ran: true, runCount: 0 });
    expect(await readPriceSyncRuns(ledger.database, 1)).toEqual([]);
  });

  it('shows beforehand what it would do, and does nothing then', async () => {
    pass(14.5);
    const before = await wholeState();
    const diff = await previewPriceSync(deps);
    expect(diff.findings.filter(({ verdict }) => verdict === 'small_change')).toHaveLength(1);
    expect(await wholeState()).toEqual(before);
    expect(await readPriceSyncRuns(ledger.database, 1)).toEqual([]);
  });
});
