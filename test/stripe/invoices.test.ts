import { afterEach, describe, expect, test } from 'vitest';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import { meterEvent, openAccount, START_MS, type TestAccount, type TestAccountOptions } from './account.ts';

let account: TestAccount;
afterEach(() => account.close());

/** Customer 0 of the scenario: first period from 1 to 4 November 2026, then monthly. */
const FIRST_END_MS = START_MS + 3 * DAY_MS;

async function open(options: TestAccountOptions = {}) {
  account = await openAccount(options);
  const customer = await account.customer(0);
  const goTo = (nowMs: number) => {
    account.clock.advanceTo(nowMs);
    account.standIn.advance(account.clock.nowMs());
  };
  const use = (value: bigint, atMs: number, eventName = 'gpt_4o_prompt_tokens') =>
    account.billing.sendMeterEvent(
      meterEvent({ stripeCustomerId: customer.id, value, timestamp: new Date(atMs), eventName }),
    );
  const reports = () =>
    account.standIn.invoiceReport().filter((invoice) => invoice.customer === customer.tenantKey);
  return { ...account, ...customer, goTo, use, reports };
}

describe('a period that ends', () => {
  test('becomes a draft, takes late usage during its grace, and is then finalized and paid', async () => {
    const { goTo, use, reports, sdk, id } = await open({ gracePeriodHours: 48 });
    goTo(FIRST_END_MS - HOUR_MS);
    await use(1_000_000n, FIRST_END_MS - 2 * HOUR_MS);
    goTo(FIRST_END_MS + HOUR_MS);
    expect(reports()).toMatchObject([{ status: 'draft', number: null, total: '3.00' }]);
    await use(500_000n, FIRST_END_MS - 1_000);
    // The first second after the period belongs to the next one.
    await use(7n, FIRST_END_MS);
    goTo(FIRST_END_MS + 48 * HOUR_MS - 1);
    expect(reports()).toMatchObject([{ status: 'draft', total: '4.50' }]);
    goTo(FIRST_END_MS + 48 * HOUR_MS);
    const [invoice] = reports();
    expect(invoice).toMatchObject({
      status: 'paid',
      total: '4.50',
      currency: 'usd',
      period: { start: '2026-11-01T00:00:00.000Z', end: '2026-11-04T00:00:00.000Z' },
    });
    expect(invoice?.number).toMatch(/^[A-Z0-9]{8}-0001$/);
    expect(invoice?.lines).toHaveLength(10);
    expect(invoice?.lines).toContainEqual({
      description: '1500000 × GPT-4o prompt tokens',
      quantity: '1500000',
      amount: '4.50',
    });
    expect(invoice?.lines.filter((line) => line.quantity === '0')).toHaveLength(9);
    const events = await sdk.events.list({ limit: 100 });
    const ofCustomer = events.data.filter(
      (event) => (event.data.object as { customer?: string }).customer === id,
    );
    expect(ofCustomer.map((event) => event.type).reverse()).toEqual([
      'invoice.created',
      'customer.subscription.updated',
      'invoice.finalized',
      'invoice.paid',
    ]);
  });

  test('does not take usage that comes after finalization, nor what was not yet aggregated', async () => {
    const { goTo, use, reports, standIn } = await open({ aggregationDelayMs: 10 * MINUTE_MS });
    goTo(FIRST_END_MS + HOUR_MS - 10 * MINUTE_MS);
    await use(1_000_000n, FIRST_END_MS - HOUR_MS);
    goTo(FIRST_END_MS + HOUR_MS - 9 * MINUTE_MS);
    await use(1_000_000n, FIRST_END_MS - HOUR_MS);
    goTo(FIRST_END_MS + 2 * HOUR_MS);
    await use(1_000_000n, FIRST_END_MS - HOUR_MS);
    goTo(FIRST_END_MS + 5 * HOUR_MS);
    expect(reports()).toMatchObject([{ status: 'paid', total: '3.00' }]);
    // Held, but billed nowhere: this is what the totals must show.
    expect(standIn.tokenTotal()).toBe(3_000_000n);
  });

  test('is followed by monthly ones, alike in one step or in many', async () => {
    const { goTo, use, reports, sdk, subscriptionId } = await open();
    goTo(FIRST_END_MS + DAY_MS);
    await use(2_000_000n, FIRST_END_MS + HOUR_MS);
    goTo(FIRST_END_MS + 62 * DAY_MS);
    expect(reports().map(({ period, total, number }) => [period.end, total, number?.slice(-4)])).toEqual([
      ['2026-11-04T00:00:00.000Z', '0.00', '0001'],
      ['2026-12-04T00:00:00.000Z', '6.00', '0002'],
      ['2027-01-04T00:00:00.000Z', '0.00', '0003'],
    ]);
    const { items } = await sdk.subscriptions.retrieve(subscriptionId);
    expect(items.data[0]?.current_period_start).toBe(Date.parse('2027-01-04T00:00:00Z') / 1_000);
    const whole = account.standIn.invoiceReport();

    const stepped = await openAccount();
    const customer = await stepped.customer(0);
    for (let hour = 0; hour <= 65 * 24; hour += 5) {
      stepped.clock.advanceTo(START_MS + hour * HOUR_MS);
      stepped.standIn.advance(stepped.clock.nowMs());
      if (hour === 100) {
        await stepped.billing.sendMeterEvent(
          meterEvent({
            stripeCustomerId: customer.id,
            value: 2_000_000n,
            timestamp: new Date(FIRST_END_MS + HOUR_MS),
          }),
        );
      }
    }
    stepped.clock.advanceTo(FIRST_END_MS + 62 * DAY_MS);
    expect(stepped.standIn.invoiceReport()).toEqual(whole);
    await stepped.close();
  });

  test('with more corrections than usage bills nothing', async () => {
    const { goTo, use, reports } = await open();
    goTo(FIRST_END_MS - HOUR_MS);
    await use(10n, FIRST_END_MS - 2 * HOUR_MS);
    await use(-20n, FIRST_END_MS - 2 * HOUR_MS);
    goTo(FIRST_END_MS + HOUR_MS);
    expect(reports()[0]?.total).toBe('0.00');
  });

  test('rounds each line once, halves up', async () => {
    const { goTo, use, reports } = await open();
    goTo(FIRST_END_MS - HOUR_MS);
    // 1,666 tokens at 0.0003 cents are 0.4998 cents; 1,667 are 0.5001; 12,500 at 0.00004 would be 0.5 exactly.
    await use(1_666n, FIRST_END_MS - 2 * HOUR_MS);
    await use(25_000n, FIRST_END_MS - 2 * HOUR_MS, 'gpt_4o_mini_prompt_tokens');
    goTo(FIRST_END_MS + HOUR_MS);
    const lines = reports()[0]?.lines ?? [];
    expect(lines.find((line) => line.quantity === '1666')?.amount).toBe('0.00');
    expect(lines.find((line) => line.quantity === '25000')?.amount).toBe('0.01');
    expect(reports()[0]?.total).toBe('0.01');
  });
});

