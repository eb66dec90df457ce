import { parse } from 'csv-parse/sync';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sumUpcoming } from '../../src/console/invoices/upcoming/sums.ts';

import { listUpcoming } from '../../src/previews/upcoming.ts';
import { seedPriceBook } from '../../src/prices/book.ts';
import { type ApiBench, createApiBench } from '../api/setup.ts';
import { insertCatalog, insertUsage, PERIOD } from '../api/world.ts';
import { rate } from '../costs/rollup-world.ts';

const PATH = '/console/invoices/upcoming';
const OURS = { 'sec-fetch-site': 'same-origin', 'content-type': 'application/x-www-form-urlencoded' };
/** Beside the two of the catalog: more than one look works out. */
const MORE = 54;

let bench: ApiBench;
let cookie = '';

const idOf = (number: number) => `more-${String(number).padStart(2, '0')}`;

beforeAll(async () => {
  bench = await createApiBench();
  const { database } = bench.ledger;
  await insertCatalog(database);
  await seedPriceBook(database, bench.clock.now());
  await sql`insert into customers (customer_id, stripe_customer_id, tenant_key, name, currency, synced_at)
    select 'more-' || lpad(number::text, 2, '0'), 'cus_more_' || number, 'more-' || number, 'More ' || lpad(number::text, 2, '0'), 'usd', now()
    from generate_series(1, ${MORE}::int) as number`.execute(database);
  await sql`insert into subjects (subject, tenant_key, customer_id, assigned_by, first_seen_at, updated_at)
    select 'user-of-' || customer_id, tenant_key, customer_id, 'tenant', now(), now() from customers where customer_id like 'more-%'`.execute(
    database,
  );
  await sql`insert into subscription_items (subscription_item_id, subscription_id, subscription_status, customer_id, price_id, product_name,
      currency, unit_amount_decimal, stripe_meter_id, current_period_start, current_period_end, active, synced_at)
    select 'si_' || customer_id, 'sub_' || customer_id, 'active', customer_id, 'price_more', 'Prompt', currency, 0.0003, 'mtr_prompt',
      ${PERIOD.start}, ${PERIOD.end}, true, now() from customers where customer_id like 'more-%'`.execute(
    database,
  );
  const seeds = Array.from({ length: MORE }, (_, index) => ({
    hour: '2026-11-05T09:00:00Z',
    customer: idOf(index + 1),
    subject: `user-of-${idOf(index + 1)}`,
    tokens: 1_000_003n * BigInt(index + 1),
  }));
  await insertUsage(database, [...seeds, { hour: '2026-11-05T09:00:00Z', tokens: 7_000_001n }]);
  await rate(database);
  const signedIn = await bench.api.request('/console/sign-in', {
    method: 'POST',
    headers: OURS,
    body: new URLSearchParams({ key: bench.keys.sales }),
  });
  cookie = signedIn.headers.get('set-cookie')?.split(';')[0] ?? '';
});
afterAll(() => bench?.close());

async function look(query = ''): Promise<string> {
  const response = await bench.api.request(`${PATH}${query}`, { headers: { cookie } });
  expect(response.status).toBe(200);
  return await response.text();
}

/** What the page says all come to, by currency. */
function sumsOn(page: string): Record<string, string> {
  const found = page.matchAll(/<dt>So far, (\w+)<\/dt><dd>([^<]+)</g);
  return Object.fromEntries(
    [...found].map(([, currency = '', sum = '']) => [currency, sum.replaceAll(/[^\d.]/g, '')]),
  );
}

/** The same of the file, whose rows are each worked out when it is asked for. */
async function sumsOfFile(): Promise<Record<string, string>> {
  const rows = parse<Record<string, string>>(await look('?csv=upcoming'), { columns: true });
  const minor = (text: string) => BigInt(text.replace('.', ''));
  const byCurrency = Map.groupBy(rows, (row) => (row.currency ?? '').toUpperCase());
  return Object.fromEntries(
    [...byCurrency].map(([currency, its]) => {
      const sum = String(its.reduce((total, row) => total + minor(row.so_far ?? ''), 0n)).padStart(3, '0');
      return [currency, `${sum.slice(0, -2)}.${sum.slice(-2)}`];
    }),
  );
}

const kept = async () => sumUpcoming(await listUpcoming(bench.ledger.database), []);

/** Brings all sums up to date as people do. */
async function press(): Promise<string> {
  const formToken = /name="formToken" value="([^"]+)"/.exec(await look())?.[1] ?? '';
  const body = new URLSearchParams({ formToken });
  const sent = await bench.api.request(`${PATH}/refresh`, {
    method: 'POST',
    headers: { ...OURS, cookie },
    body,
  });
  expect(sent.status).toBe(303);
  return await look();
}

describe('what all upcoming invoices come to', () => {
  it('is said with what of it is missing, and is whole once enough has been worked out', async () => {
    await bench.ledger.database.deleteFrom('upcoming_invoices').execute();
    const first = await look();
    expect(first).toContain(
      '50 of all 56 next invoices are in the sums as they are now; 6 not yet worked out',
    );
    const second = await look();
    expect(second).not.toContain('Sum them all anew');
    expect(sumsOn(second)).toEqual(await sumsOfFile());
    expect(sumsOn(await look('?upcoming-page=3'))).toEqual(sumsOn(second));
  });

  it('is old for the customer alone whose usage, price or waiting usage changed', async () => {
    const { database } = bench.ledger;
    await press();
    expect(await kept()).toMatchObject({ changedCount: 0, missingCount: 0 });
    await sql`update subscription_items set synced_at = synced_at + interval '1 hour'`.execute(database);
    expect(await kept()).toMatchObject({ changedCount: 0 });
    const more = { customer: idOf(40), subject: `user-of-${idOf(40)}`, tokens: 9_000_001n };
    await insertUsage(database, [{ hour: '2026-11-06T10:00:00Z', ...more }]);
    await rate(database);
    expect(await kept()).toMatchObject({ changedCount: 1, oldestAsOf: bench.clock.now() });
    await sql`update subscription_items set unit_amount_decimal = 0.0007 where customer_id = ${idOf(41)}`.execute(
      database,
    );
    expect(await kept()).toMatchObject({ changedCount: 2 });
    await sql`update hourly_usage set quarantine_reason = 'no_price' where customer_id = ${idOf(42)}`.execute(
      database,
    );
    expect(await kept()).toMatchObject({ changedCount: 3 });
    expect(sumsOn(await look())).toEqual(await sumsOfFile());
    expect(await kept()).toMatchObject({ changedCount: 0 });
  });

  it('says from when it is where more changed than one look works out, and is brought up to date by hand', async () => {
    const { database } = bench.ledger;
    await press();
    await sql`update subscription_items set unit_amount_decimal = 0.0009 where customer_id like 'more-%'`.execute(
      database,
    );
    const page = await look();
    expect(page).toContain(
      '51 of all 56 next invoices are in the sums as they are now; 5 by what they came to before',
    );
    expect(sumsOn(page)).not.toEqual(await sumsOfFile());
    const pressed = await press();
    expect(pressed).not.toContain('Sum them all anew');
    expect(sumsOn(pressed)).toEqual(await sumsOfFile());
  });
});
