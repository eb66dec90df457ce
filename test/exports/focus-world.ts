import { rateUsage } from '../../jobs/rate-usage.ts';
import { createLogger } from '../../src/platform/log.ts';
import { seedPriceBook } from '../../src/prices/book.ts';
import { type ApiBench, createApiBench } from '../api/setup.ts';
import { insertCatalog, insertUsage } from '../api/world.ts';

export const FOCUS_WINDOW = 'from=2026-11-20&to=2026-11-21';
const HOUR = '2026-11-20T05:00:00Z';

/** A day with every kind of cost: by the token, as a share of capacity, idle, unknown, and nobody's. */
export async function createFocusBench(): Promise<ApiBench> {
  const bench = await createApiBench();
  const { database } = bench.ledger;
  await insertCatalog(database);
  await seedPriceBook(database, bench.clock.now());
  await insertUsage(database, [
    { hour: HOUR, tokens: 1_000_000n },
    { hour: HOUR, tokens: 333n, tokenType: 'completion', feature: '=chat "ü", the first' },
    { hour: HOUR, tokens: 500_000n, subject: 'user-3', customer: 'adatum', feature: 'search' },
    { hour: HOUR, tokens: 11n, model: 'gpt-99', deployment: 'x' },
    { hour: HOUR, tokens: 60_000n, deployment: 'PTU-1', feature: 'search' },
  ]);
  const bought = await bench.call('/v1/provisioned', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      deployment: 'ptu-1',
      from: '2026-11-20T05:00:00Z',
      until: '2026-11-20T07:00:00Z',
      unitCount: 10,
      unitIncrement: 10,
      hourlyUsdPerUnit: '1',
      tokensPerMinutePerUnit: 1_000,
      completionWeight: '4',
    }),
  });
  if (bought.status !== 201) throw new Error(await bought.text());
  await rateUsage({ database, clock: bench.clock, log: createLogger('silent') });
  return bench;
}
