import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { formatDecimal, PICO_DIGITS } from '../../pricing/money.ts';
import {
  allocateHour,
  averagePicoUsdPerMillion,
  createProvisionedCapacity,
  hourlyCapacityWeight,
  hourlyCostPicoUsd,
  marginalCostPicoUsd,
  weightOf,
} from '../../pricing/rating/provisioned.ts';
import { CAPACITY_TERMS } from './capacity-terms.ts';

const document = readFileSync(new URL('../../docs/pricing.md', import.meta.url), 'utf8');
const section = document.slice(document.indexOf('### An hour of capacity'));
const usd = (picoUsd: bigint) => formatDecimal(picoUsd, PICO_DIGITS, 2);
const ONE = 1_000_000n;

it('the hour of capacity in docs/pricing.md is what the allocation says', () => {
  const rows = section
    .split('\n')
    .filter((line) => /^\| (northwind|adatum|nobody)/.test(line))
    .map((line) => line.split('|').map((cell) => cell.trim().replaceAll(',', '')));
  const users = rows.slice(0, 2);
  const overhead = createProvisionedCapacity(CAPACITY_TERMS);
  const weights = users.map((cells) =>
    (['prompt', 'prompt_cached', 'completion'] as const).reduce(
      (sum, tokenType, index) => sum + weightOf(overhead, tokenType, BigInt(cells[index + 2] ?? '')),
      0n,
    ),
  );
  expect(users.map((cells) => cells[5])).toEqual(weights.map((weight) => String(weight / ONE)));
  for (const [idlePolicy, column] of [
    ['overhead', 6],
    ['spread', 7],
  ] as const) {
    const hour = allocateHour({ ...overhead, idlePolicy }, weights);
    expect(rows.map((cells) => cells[column])).toEqual([...hour.sharesPicoUsd, hour.idlePicoUsd].map(usd));
  }
  const used = weights.reduce((sum, weight) => sum + weight, 0n);
  const free = hourlyCapacityWeight(overhead) - used;
  expect(rows[2]?.[5]).toBe(String(free / ONE));
  expect(section).toContain(usd(averagePicoUsdPerMillion(hourlyCostPicoUsd(overhead), used) ?? 0n));
  expect(marginalCostPicoUsd(overhead, used, free).picoUsd).toBe(0n);
  expect(section).toContain(`${usd(marginalCostPicoUsd(overhead, used + free, 1n).picoUsd)} USD an hour`);
});
