import { sql } from 'kysely';
import { afterEach, expect, it } from 'vitest';
import { readAttributedCustomers } from '../../src/catalog/attribution.ts';
import { storeAttributions } from '../../src/catalog/attributions.ts';
import { checkAttribution } from '../../src/command-line/doctor/attribution.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

let ledger: TestLedger;
afterEach(() => ledger.close());

it('says how many users OpenMeter gets, whom it does not have, and who is near the limit', async () => {
  ledger = await createTestLedger();
  const { database } = ledger;
  const add = async (customerId: string, userCount: number) => {
    await sql`insert into customers (customer_id, name, synced_at) values (${customerId}, ${customerId}, now())`.execute(
      database,
    );
    await sql`
      insert into subjects (subject, tenant_key, customer_id, assigned_by, first_seen_at, updated_at)
      select ${customerId} || n, '', ${customerId}, 'person', now(), now()
      from generate_series(1, ${userCount}::int) n`.execute(database);
  };
  await add('small', 3);
  await add('near', 19);
  await add('large', 21);
  await add('frozen', 1);
  const now = new Date();
  const customers = await readAttributedCustomers(database, 20);
  const problems = [
    { customerId: 'frozen', reason: 'active_subscription' as const, message: 'm', fix: 'f' },
    { customerId: 'large', reason: 'active_subscription' as const, message: 'm', fix: 'f' },
  ];
  await storeAttributions(database, { customers, problems }, { startedAt: now, now });
  const findings = await checkAttribution(database, loadConfig({ OPENMETER_SUBJECTS_MAX: '20' }));
  expect(findings.map(({ verdict, what }) => `${verdict}: ${what}`)).toEqual([
    'good: it gets up to 20 users of a customer (OPENMETER_SUBJECTS_MAX), or 800 kB of their ids; it breaks at about 45,000, or 1 MB',
    'look: 1 customers are attributed by the ledger (active_subscription): frozen',
    'look: 1 customers are attributed by the ledger (too_many_subjects): large',
    'look: customer near has 19 users, nearly more than OpenMeter gets',
  ]);
});
