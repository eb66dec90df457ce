import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { planCatalogChanges } from '../../pricing/plans/catalog.ts';
import { parsePlanFile, toPlan } from '../../pricing/plans/file.ts';
import { planRatesAt } from '../../pricing/plans/rates.ts';
import { azureOpenAiPriceBook as book } from '../../pricing/prices/azure-openai.ts';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import { applyPlanChanges } from '../../src/stripe/plans/apply.ts';
import { createPlanCatalog } from '../../src/stripe/plans/catalog.ts';
import { call, callersOf, openClosing as openClosingPipeline } from '../setup/closing.ts';
import { openPipeline, type Pipeline } from '../setup/pipeline.ts';
import { makeCall } from '../setup/rows.ts';
import { openAccount } from '../stripe/account.ts';
import { FIRST_END_MS, openClosing } from '../stripe/closing-world.ts';

/** Usage is collected, billed and closed, of an account with amounts in another currency, and a test clock. */
export async function walkPipeline(): Promise<void> {
  const pipeline = await openClosingPipeline({ stripe: { optionCurrencies: { northwind: 'eur' } } });
  try {
    const { account } = pipeline;
    const frozenTime = Math.floor(pipeline.clock.nowMs() / 1_000);
    const clock = await account.testHelpers.testClocks.create({ frozen_time: frozenTime });
    await account.customers.create({ name: 'Rehearsed', test_clock: clock.id });
    for (const caller of callersOf(pipeline)) call(pipeline, caller, { hour: 3, prompt: 1_234_567 });
    for (const hours of [6, 31, 1, 1, 1, 1]) await pipeline.tick(hours);
  } finally {
    await pipeline.close();
  }
}

