import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addMs, HOUR_MS } from '../../src/platform/clock.ts';
import { DEFAULT_API_SETTINGS } from '../../src/platform/http/dependencies.ts';
import { createApp } from '../../src/service/app.ts';
import { RecordedLedger } from '../setup/recorded-ledger.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertInvoice, storeLines } from './statement-world.ts';
import { insertCatalog, insertUsage, PERIOD, stripePreview } from './world.ts';

let bench: ApiBench;
let recorded: RecordedLedger;
beforeEach(async () => {
  bench = await createApiBench();
  recorded = new RecordedLedger(bench.ledger.databaseUrl);
  const { database } = bench.ledger;
  await insertCatalog(database);
  bench.billing.previews.set('sub_northwind', stripePreview('northwind', { prompt: 1_000_000n }));
  await insertUsage(database, [{ hour: hourOf(0), tokens: 1_000_000n }]);
  await insertInvoice(database, { id: 'in_draft', status: 'draft', number: null });
  await storeLines(database, {
    id: 'in_draft',
    status: 'draft',
    lines: [{ lineId: 'il', subscriptionItemId: 'si_northwind_prompt', quantity: 0n, amountMinor: 0n }],
  });
  await database
    .insertInto('watermarks')
    .values({ source: 'app-metrics', position: PERIOD.start, updated_at: PERIOD.start })
    .execute();
});
afterEach(async () => {
  await recorded.close();
  await bench.close();
});

const hourOf = (round: number) => addMs(PERIOD.start, (12 + round * 7) * HOUR_MS).toISOString();

/**
 * What the pipeline does in an hour, in one commit: it collects, settles usage, pushes what was settled the hour before,
 * reads the catalog and the draft again. So every part of an answer changes at once.
 */
async function work(round: number): Promise<void> {
  await bench.ledger.database.transaction().execute(async (transaction) => {
    const run = (query: ReturnType<typeof sql>) => query.execute(transaction);
    await run(sql`
      with pushed as (
        insert into meter_pushes (customer_id, stripe_customer_id, stripe_meter_id, event_name, window_start, revision,
          delta_token_count, total_token_count, sent_value, event_timestamp, identifier, status, created_at)
        select 'northwind', 'cus_northwind', 'mtr_prompt', 'mtr_prompt', window_start, 1, token_count, token_count,
          token_count, window_start, 'work-' || ${round}::text, 'delivered', now()
        from hourly_usage where meter_push_id is null
        returning meter_push_id)
      update hourly_usage set meter_push_id = (select meter_push_id from pushed) where meter_push_id is null`);
    await insertUsage(transaction, [
      { hour: hourOf(round), tokens: BigInt(round) * 10_000n, subject: 'user-2', feature: 'search' },
    ]);
    await run(
      sql`update watermarks set position = position + interval '1 hour' where source = 'app-metrics'`,
    );
    await run(sql`update subscription_items set product_name = product_name || '+'`);
    await run(sql`update customers set name = name || '+'`);
    await run(
      sql`update invoice_lines set amount_minor = amount_minor + 300, quantity = (select sum(delta_token_count) from meter_pushes)`,
    );
    await run(sql`update invoice_readings set total_minor = total_minor + 300`);
  });
}

async function read(
  path: string,
  database = bench.ledger.database,
  accept = 'application/json',
): Promise<unknown> {
  const { clock, billing } = bench;
  const settings = { ...DEFAULT_API_SETTINGS, stripePreviewReadsPerDay: 10_000 };
  const app = createApp({ database, clock, billing, settings, version: '0.0.0-test' });
  const response = await app.request(path, {
    headers: { accept, authorization: `Bearer ${bench.keys.finance}` },
  });
  expect(response.status, await response.clone().text()).toBe(200);
  return accept === 'text/csv' ? await response.text() : await response.json();
}

describe('an answer is of one instant, whatever is committed while it is made', () => {
  it.each([
    '/v1/customers/northwind/invoice-preview',
    '/v1/statements/preview/northwind',
    '/v1/statements/in_draft',
    '/v1/accruals?from=2026-11-01&at=2026-11-21',
    ['/v1/accruals?from=2026-11-01&at=2026-11-21', 'text/csv'],
    ['/v1/usage?period=2026-11', 'text/csv'],
    ['/v1/drift?period=2026-11', 'text/csv'],
  ])('%s', async (asked) => {
    const [path = '', accept] = [asked].flat();
    let changedCount = 0;
    let position = 0;
    let before = await read(path, undefined, accept);
    for (let isSent = true; isSent; ) {
      position += 1;
      let sent = 0;
      recorded.beforeStatement = async () => {
        sent += 1;
        if (sent === position) await work(position);
      };
      const answer = await read(path, recorded.database, accept);
      isSent = sent >= position;
      if (!isSent) continue;
      const after = await read(path, undefined, accept);
      expect(after).not.toEqual(before);
      const isOfBefore = JSON.stringify(answer) === JSON.stringify(before);
      if (!isOfBefore) expect(answer, `changed before statement ${position}`).toEqual(after);
      changedCount += isOfBefore ? 0 : 1;
      before = after;
    }
    // A change before the first statement is in the answer, one before the last is not.
    expect(changedCount).toBeGreaterThan(0);
    expect(position - 1).toBeGreaterThan(changedCount);
  });
});
