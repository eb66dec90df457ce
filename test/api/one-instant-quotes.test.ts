import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addMs, HOUR_MS } from '../../src/platform/clock.ts';
import { createApp } from '../../src/service/app.ts';
import { RecordedLedger } from '../setup/recorded-ledger.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertCatalog, insertUsage, PERIOD, STEADY_USE } from './world.ts';

let bench: ApiBench;
let recorded: RecordedLedger;
beforeEach(async () => {
  bench = await createApiBench();
  recorded = new RecordedLedger(bench.ledger.databaseUrl);
  await insertCatalog(bench.ledger.database);
  await insertUsage(bench.ledger.database, [
    ...[1, 2, 3, 4, 5, 6].map((user) => ({ hour: hourOf(user), subject: `user-${user}`, tokens: 10_000n })),
    ...STEADY_USE,
  ]);
});
afterEach(async () => {
  await recorded.close();
  await bench.close();
});

const hourOf = (round: number) => addMs(PERIOD.start, (12 + round) * HOUR_MS).toISOString();

/** Usage is settled, prices change and a customer is renamed, in one commit: every part of an answer changes at once. */
async function work(round: number): Promise<void> {
  await bench.ledger.database.transaction().execute(async (transaction) => {
    const run = (query: ReturnType<typeof sql>) => query.execute(transaction);
    await insertUsage(transaction, [{ hour: hourOf(6 + round), subject: 'user-1', tokens: 1_000_000n }]);
    await run(
      sql`update subscription_items set unit_amount_decimal = (unit_amount_decimal::numeric * 2)::text`,
    );
    await run(sql`update customers set name = name || '+'`);
  });
}

/** What is answered that does not differ from one asking to the next. */
async function ask(path: string, body: object, database = bench.ledger.database): Promise<unknown> {
  const app = createApp({ database, clock: bench.clock, billing: bench.billing, version: '0.0.0-test' });
  const response = await app.request(path, {
    method: 'POST',
    headers: { authorization: `Bearer ${bench.keys.finance}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status, await response.clone().text()).toBeLessThan(202);
  const { resultHash, preparedFor, result, reproduced, changed, now } = (await response.json()) as Record<
    string,
    unknown
  >;
  return { resultHash, preparedFor, result, reproduced, changed, now };
}

const usage = [{ model: 'gpt-4o', feature: 'chat', promptTokenCount: 1_000_000, completionTokenCount: 0 }];

/** Asks with a change before the first, the second, the third ... statement, until none is left to change before. */
async function askThroughChanges(path: string, body: object): Promise<void> {
  let position = 0;
  let changedCount = 0;
  let before = await ask(path, body);
  for (let isSent = true; isSent; ) {
    position += 1;
    let sent = 0;
    recorded.beforeStatement = async () => {
      sent += 1;
      if (sent === position) await work(position);
    };
    const answer = await ask(path, body, recorded.database);
    isSent = sent >= position;
    if (!isSent) continue;
    const after = await ask(path, body);
    expect(after).not.toEqual(before);
    const isOfBefore = JSON.stringify(answer) === JSON.stringify(before);
    if (!isOfBefore) expect(answer, `changed before statement ${position}`).toEqual(after);
    changedCount += isOfBefore ? 0 : 1;
    before = after;
  }
  // A change before the first statement is in the answer, one before the last is not.
  expect(changedCount).toBeGreaterThan(0);
  expect(position - 1).toBeGreaterThan(changedCount);
}

describe('an answer is of one instant, whatever is committed while it is made', () => {
  it.each<[string, object]>([
    ['on top of what a customer uses', { usage, customerId: 'northwind', mode: 'merge' }],
    ['like a customer, by its prices', { likeCustomer: 'northwind', customerId: 'northwind' }],
    ['by active users', { activeUsers: [{ feature: 'chat', count: 250 }], customerId: 'northwind' }],
  ])('a quote %s', async (_name, body) => {
    await askThroughChanges('/v1/quotes', body);
  });

  it('a quote that is computed again, and what it would be today', async () => {
    const made = await bench.call('/v1/quotes', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ likeCustomer: 'northwind', customerId: 'northwind' }),
    });
    const { quoteId } = (await made.json()) as { quoteId: string };
    await askThroughChanges(`/v1/quotes/${quoteId}/recompute`, {});
  });

  it('a simulation', async () => {
    await askThroughChanges('/v1/simulations', {
      from: '2026-11-01',
      to: '2026-11-21',
      scenarios: [{ name: 'dearer', markupPercent: '50' }],
    });
  });
});
