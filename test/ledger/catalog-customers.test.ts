import { afterEach, beforeEach, expect, test } from 'vitest';
import { type CatalogCustomer, storeCustomers } from '../../src/catalog/catalog-customers.ts';
import { putCustomer } from '../../src/catalog/customers.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

let ledger: TestLedger;
beforeEach(async () => {
  ledger = await createTestLedger();
});
afterEach(() => ledger.close());

const now = new Date('2026-11-01T00:00:00Z');

function customer(
  stripeCustomerId: string,
  tenantKey: string | null,
  more: Partial<CatalogCustomer> = {},
): CatalogCustomer {
  return {
    customerId: tenantKey ?? stripeCustomerId,
    stripeCustomerId,
    tenantKey,
    name: stripeCustomerId,
    currency: 'usd',
    deleted: false,
    ...more,
  };
}

const store = (...customers: CatalogCustomer[]) =>
  ledger.database
    .transaction()
    .execute((transaction) => storeCustomers(transaction, customers, { now, actor: 'test' }));

const read = async () =>
  (
    await ledger.database
      .selectFrom('customers')
      .select(['customer_id', 'stripe_customer_id', 'tenant_key', 'deleted_at'])
      .orderBy('customer_id')
      .execute()
  ).map((row) => [
    row.customer_id,
    row.stripe_customer_id,
    row.tenant_key,
    row.deleted_at === null ? 'live' : 'deleted',
  ]);

test('a customer made through the API is joined when Stripe names its tenant', async () => {
  await putCustomer(ledger.database, {
    customerId: 'acme',
    name: 'Acme',
    tenantKey: 'acme',
    stripeCustomerId: null,
    actor: 'test',
    now,
  });
  await store(customer('cus_1', 'acme'));
  expect(await read()).toEqual([['acme', 'cus_1', 'acme', 'live']]);
});

test('a tenant set through the API stays where Stripe names none', async () => {
  await putCustomer(ledger.database, {
    customerId: 'acme',
    name: 'Acme',
    tenantKey: 'tenant-7',
    stripeCustomerId: 'cus_1',
    actor: 'test',
    now,
  });
  await store(customer('cus_1', null));
  expect(await read()).toEqual([['acme', 'cus_1', 'tenant-7', 'live']]);
});

test('a tenant may move to another customer, and two may swap theirs', async () => {
  await store(customer('cus_1', 'north'), customer('cus_2', 'south'));
  await store(customer('cus_1', 'south'), customer('cus_2', 'north'));
  expect(await read()).toEqual([
    ['north', 'cus_1', 'south', 'live'],
    ['south', 'cus_2', 'north', 'live'],
  ]);
});

test('a customer gone from Stripe gives its tenant to its successor and keeps its own past', async () => {
  await store(customer('cus_1', 'north'));
  await store(customer('cus_2', 'north'));
  expect(await read()).toEqual([
    ['cus_2', 'cus_2', 'north', 'live'],
    ['north', 'cus_1', null, 'deleted'],
  ]);
});

test('reading the same twice changes nothing', async () => {
  await store(customer('cus_1', 'north'), customer('cus_2', null));
  const before = await read();
  await store(customer('cus_1', 'north'), customer('cus_2', null));
  expect(await read()).toEqual(before);
});
