import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createPortalBench, type PortalBench } from './bench.ts';
import { insertPortalWorld } from './world.ts';

const USERS = 10_000;

let bench: PortalBench;
let base: string;

beforeAll(async () => {
  bench = await createPortalBench();
  const { database } = bench.ledger;
  await insertPortalWorld(database);
  const who = sql`select 'crowd-' || lpad(n::text, 5, '0') as subject, n from generate_series(1, ${sql.lit(USERS)}) as n`;
  await sql`
    insert into subjects (subject, tenant_key, customer_id, assigned_by, first_seen_at, updated_at)
    select subject, 'northwind', 'northwind', 'tenant', '2026-11-01Z', '2026-11-01Z' from (${who}) as crowd`.execute(
    database,
  );
  await sql`
    insert into hourly_usage (window_start, subject, feature, model, deployment, token_type, part_start_minute,
      part_end_minute, revision, token_count, delta_token_count, customer_id, meter_push_id, created_at)
    select push.window_start, subject, 'chat', 'gpt-4o', 'crowd', 'prompt', 0, 60, 1, n, n, 'northwind', push.meter_push_id, '2026-11-21Z'
    from (${who}) as crowd, (select window_start, meter_push_id from meter_pushes
      where stripe_meter_id = 'mtr_prompt' and window_start = '2026-11-20T08:00:00Z' and customer_id = 'northwind') as push`.execute(
    database,
  );
  await sql`
    insert into display_names (customer_id, subject, name) select 'northwind', subject, 'Person ' || n from (${who}) as crowd`.execute(
    database,
  );
  base = await bench.visit({});
}, 120_000);
afterAll(() => bench?.close());

it('shows a customer of 10,000 users a page of them, found by name, and all of them as CSV', async () => {
  const { status, text } = await bench.read(base);
  expect(status).toBe(200);
  expect(text).toContain('10,002 rows');
  expect(text.length).toBeLessThan(300_000);
  const found = (await bench.read(`${base}?user=person+9876`)).text;
  expect(found).toContain('Person 9876');
  expect(found).toContain('1 row<');
  const csv = (await bench.read(`${base}?csv=users`)).text.trimEnd().split('\r\n');
  expect(csv).toHaveLength(USERS + 3);
  expect(new Set(csv).size).toBe(csv.length);
});

it('shows one of them their own usage', async () => {
  const { text } = await bench.read(await bench.visit({ userId: 'crowd-09876' }));
  expect(text).toContain('9,876');
  expect(text).not.toContain('Person 9875');
});
