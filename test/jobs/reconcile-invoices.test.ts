import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { syncCatalog } from '../../jobs/catalog/sync-catalog.ts';
import { reconcile, reconcileWindow } from '../../jobs/reconcile/reconcile.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { balance, openPipeline, type Pipeline, START_MS } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

/** The first customer's period ends three days after the start. */
const PERIOD_END_HOUR = 72;

let pipeline: Pipeline;

async function quantities() {
  return await pipeline.deps.database
    .selectFrom('invoice_quantities')
    .select(['quantity', 'agrees'])
    .where('quantity', '<>', 0n)
    .orderBy('quantity')
    .execute();
}

/** Usage of the first day, pushed, then the period's end; no sample is ever read. */
async function openPeriod(options: { lostCount: number; gracePeriodHours: number }): Promise<void> {
  pipeline = await openPipeline({
    settings: { stripeReadsPerDay: 0 },
    gracePeriodHours: options.gracePeriodHours,
  });
  pipeline.traffic.inject([
    ...makeCall({ prompt: 100, completion: 20 }),
    ...makeCall({ hour: 5, prompt: 7 }),
  ]);
  pipeline.stripe.faults.dropNextMeterEvents(options.lostCount);
  for (let round = 0; round < 3; round += 1) await pipeline.tick(5);
  pipeline.advance(PERIOD_END_HOUR - 15);
}

describe('what invoices bill', () => {
  afterEach(() => pipeline.close());

  it('is held against the delivered pushes of its period, and costs no read', async () => {
    await openPeriod({ lostCount: 0, gracePeriodHours: 2 });
    for (let round = 0; round < 4; round += 1) await pipeline.tick(2);
    expect(await quantities()).toEqual([
      { quantity: 40n, agrees: true },
      { quantity: 107n, agrees: true },
    ]);
    expect(pipeline.calls.filter((call) => call.endsWith('/event_summaries'))).toEqual([]);
    // Read again, what a final invoice bills is not written again.
    const written = async () =>
      (
        await sql<{ invoice_id: string; version: string }>`
          select invoice_id, stripe_meter_id, invoice_quantities.xmin::text as version from invoice_quantities join invoices using (invoice_id)
          where status <> 'draft' order by 1, 2`.execute(pipeline.deps.database)
      ).rows;
    const before = await written();
    expect(before.length).toBeGreaterThan(0);
    await syncCatalog(pipeline.deps);
    expect(await written()).toEqual(before);
  });

  it('shows a push that Stripe lost, in time for the draft to bill it', async () => {
    await openPeriod({ lostCount: 1, gracePeriodHours: 48 });
    expect((await balance(pipeline)).drift).toBeGreaterThan(0n);
    await pipeline.tick(2);
    expect((await quantities()).some((row) => row.agrees === false)).toBe(true);
    for (let round = 0; round < 20; round += 1) await pipeline.tick(2);
    expect(await balance(pipeline)).toMatchObject({ billed: 147n, due: 0n, drift: 0n, quarantined: 0n });
    expect(await quantities()).toEqual([
      { quantity: 40n, agrees: true },
      { quantity: 107n, agrees: true },
    ]);
  });

  it('carries what is found lost only after the invoice was final', async () => {
    await openPeriod({ lostCount: 1, gracePeriodHours: 1 });
    for (let round = 0; round < 20; round += 1) await pipeline.tick(2);
    const total = await balance(pipeline);
    expect(total.drift).toBe(0n);
    expect(total.due).toBe(0n);
    expect(Object.keys(total.byReason)).toEqual(['carry_to_next_invoice']);
    expect(total.billed + total.quarantined).toBe(147n);
  });
});

describe('what the ledger made of the source', () => {
  afterEach(() => pipeline.close());

  it('is compared item by event, and a difference is counted', async () => {
    pipeline = await openPipeline();
    pipeline.traffic.inject([...makeCall({}), ...makeCall({ hour: 1 })]);
    for (let round = 0; round < 3; round += 1) await pipeline.tick(2);
    const window = { start: new Date(START_MS), end: new Date(START_MS + 4 * HOUR_MS) };
    expect(await reconcileWindow(pipeline.deps, { window, customerId: null })).toMatchObject({
      hourCount: 2,
      sourceDifferenceCount: 0,
    });
    await pipeline.deps.database
      .updateTable('source_items')
      .set({ token_count: 101n })
      .where('token_kind', '=', 'prompt')
      .where('event_time', '<', new Date(START_MS + HOUR_MS))
      .execute();
    expect(await reconcileWindow(pipeline.deps, { window, customerId: null })).toMatchObject({
      hourCount: 2,
      reopenedHourCount: 0,
      sourceDifferenceCount: 1,
    });
  });

  it('of a ledger without anything is nothing', async () => {
    pipeline = await openPipeline();
    expect(await reconcile(pipeline.deps)).toMatchObject({ hourCount: 0, pairCount: 0, stripeReadCount: 0 });
  });
});