describe('a draft', () => {
  test('can be held back and finalized by hand', async () => {
    const { goTo, reports, sdk } = await open();
    goTo(FIRST_END_MS);
    const id = reports()[0]?.invoiceId ?? '';
    const deadline = (FIRST_END_MS + 48 * HOUR_MS) / 1_000;
    await sdk.invoices.update(id, { automatically_finalizes_at: deadline });
    goTo(FIRST_END_MS + 30 * HOUR_MS);
    expect(reports()[0]?.status).toBe('draft');
    const finalized = await sdk.invoices.finalizeInvoice(id);
    expect(finalized).toMatchObject({ status: 'paid', total: 0 });
    await expect(sdk.invoices.finalizeInvoice(id)).rejects.toMatchObject({ statusCode: 400 });
    await expect(sdk.invoices.update(id, { automatically_finalizes_at: deadline })).rejects.toMatchObject({
      code: 'invoice_not_editable',
    });
  });

  test('without auto-advance waits for good', async () => {
    const { goTo, reports, sdk } = await open();
    goTo(FIRST_END_MS);
    await sdk.invoices.update(reports()[0]?.invoiceId ?? '', { auto_advance: false });
    goTo(FIRST_END_MS + 20 * DAY_MS);
    expect(reports()[0]?.status).toBe('draft');
  });
});

