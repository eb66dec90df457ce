import { sql } from 'kysely';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AttemptMarker } from '../../jobs/push/attempt-marker.ts';
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

/** Pending pushes of as many hours, oldest first. */
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

async function readMarked(): Promise<bigint[]> {
  const found = await ledger.database
    .selectFrom('meter_pushes')
    .select('meter_push_id')
    .where('first_attempt_at', '=', NOW)
    .where('attempt_count', '=', 1)
    .orderBy('meter_push_id')
    .execute();
  return found.map((row) => row.meter_push_id);
}

it('marks one chunk ahead of the calls and no further', async () => {
  const ids = await addPushes(1_700);
  const marker = new AttemptMarker(ledger.database, () => NOW, ids);
  await marker.mark(ids[0] as bigint);
  await marker.settle();
  expect(await readMarked()).toEqual(ids.slice(0, 1_000));
  await Promise.all(ids.slice(0, 600).map((id) => marker.mark(id)));
  await marker.settle();
  expect(await readMarked()).toEqual(ids.slice(0, 1_500));
});

it('has marked a push before it says so, wherever in the page it stands', async () => {
  const ids = await addPushes(1_200);
  const marker = new AttemptMarker(ledger.database, () => NOW, ids);
  await marker.mark(ids[1_100] as bigint);
  expect(await readMarked()).toEqual(ids.slice(1_000));
});

it('lets no call go out whose attempt cannot be kept', async () => {
  const ids = await addPushes(3);
  const marker = new AttemptMarker(ledger.database, () => NOW, ids);
  await expect(marker.mark((ids[2] as bigint) + 1n)).rejects.toThrow(RangeError);
  await sql`alter table meter_pushes rename to hidden`.execute(ledger.database);
  for (const id of ids) await expect(marker.mark(id)).rejects.toThrow('meter_pushes');
  await marker.settle();
});