/** Each call of a close, a second time too, then credits, and the account read as a whole and one by one. */
export async function walkClosing(): Promise<void> {
  const world = await openClosing({ customerCount: 2 });
  try {
    const { billing, invoicing, id, goTo, subscriptionId, sdk } = world;
    const [first] = (await sdk.subscriptions.retrieve(subscriptionId)).items.data;
    const [other] = (await sdk.subscriptions.retrieve(subscriptionId)).items.data.slice(1);
    if (first === undefined || other === undefined) throw new Error('there are no items');
    await billing.readTaxSettings();
    await billing.findUntaxed();
    const vat = await sdk.taxRates.create({ display_name: 'VAT', percentage: 19, inclusive: false });
    const coupon = await sdk.coupons.create({ percent_off: 10, duration: 'forever', name: 'Partner' });
    await sdk.subscriptions.update(subscriptionId, {
      default_tax_rates: [vat.id],
      discounts: [{ coupon: coupon.id }],
    });
    await sdk.subscriptionItems.update(other.id, { tax_rates: [vat.id] });
    const early = { amountGteMinor: 5_000n, idempotencyKey: 'early-bill-1' };
    await invoicing.setBillingThreshold(subscriptionId, early);
    await invoicing.readBillingThreshold(subscriptionId);
    await invoicing.setBillingThreshold(subscriptionId, { ...early, amountGteMinor: null });
    const period = { start: new Date(FIRST_END_MS - 2 * HOUR_MS), end: new Date(FIRST_END_MS) };
    goTo(FIRST_END_MS - HOUR_MS);
    await world.use(1_500_000n, FIRST_END_MS - 2 * HOUR_MS);
    for (const scope of [{ price_type: 'metered' as const }, { prices: [{ id: first.price.id }] }])
      await sdk.billing.creditGrants.create({
        customer: id,
        name: 'Prepaid',
        amount: { type: 'monetary', monetary: { currency: 'usd', value: 1_000 } },
        applicability_config: { scope },
      });
    await billing.previewInvoice({ stripeCustomerId: id, subscriptionId });
    // Once with an amount off: its fields are read only where no percentage is.
    const fixed = await sdk.coupons.create({ amount_off: 5, currency: 'usd', duration: 'forever' });
    await sdk.subscriptions.update(subscriptionId, { discounts: [{ coupon: fixed.id }] });
    await billing.previewInvoice({ stripeCustomerId: id, subscriptionId });
    await sdk.subscriptions.update(subscriptionId, { discounts: [{ coupon: coupon.id }] });
    const [grant] = await billing.listCreditGrants(id);
    for (const grantId of [null, grant?.grantId ?? ''])
      await billing.readCreditBalance({ stripeCustomerId: id, currency: 'usd', grantId });
    const late = { stripeCustomerId: id, currency: 'usd', description: 'Late usage', period };
    await invoicing.createInvoiceItem({
      ...late,
      subscriptionId,
      quantity: 7n,
      unitAmountDecimal: '100.5',
      taxedAs: { subscriptionItemId: other.id, priceId: null },
      idempotencyKey: 'late-1',
    });
    goTo(FIRST_END_MS + HOUR_MS);
    const invoiceId = world.invoiceId();
    const deadline = new Date(FIRST_END_MS + 40 * HOUR_MS);
    await invoicing.claimInvoice(invoiceId, { finalizeNoLaterThan: deadline, idempotencyKey: 'close' });
    for (let time = 0; time < 2; time += 1) {
      await invoicing.createInvoiceItem({
        ...late,
        invoiceId,
        amountMinor: 120n,
        metadata: { tallystick_item: 'late' },
        taxedAs: { subscriptionItemId: first.id, priceId: first.price.id },
        idempotencyKey: 'late-2',
      });
    }
    const items = await invoicing.listInvoiceItems(id);
    const changed = items.at(-1)?.invoiceItemId ?? '';
    await invoicing.changeInvoiceItem(changed, { amountMinor: 130n, idempotencyKey: 'change-1' });
    await invoicing.changeInvoiceItem(changed, { amountMinor: 0n, idempotencyKey: 'change-2' });
    const draft = await invoicing.readInvoice(invoiceId);
    const [line] = draft?.lines ?? [];
    await invoicing.annotateInvoice(invoiceId, {
      memo: 'November',
      footer: 'Thank you',
      customFields: [{ name: 'Period', value: '1 to 4 November 2026' }],
      metadata: { tallystick_certificate: 'abc' },
      lines: [{ lineId: line?.lineId ?? '', description: 'Tokens', metadata: { tallystick_line: 'a' } }],
      idempotencyKey: 'text',
    });
    await invoicing.finalizeInvoice(invoiceId, { idempotencyKey: 'finalize' });
    await invoicing.finalizeInvoice(invoiceId, { idempotencyKey: 'finalize-again' });
    const final = await invoicing.readInvoice(invoiceId);
    const credited = final?.lines.find(({ amountMinor }) => amountMinor > 10n);
    const note = { invoiceId, reason: 'order_change', memo: 'Too much' } as const;
    await invoicing.createCreditNote({ ...note, amountMinor: 5n, idempotencyKey: 'credit-1' });
    await invoicing.createCreditNote({
      ...note,
      lineIds: [credited?.lineId ?? ''],
      amountMinor: 5n,
      paidPart: 'refund',
      idempotencyKey: 'credit-2',
    });
    const lineIds = [credited?.lineId ?? ''];
    await invoicing.createCreditNote({ ...note, lineIds, amountMinor: 7n, idempotencyKey: 'credit-3' });
    await invoicing.listEvents({ since: new Date(0), types: ['invoice.finalized', 'customer.updated'] });
    const catalog = await billing.readCatalog({ invoicesSince: new Date(0) });
    const [item] = catalog.subscriptionItems;
    await billing.readCatalogObjects(
      {
        customerIds: [id, 'cus_none'],
        subscriptionIds: [subscriptionId],
        invoiceIds: [invoiceId],
        meterIds: catalog.meters.slice(0, 1).map(({ stripeMeterId }) => stripeMeterId),
        priceIds: [item?.priceId ?? ''],
        productIds: [item?.productId ?? ''],
      },
      { invoicesSince: new Date(0) },
    );
    const window = { start: new Date(FIRST_END_MS - DAY_MS), end: new Date(FIRST_END_MS) };
    for (const granularity of ['hour', 'day', 'whole'] as const) {
      await billing.readEventSummaries({
        stripeMeterId: catalog.meters[0]?.stripeMeterId ?? '',
        stripeCustomerId: id,
        window,
        granularity,
      });
    }
    await billing.findMissingRights();
  } finally {
    await world.close();
  }
}