describe('the adapter', () => {
  test('previews what has been used so far, once it is aggregated', async () => {
    const { goTo, use, billing, id, subscriptionId } = await open();
    goTo(START_MS + 3 * HOUR_MS);
    await use(1_234_567n, START_MS + HOUR_MS);
    const query = { stripeCustomerId: id, subscriptionId };
    expect((await billing.previewInvoice(query)).totalMinor).toBe(0n);
    goTo(START_MS + 3 * HOUR_MS + MINUTE_MS);
    const preview = await billing.previewInvoice(query);
    expect(preview).toMatchObject({
      stripeCustomerId: id,
      subscriptionId,
      status: 'draft',
      currency: 'usd',
      totalMinor: 370n,
      periodStart: new Date(START_MS),
      periodEnd: new Date(FIRST_END_MS),
    });
    expect(preview.invoiceId).toMatch(/^upcoming_in_/);
    const line = preview.lines.find((candidate) => candidate.quantity === 1_234_567n);
    expect(line).toMatchObject({
      description: '1234567 × GPT-4o prompt tokens',
      amountMinor: 370n,
      unitAmountDecimal: '0.0003',
    });
  });

  test('reads all lines of a preview that has more than a page', async () => {
    const { billing, id, subscriptionId } = await open({ legacyItemTenantKeys: ['northwind'] });
    const preview = await billing.previewInvoice({ stripeCustomerId: id, subscriptionId });
    expect(preview.lines).toHaveLength(11);
    expect(new Set(preview.lines.map((line) => line.subscriptionItemId)).size).toBe(11);
  });

  test('cannot preview what does not exist, for good', async () => {
    const { billing, id, sdk } = await open();
    await expect(
      billing.previewInvoice({ stripeCustomerId: id, subscriptionId: 'sub_none' }),
    ).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED', statusCode: 404 });
    await expect(sdk.invoices.createPreview({ customer: id })).rejects.toMatchObject({
      code: 'parameter_missing',
    });
  });

  test('reads invoices made since an instant, with the period of their usage', async () => {
    const { goTo, use, billing, id, subscriptionId } = await open();
    goTo(FIRST_END_MS - HOUR_MS);
    await use(1_000_000n, FIRST_END_MS - 2 * HOUR_MS);
    goTo(FIRST_END_MS + 40 * DAY_MS);
    const all = await billing.readCatalog({ invoicesSince: new Date(0) });
    const ofCustomer = all.invoices.filter((invoice) => invoice.stripeCustomerId === id);
    expect(ofCustomer).toHaveLength(2);
    expect(ofCustomer[0]).toMatchObject({
      subscriptionId,
      status: 'paid',
      currency: 'usd',
      totalMinor: 300n,
      periodStart: new Date(START_MS),
      periodEnd: new Date(FIRST_END_MS),
    });
    const later = await billing.readCatalog({ invoicesSince: new Date(FIRST_END_MS + DAY_MS) });
    expect(later.invoices.filter((invoice) => invoice.stripeCustomerId === id)).toHaveLength(1);
  });

  test('reads hourly sums over many pages, oldest first, and no others', async () => {
    const { goTo, billing, use, id } = await open();
    const meters = (await billing.readCatalog({ invoicesSince: new Date(0) })).meters;
    const meter = meters.find((candidate) => candidate.eventName === 'gpt_4o_prompt_tokens');
    goTo(START_MS + 150 * HOUR_MS);
    for (let hour = 0; hour < 130; hour += 1) await use(BigInt(hour + 1), START_MS + hour * HOUR_MS);
    await use(1_000n, START_MS + 20 * HOUR_MS + 59 * MINUTE_MS);
    goTo(START_MS + 151 * HOUR_MS);
    const summaries = await billing.readEventSummaries({
      stripeMeterId: meter?.stripeMeterId ?? '',
      stripeCustomerId: id,
      window: { start: new Date(START_MS + 10 * HOUR_MS), end: new Date(START_MS + 129 * HOUR_MS) },
    });
    expect(summaries).toHaveLength(119);
    expect(summaries[0]).toEqual({ windowStart: new Date(START_MS + 10 * HOUR_MS), value: 11n });
    expect(summaries[10]).toEqual({ windowStart: new Date(START_MS + 20 * HOUR_MS), value: 1_021n });
  });

  test('refuses a window of summaries that does not lie on hours', async () => {
    const { billing, id } = await open();
    await expect(
      billing.readEventSummaries({
        stripeMeterId: 'mtr',
        stripeCustomerId: id,
        window: { start: new Date(START_MS + MINUTE_MS), end: new Date(START_MS + HOUR_MS) },
      }),
    ).rejects.toMatchObject({ code: 'VALIDATION' });
  });
});

describe('the account', () => {
  test('expands four levels and no more', async () => {
    const { sdk, subscriptionId } = await open();
    const subscription = await sdk.subscriptions.retrieve(subscriptionId, {
      expand: ['items.data.price.product'],
    });
    expect(subscription.items.data[0]?.price.product).toMatchObject({ object: 'product' });
    await expect(sdk.subscriptions.list({ expand: ['data.items.data.price.product'] })).rejects.toMatchObject(
      { statusCode: 400, message: expect.stringContaining('4 levels') },
    );
    await expect(sdk.customers.list({ expand: ['data.nothing'] })).rejects.toMatchObject({
      message: expect.stringContaining('cannot be expanded'),
    });
  });

  test('pages both ways and refuses bad cursors and limits', async () => {
    const { sdk } = await open({ customerCount: 7 });
    const all = (await sdk.customers.list({ limit: 100 })).data.map((customer) => customer.id);
    const page = await sdk.customers.list({ limit: 3, starting_after: all[1] ?? '' });
    expect(page.data.map((customer) => customer.id)).toEqual(all.slice(2, 5));
    expect(page.has_more).toBe(true);
    const before = await sdk.customers.list({ limit: 2, ending_before: all[4] ?? '' });
    expect(before.data.map((customer) => customer.id)).toEqual(all.slice(2, 4));
    await expect(sdk.customers.list({ limit: 101 })).rejects.toMatchObject({ statusCode: 400 });
    await expect(sdk.customers.list({ starting_after: 'cus_none' })).rejects.toMatchObject({
      statusCode: 404,
    });
  });
});
