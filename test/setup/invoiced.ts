import { expect } from 'vitest';
import { getCertificate } from '../../src/closing/certificates.ts';
import { seedPlans } from '../../src/plans/seed.ts';
import { decideInvoiceStatement } from '../../src/statements/decide.ts';
import { gatherInvoiceStatement } from '../../src/statements/gather.ts';
import { type Caller, callersOf, closeOf, openClosing, SCALE_PLAN_PRICES } from './closing.ts';
import { type Pipeline, type PipelineOptions, START_MS } from './pipeline.ts';

/** A closing pipeline whose first customer has a plan with a minimum of 500 dollars, at 0.001 cents a token. */
export async function openWithPlan(
  options: PipelineOptions = {},
): Promise<{ pipeline: Pipeline; caller: Caller }> {
  const pipeline = await openClosing({
    ...options,
    stripe: { tieredPrices: SCALE_PLAN_PRICES, ...options.stripe },
  });
  await seedPlans(pipeline.deps.database, new Date(START_MS));
  const [caller] = callersOf(pipeline);
  if (caller === undefined) throw new Error('the world has changed');
  return { pipeline, caller };
}

/** The first customer as Stripe has it, with the subscription and its item for prompt tokens. */
export async function northwindOf({ account }: Pipeline) {
  const customers = (await account.customers.list({ limit: 100 })).data;
  const customer = customers.find((candidate) => candidate.metadata.tenant_id === 'northwind');
  const subscription = (await account.subscriptions.list({ customer: customer?.id ?? '' })).data[0];
  const items = await account.subscriptionItems.list({ subscription: subscription?.id ?? '', limit: 100 });
  const item = items.data.find(
    ({ price }) =>
      price.metadata.tallystick_model === 'gpt-4o' && price.metadata.tallystick_token_type === 'prompt',
  );
  if (customer === undefined || subscription === undefined || item === undefined)
    throw new Error('the world has changed');
  return { customer, subscription, item, items: items.data };
}

/** Another price for the item's product and meter, of the same plan. */
export async function priceLike(
  pipeline: Pipeline,
  item: Awaited<ReturnType<typeof northwindOf>>['item'],
  given: { unitAmountDecimal: string; interval?: 'week' | 'month' | 'year' },
) {
  const { price } = item;
  return await pipeline.account.prices.create({
    product: String(price.product),
    currency: price.currency,
    unit_amount_decimal: given.unitAmountDecimal as never,
    metadata: price.metadata,
    recurring: {
      interval: given.interval ?? 'month',
      usage_type: 'metered',
      meter: price.recurring?.meter ?? '',
    },
  });
}

/** What became of the last period of a customer that was closed. */
export async function closedOf(pipeline: Pipeline, caller: Caller) {
  const { database, invoicing } = pipeline.deps;
  const { close, steps } = await closeOf(pipeline, caller.customerId);
  const invoice = await invoicing.readInvoice(close.invoiceId);
  const certificate = await getCertificate(database, close.invoiceId);
  const statement = await statementOf(pipeline, close.invoiceId);
  const content = JSON.parse(certificate.content);
  return { close, states: steps.map(({ state }) => state), invoice, certificate, content, statement };
}

export async function statementOf(pipeline: Pipeline, invoiceId: string) {
  const { database, clock, invoicing, billing } = pipeline.deps;
  const dependencies = { database, clock, invoicing, billing, previewCache: new Map(), version: 'test' };
  return decideInvoiceStatement(await gatherInvoiceStatement(dependencies, invoiceId));
}

/** Every table of a statement divides exactly these tokens. */
export function expectDivided(
  { totals, byDay, byUser, byModel, byFeature, days }: Awaited<ReturnType<typeof statementOf>>,
  tokenCount: bigint,
): void {
  expect(totals.tokenCount).toBe(tokenCount);
  for (const { rest, rows } of [byDay, byUser, byModel, byFeature]) {
    expect([rest, rows.reduce((sum, row) => sum + row.tokenCount, 0n)]).toEqual([null, tokenCount]);
  }
  const counts = days.flatMap(({ models }) => models.map(([, count]) => count));
  expect(counts.reduce((sum, count) => sum + count, 0n)).toBe(tokenCount);
}
