import { afterEach, describe, expect, it } from 'vitest';
import { assignSubject } from '../../src/catalog/subjects.ts';
import { HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import type { BillingCatalog } from '../../src/stripe/port.ts';
import { balance, openPipeline, type Pipeline, type PipelineOptions, START_MS } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';

let pipeline: Pipeline;
afterEach(() => pipeline.close());

const at = (hours: number, minutes = 0) => new Date(START_MS + hours * HOUR_MS + minutes * MINUTE_MS);
const HOUR = 5;

/** Every subscription renews at this instant; the invoice of the period before is in this state. */
function renewAt(boundary: Date, invoiceStatus: string) {
  return (catalog: BillingCatalog): BillingCatalog => ({
    ...catalog,
    subscriptionItems: catalog.subscriptionItems.map((item) => ({ ...item, currentPeriodStart: boundary })),
    invoices: [...new Set(catalog.subscriptionItems.map((item) => item.subscriptionId))].flatMap((id) => {
      const item = catalog.subscriptionItems.find((entry) => entry.subscriptionId === id);
      if (item === undefined) return [];
      return {
        invoiceId: `in_${id}`,
        stripeCustomerId: item.stripeCustomerId,
        subscriptionId: id,
        status: invoiceStatus,
        number: null,
        currency: item.currency,
        totalMinor: 0n,
        periodStart: at(-720),
        periodEnd: boundary,
        createdAt: boundary,
        billingReason: 'subscription_cycle',
      };
    }),
  });
}

async function open(edit: (catalog: BillingCatalog) => BillingCatalog, options: PipelineOptions = {}) {
  pipeline = await openPipeline(options);
  const { billing } = pipeline.deps;
  const arranged = { edit };
  pipeline.deps.billing = {
    ...billing,
    readCatalog: async (query, signal) => arranged.edit(await billing.readCatalog(query, signal)),
  };
  return arranged;
}

/** Prompt tokens at a minute of the hour in question. */
const prompts = (minute: number, prompt: number, more: Parameters<typeof makeCall>[0] = {}) =>
  makeCall({ hour: HOUR, minute, prompt, completion: 0, ...more });

async function settleAndPush(rounds = 3): Promise<void> {
  if (pipeline.clock.nowMs() < at(HOUR + 1).getTime()) pipeline.advance(HOUR + 1);
  for (let round = 0; round < rounds; round += 1) await pipeline.tick(1);
}

async function pushes() {
  const rows = await pipeline.deps.database
    .selectFrom('meter_pushes')
    .select(['event_timestamp', 'sent_value', 'revision', 'is_undivided'])
    .orderBy('meter_push_id')
    .execute();
  return rows.map((row) => [
    (row.event_timestamp.getTime() - at(HOUR).getTime()) / MINUTE_MS,
    Number(row.sent_value),
    row.revision,
  ]);
}

describe('an hour in which a period begins', () => {
  it('is divided: each part is stamped inside its period, and both are billed', async () => {
    await open(renewAt(at(HOUR, 30), 'draft'));
    pipeline.traffic.inject([...prompts(1, 10), ...prompts(29, 5), ...prompts(30, 200), ...prompts(59, 70)]);
    await settleAndPush();
    expect(await pushes()).toEqual([
      [0, 15, 1],
      [30, 270, 2],
    ]);
    expect(await balance(pipeline)).toMatchObject({ billed: 285n, due: 0n, quarantined: 0n, drift: 0n });
  });

  it('gives the minute in which the period begins to the old period', async () => {
    await open(renewAt(new Date(at(HOUR, 30).getTime() + 27_000), 'draft'));
    pipeline.traffic.inject([...prompts(30, 10), ...prompts(31, 200)]);
    await settleAndPush();
    expect(await pushes()).toEqual([
      [0, 10, 1],
      [31, 200, 2],
    ]);
  });

  it('is divided for late usage as well, each part by what it gained', async () => {
    await open(renewAt(at(HOUR, 30), 'draft'));
    pipeline.traffic.inject([
      ...prompts(1, 10),
      ...prompts(2, 3, { ingestedAtHour: HOUR + 9 }),
      ...prompts(40, 70, { ingestedAtHour: HOUR + 9 }),
    ]);
    await settleAndPush();
    expect(await pushes()).toEqual([[0, 10, 1]]);
    pipeline.advance(8);
    await settleAndPush(2);
    expect((await pushes()).slice(1)).toEqual([
      [0, 3, 2],
      [30, 70, 3],
    ]);
    expect(await balance(pipeline)).toMatchObject({ billed: 83n, due: 0n, quarantined: 0n, drift: 0n });
  });

  it('carries its old part to the next invoice when the old invoice is final', async () => {
    await open(renewAt(at(HOUR, 30), 'paid'));
    pipeline.traffic.inject([...prompts(1, 10), ...prompts(30, 200)]);
    await settleAndPush();
    expect(await pushes()).toEqual([[30, 200, 1]]);
    expect((await balance(pipeline)).byReason).toEqual({ carry_to_next_invoice: 10n });
  });

  it('stays one for a customer whose period does not begin in it', async () => {
    const northwindOnly = renewAt(at(HOUR, 30), 'draft');
    await open((catalog) => {
      const northwind = catalog.customers.find((customer) => customer.metadata.tenant_id === 'northwind');
      const renewed = northwindOnly(catalog);
      return {
        ...renewed,
        subscriptionItems: renewed.subscriptionItems.map((item, index) =>
          item.stripeCustomerId === northwind?.stripeCustomerId
            ? item
            : (catalog.subscriptionItems[index] ?? item),
        ),
      };
    });
    const other = { tenantId: 'fabrikam', userId: 'user-00002' };
    pipeline.traffic.inject([
      ...prompts(1, 10),
      ...prompts(1, 3, { dimensions: other }),
      ...prompts(45, 4, { dimensions: other }),
    ]);
    await settleAndPush();
    expect((await pushes()).sort()).toEqual([
      [0, 10, 1],
      [0, 7, 1],
    ]);
  });

  it('is divided after all when its subject gets a customer later', async () => {
    await open(renewAt(at(HOUR, 30), 'draft'));
    const stray = { dimensions: { userId: 'stray', tenantId: 'nobody' } };
    pipeline.traffic.inject([...prompts(1, 10, stray), ...prompts(50, 200, stray)]);
    await settleAndPush();
    expect((await balance(pipeline)).byReason).toEqual({ no_customer: 210n });
    await assignSubject(pipeline.deps.database, {
      subject: 'stray',
      customerId: 'northwind',
      actor: 'test',
      now: pipeline.clock.now(),
    });
    await settleAndPush();
    expect(await pushes()).toEqual([
      [0, 10, 1],
      [30, 200, 2],
    ]);
    expect(await balance(pipeline)).toMatchObject({ billed: 210n, due: 0n, quarantined: 0n, drift: 0n });
  });

  it('that was pushed whole stays whole when the boundary is learnt too late', async () => {
    const arranged = await open((catalog) => catalog);
    pipeline.traffic.inject([
      ...prompts(1, 10),
      ...prompts(50, 200),
      ...prompts(55, 7, { ingestedAtHour: HOUR + 9 }),
    ]);
    await settleAndPush();
    arranged.edit = renewAt(at(HOUR, 30), 'draft');
    pipeline.advance(8);
    await settleAndPush(2);
    expect(await pushes()).toEqual([
      [0, 210, 1],
      [0, 7, 2],
    ]);
    expect(await balance(pipeline)).toMatchObject({ billed: 217n, due: 0n, quarantined: 0n, drift: 0n });
  });

  it('goes whole to the new period on a meter that keeps one value an hour, and is flagged', async () => {
    await open(renewAt(at(HOUR, 30), 'paid'), { stripe: { hourWindowMeters: () => true } });
    pipeline.traffic.inject([
      ...prompts(1, 10),
      ...prompts(50, 200),
      ...prompts(2, 7, { ingestedAtHour: HOUR + 9 }),
    ]);
    await settleAndPush();
    pipeline.advance(8);
    await settleAndPush(2);
    expect(await pushes()).toEqual([
      [30, 210, 1],
      [30, 217, 2],
    ]);
    expect(await balance(pipeline)).toMatchObject({ billed: 217n, due: 0n, quarantined: 0n, drift: 0n });
    const flagged = await pipeline.deps.database.selectFrom('meter_pushes').select('is_undivided').execute();
    expect(flagged).toEqual([{ is_undivided: true }, { is_undivided: true }]);
  });
});