/** A plan's products, meters and prices of all kinds, made, changed, taken out of use and back. */
export async function walkPlans(): Promise<void> {
  const account = await openAccount();
  const port = createPlanCatalog({ STRIPE_API_KEY: account.standIn.apiKey, STRIPE_API_BASE: account.url });
  const rates = [
    '{ model: gpt-4o, tokenType: completion, graduated: [{ upTo: 10, perMillion: 12, flat: 1.50 }, { perMillion: 10.1 }] }',
    '{ model: o3, tokenType: prompt, volume: [{ upTo: 500, perMillion: 2 }, { perMillion: 1 }] }',
    '{ model: o3, tokenType: completion, perMillion: 4 }',
  ];
  try {
    const tax = 'taxBehavior: exclusive, taxCode: txcd_10103001,';
    for (const [chosen, said] of [
      [rates, ''],
      [rates.slice(0, 2), ''],
      [rates, tax],
      [rates.slice(1), tax],
    ] as const) {
      const source = `{ plan: team, name: Team, currency: usd, versions: [{ effectiveFrom: 2026-01-01, ${said} rates: [${chosen.join()}] }] }`;
      const parsed = parsePlanFile(source);
      if (parsed.value === null) throw new Error(JSON.stringify(parsed.problems));
      const plan = toPlan(parsed.value, []);
      const listing = await port.listPlanCatalog();
      const wanted = planRatesAt(plan, new Date('2026-11-01T00:00:00Z'), book);
      await applyPlanChanges(port, planCatalogChanges(plan, wanted, { ...listing, bindings: [] }));
    }
  } finally {
    await account.close();
  }
}

/** A metered item without a meter is served by usage records, and a report tells of meter events that were not counted. */
export async function walkLegacy(): Promise<void> {
  const reports = await listenForReports();
  const pipeline = await openPipeline({
    legacyUsageRecords: true,
    stripe: {
      legacyItemTenantKeys: ['fabrikam'],
      thinWebhook: { url: reports.url, secret: 'whsec_thin_secret' },
    },
  });
  try {
    await bindLegacyItem(pipeline);
    pipeline.traffic.inject([
      ...makeCall({ prompt: 100, completion: 0, dimensions: { userId: 'user-00002', tenantId: 'fabrikam' } }),
      ...makeCall({ prompt: 7, completion: 0 }),
    ]);
    pipeline.stripe.faults.refuseLater(1, 'timestamp_too_far_in_past');
    for (let round = 0; round < 4; round += 1) await pipeline.tick(2);
    await pipeline.stripe.webhooksIdle();
    for (const id of reports.eventIds) await pipeline.deps.billing.readMeterErrors(id);
  } finally {
    await pipeline.close();
    await reports.close();
  }
}

/** What a person does in the dashboard: the price without a meter takes the place of the one that has it. */
async function bindLegacyItem({ account }: Pipeline): Promise<void> {
  const binding = { tallystick_model: 'gpt-4o', tallystick_token_type: 'prompt' };
  for await (const { id } of account.subscriptions.list({ limit: 100 })) {
    const items = (await account.subscriptionItems.list({ subscription: id, limit: 100 })).data;
    const legacy = items.find(({ price }) => price.recurring?.meter === null);
    if (legacy === undefined) continue;
    const metered = items.find(
      ({ price: { metadata } }) =>
        metadata.tallystick_model === binding.tallystick_model &&
        metadata.tallystick_token_type === binding.tallystick_token_type,
    );
    await account.prices.update(legacy.price.id, { metadata: binding });
    await account.subscriptionItems.del(metered?.id ?? '');
  }
}

/** A server that takes thin events, and says which came. */
async function listenForReports() {
  const eventIds: string[] = [];
  const server = createServer(async (request, response) => {
    eventIds.push((JSON.parse(await text(request)) as { id: string }).id);
    response.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    eventIds,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
