import { expect } from 'vitest';
import { insertListedPrices } from '../api/listed-prices.ts';
import { insertSimulationWorld } from './simulations-world.ts';
import type { ConsoleBench } from './walk.ts';

const NEXT_YEAR = `plan: scale
name: Scale
currency: usd
versions:
  - effectiveFrom: 2027-01-01
    minimum: 100.00
    note: for the new year
    rates:
      - { model: gpt-4o, tokenType: prompt, perMillion: 7.00 }
      - model: gpt-4o
        tokenType: completion
        includedTokens: 1_000_000
        graduated:
          - { upTo: 50_000_000, perMillion: 12.00 }
          - { perMillion: 11.00, flat: 5.00 }
      - model: gpt-4o-mini
        tokenType: prompt
        volume:
          - { upTo: 200_000_000, perMillion: 0.30 }
          - { perMillion: 0.20 }
`;

/** A book whose prices changed, ended and will change, two that wait, and a plan with a version to come. */
export async function insertPricesWorld(
  bench: ConsoleBench,
): Promise<{ largeChange: string; unmapped: string }> {
  await insertSimulationWorld(bench);
  const post = async (path: string, body: string, type = 'application/json') => {
    const answer = await bench.call(path, { method: 'POST', headers: { 'content-type': type }, body });
    expect(answer.status, await answer.clone().text()).toBe(201);
  };
  const row = (effectiveFrom: string, amount: string) => ({
    model: 'gpt-4.1',
    tokenType: 'prompt',
    effectiveFrom,
    amount,
  });
  await post(
    '/v1/prices',
    JSON.stringify({
      reason: 'new lists',
      prices: [
        row('2026-03-01', '2.20'),
        row('2026-08-01', '2.00'),
        row('2027-02-01', '1.60'),
        { ...row('2026-09-01', '1.10'), deploymentType: 'data_zone', region: 'eu' },
        { ...row('2026-10-01', 'retired'), deploymentType: 'data_zone', region: 'eu' },
      ],
    }),
  );
  await post('/v1/plans', NEXT_YEAR, 'application/yaml');
  return await insertListedPrices(bench.ledger.database, bench.clock.now());
}
