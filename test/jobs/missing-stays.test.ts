import { sql } from 'kysely';
import { afterEach, expect, it } from 'vitest';
import { listUninvoiced } from '../../src/billing/uninvoiced/desk.ts';
import { restoreFound } from '../../src/billing/uninvoiced/restore.ts';
import { insertCatalog } from '../api/world.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

let ledger: TestLedger;
afterEach(() => ledger.close());

it('what a line lacks is not given back for the instalments that were counted when it was found', async () => {
  ledger = await createTestLedger();
  const { database } = ledger;
  await insertCatalog(database);
  await sql`
    insert into invoices (invoice_id, customer_id, subscription_id, status, currency, total_minor, period_start, period_end, synced_at, placed_at)
    select id, 'northwind', 'sub_northwind', 'paid', 'usd', 100, '2026-10-01', '2026-11-01', now(), now()
    from unnest(array['in_period', 'in_instalment']) as id`.execute(database);
  await sql`
    insert into uninvoiced_usage (customer_id, stripe_meter_id, subscription_id, invoice_id, reason, period_start, period_end, token_count, found_at)
    values ('northwind', 'mtr_prompt', 'sub_northwind', 'in_period', 'missing_on_invoice', '2026-10-01', '2026-11-01', 9, now())`.execute(
    database,
  );
  const states = async () =>
    (await listUninvoiced(database, {}, { afterId: 0n, limit: 10 })).map(({ state }) => state);
  await restoreFound(database, new Date('2026-11-20T00:00:00Z'));
  expect(await states()).toEqual(['open']);
  // One that is heard of later may have it.
  await sql`update invoices set placed_at = null where invoice_id = 'in_instalment'`.execute(database);
  await restoreFound(database, new Date('2026-11-20T00:00:00Z'));
  expect(await states()).toEqual(['invoiced']);
});
