import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSnapshot } from '../../src/platform/database/snapshot.ts';
import { type EarlierOrder, listEarlierQuotes } from '../../src/quotes/earlier.ts';
import { type ApiBench, createApiBench } from './setup.ts';
import { insertCatalog } from './world.ts';

let bench: ApiBench;
beforeAll(async () => {
  bench = await createApiBench();
  await insertCatalog(bench.ledger.database);
  for (const [index, tokens] of [2_000_000, 9_000_000, 11_000_000, 2_000_000, 30_000_000].entries()) {
    for (const customerId of ['northwind', 'adatum', null]) {
      bench.clock.instant = new Date(bench.clock.instant.getTime() + (index % 2) * 1_000);
      const response = await bench.call('/v1/quotes', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          usage: [{ model: 'gpt-4o', promptTokenCount: tokens, completionTokenCount: 0 }],
          ...(customerId === null ? {} : { customerId }),
        }),
      });
      expect(response.status, await response.clone().text()).toBe(201);
    }
  }
});
afterAll(() => bench.close());

const ORDERS: readonly EarlierOrder[] = ['created', 'until', 'customer', 'by', 'amount'];

async function read(order: EarlierOrder, isDescending: boolean, stepSize: number) {
  const filter = { now: bench.clock.now() };
  return await readSnapshot(bench.ledger.database, async (snapshot) => {
    const all = [];
    for (let afterId: string | null = null; ; ) {
      const page = { order, isDescending, limit: stepSize, offset: 0, afterId };
      const rows = await listEarlierQuotes(snapshot, filter, page);
      all.push(...rows);
      if (rows.length < stepSize) return all;
      afterId = rows.at(-1)?.quoteId ?? null;
    }
  });
}

describe('earlier quotes', () => {
  it.each(
    ORDERS.flatMap(
      (order) =>
        [
          [order, true],
          [order, false],
        ] as const,
    ),
  )('are whole in steps as at once, by %s, descending %s', async (order, isDescending) => {
    const whole = await read(order, isDescending, 1_000);
    expect(whole).toHaveLength(15);
    for (const stepSize of [1, 2, 4]) {
      expect((await read(order, isDescending, stepSize)).map(({ quoteId }) => quoteId)).toEqual(
        whole.map(({ quoteId }) => quoteId),
      );
    }
  });

  it('stand by amount within each currency, as numbers', async () => {
    const rows = await read('amount', true, 1_000);
    const currencies = rows.map(({ currency }) => currency);
    expect(currencies).toEqual(currencies.toSorted());
    expect(new Set(currencies).size).toBe(2);
    for (const its of Map.groupBy(rows, ({ currency }) => currency).values()) {
      const amounts = its.map(({ offeredAmount }) => Number(offeredAmount ?? '-1'));
      expect(amounts).toEqual(amounts.toSorted((one, other) => other - one));
      expect(new Set(amounts).size).toBeGreaterThan(3);
    }
  });
});
