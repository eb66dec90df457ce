import { sql } from 'kysely';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { DeliveryRecorder } from '../../jobs/push/delivery-recorder.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

const NOW = new Date('2026-10-02T00:00:00Z');

let ledger: TestLedger;
beforeEach(async () => {
  ledger = await createTestLedger();
  await sql`insert into customers (customer_id, name, synced_at) values ('northwind', 'Northwind', now())`.execute(
    ledger.database,
  );
});
afterEach(() => ledger.close());

async function addPushes(count: number): Promise<bigint[]> {
  const added = await sql<{ id: bigint }>`
    insert into meter_pushes (customer_id, stripe_customer_id, stripe_meter_id, event_name, window_start, revision,
      delta_token_count, total_token_count, sent_value, event_timestamp, identifier, created_at)
    select 'northwind', 'cus_1', 'mtr_1', 'tokens', hour, 1, 1, 1, 1, hour, 'push ' || hour, now()
    from generate_series(timestamptz '2026-01-01', timestamptz '2026-01-01' + make_interval(hours => ${count - 1}),
      interval '1 hour') as hour
    returning meter_push_id as id`.execute(ledger.database);
  return added.rows.map((row) => row.id);
}

async function countDelivered(): Promise<number> {
  const found = await sql<{ count: number }>`
    select count(*)::int as count from meter_pushes where status = 'delivered' and delivered_at = ${NOW}`.execute(
    ledger.database,
  );
  return found.rows[0]?.count ?? 0;
}

it('commits a few deliveries soon, and a hundred at once, without being asked', async () => {
  const ids = await addPushes(103);
  const recorder = new DeliveryRecorder(ledger.database, () => NOW);
  for (const id of ids.slice(0, 3)) recorder.add(id);
  await vi.waitFor(async () => expect(await countDelivered()).toBe(3), { timeout: 150_000 });
  for (const id of ids.slice(3)) recorder.add(id);
  await vi.waitFor(async () => expect(await countDelivered()).toBe(103), { timeout: 150_000 });
  await recorder.flush();
});

it('commits in one go what came in while a commit was slow', async () => {
  const ids = await addPushes(1_000);
  let commitCount = 0;
  const recorder = new DeliveryRecorder(ledger.database, () => {
    commitCount += 1;
    return NOW;
  });
  await ledger.database.transaction().execute(async (transaction) => {
    await sql`lock table meter_pushes in share mode`.execute(transaction);
    for (const id of ids) recorder.add(id);
    expect(commitCount).toBe(1);
  });
  await recorder.flush();
  expect(await countDelivered()).toBe(1_000);
  expect(commitCount).toBe(2);
});

it('takes no more once deliveries cannot be kept', async () => {
  const [first = 0n, second = 0n] = await addPushes(2);
  const recorder = new DeliveryRecorder(ledger.database, () => NOW);
  await sql`alter table meter_pushes rename to hidden`.execute(ledger.database);
  recorder.add(first);
  await expect(recorder.flush()).rejects.toThrow('meter_pushes');
  expect(() => recorder.add(second)).toThrow('meter_pushes');
});
