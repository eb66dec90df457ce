import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
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

const anyTerms = fc.record({
  unitCount: fc.integer({ min: 1, max: 500 }),
  unitIncrement: fc.integer({ min: 1, max: 50 }),
  hourlyUsdPerUnit: fc.integer({ min: 1, max: 999_999 }).map((cents) => (cents / 100).toFixed(2)),
  tokensPerMinutePerUnit: fc.integer({ min: 1, max: 40_000 }),
  completionWeight: fc.constantFrom('1', '4', '8', '2.5'),
  cachedWeight: fc.constantFrom('0', '0.1'),
  idlePolicy: fc.constantFrom('overhead' as const, 'spread' as const),
});
const anyCapacity = anyTerms.map((terms) =>
  createProvisionedCapacity({ ...terms, reservedUnitCount: 0, reservedHourlyUsdPerUnit: null }),
);
const anyWeights = fc.array(fc.bigInt({ min: 0n, max: 10n ** 15n }), { maxLength: 20 });
const sum = (values: readonly bigint[]) => values.reduce((total, value) => total + value, 0n);

describe('an hour of capacity', () => {
  it('is divided to the last pico, whatever was used and whatever the policy', () => {
    fc.assert(
      fc.property(anyCapacity, anyWeights, (capacity, weights) => {
        const { sharesPicoUsd, idlePicoUsd } = allocateHour(capacity, weights);
        expect(sum(sharesPicoUsd) + idlePicoUsd).toBe(hourlyCostPicoUsd(capacity));
        expect(sharesPicoUsd).toHaveLength(weights.length);
        expect([...sharesPicoUsd, idlePicoUsd].every((share) => share >= 0n)).toBe(true);
      }),
    );
  });

  it('costs whoever uses more never less, but for the last pico', () => {
    fc.assert(
      fc.property(
        anyCapacity,
        anyWeights,
        fc.bigInt({ min: 1n, max: 10n ** 14n }),
        (capacity, others, more) => {
          const share = (own: bigint) => allocateHour(capacity, [own, ...others]).sharesPicoUsd[0] ?? 0n;
          expect(share(10n ** 9n + more)).toBeGreaterThanOrEqual(share(10n ** 9n) - 1n);
        },
      ),
    );
  });

  it('is all idle when nobody used it, under either policy', () => {
    for (const idlePolicy of ['overhead', 'spread'] as const) {
      const capacity = createProvisionedCapacity({ ...CAPACITY_TERMS, idlePolicy });
      const { sharesPicoUsd, idlePicoUsd } = allocateHour(capacity, [0n, 0n]);
      expect(sharesPicoUsd).toEqual([0n, 0n]);
      expect(idlePicoUsd).toBe(hourlyCostPicoUsd(capacity));
    }
  });

  it('leaves nothing idle when it is spread, or when more was used than it is rated for', () => {
    fc.assert(
      fc.property(anyCapacity, anyWeights, (capacity, weights) => {
        const used = sum(weights);
        const { idlePicoUsd, isOverCapacity } = allocateHour(capacity, weights);
        expect(isOverCapacity).toBe(used > hourlyCapacityWeight(capacity));
        if (used > 0n && (isOverCapacity || capacity.idlePolicy === 'spread')) expect(idlePicoUsd).toBe(0n);
      }),
    );
  });

  it('charges a tenth of its price for a tenth of its capacity, as overhead', () => {
    const capacity = createProvisionedCapacity(CAPACITY_TERMS);
    const { sharesPicoUsd, idlePicoUsd } = allocateHour(capacity, [hourlyCapacityWeight(capacity) / 10n]);
    expect(sharesPicoUsd).toEqual([5n * 10n ** 12n]);
    expect(idlePicoUsd).toBe(45n * 10n ** 12n);
  });

  it('costs nothing for cached tokens, and four times for completion', () => {
    const capacity = createProvisionedCapacity(CAPACITY_TERMS);
    const weights = [
      weightOf(capacity, 'prompt', 1_000n),
      weightOf(capacity, 'prompt_cached', 1_000_000n),
      weightOf(capacity, 'completion', 1_000n),
      weightOf(capacity, 'completion', -5n),
    ];
    const [prompt = 0n, cached, completion, corrected] = allocateHour(capacity, weights).sharesPicoUsd;
    expect(cached).toBe(0n);
    expect(corrected).toBe(0n);
    expect((completion ?? 0n) - 4n * prompt).toBeGreaterThanOrEqual(-4n);
    expect((completion ?? 0n) - 4n * prompt).toBeLessThanOrEqual(4n);
    expect(prompt).toBeGreaterThan(0n);
  });

  it('pays reserved units at the price of the reservation', () => {
    const capacity = createProvisionedCapacity({
      ...CAPACITY_TERMS,
      reservedUnitCount: 40,
      reservedHourlyUsdPerUnit: '0.356',
    });
    expect(hourlyCostPicoUsd(capacity)).toBe(24_240_000_000_000n);
  });
});

describe('marginal and average cost', () => {
  it('are nothing until capacity and then the price of further units; the average falls as usage grows', () => {
    const capacity = createProvisionedCapacity(CAPACITY_TERMS);
    const full = hourlyCapacityWeight(capacity);
    expect(marginalCostPicoUsd(capacity, full / 2n, full / 2n)).toEqual({ picoUsd: 0n, addedUnitCount: 0n });
    expect(marginalCostPicoUsd(capacity, full, 1n)).toEqual({
      picoUsd: 50n * 10n ** 12n,
      addedUnitCount: 50n,
    });
    expect(marginalCostPicoUsd(capacity, full + 1n, 1n).picoUsd).toBe(0n);
    const cost = hourlyCostPicoUsd(capacity);
    expect(averagePicoUsdPerMillion(cost, full)).toBe((50n * 10n ** 12n * 10n) / 75n);
    expect(averagePicoUsdPerMillion(cost, full / 2n)).toBe((50n * 10n ** 12n * 20n) / 75n);
    expect(averagePicoUsdPerMillion(cost, 0n)).toBeNull();
  });

  it('add up: what two additions cost one after the other is what they cost together', () => {
    const weight = fc.bigInt({ min: 0n, max: 10n ** 14n });
    fc.assert(
      fc.property(anyCapacity, weight, weight, weight, (capacity, used, first, second) => {
        const together = marginalCostPicoUsd(capacity, used, first + second).picoUsd;
        const apart =
          marginalCostPicoUsd(capacity, used, first).picoUsd +
          marginalCostPicoUsd(capacity, used + first, second).picoUsd;
        expect(apart).toBe(together);
      }),
    );
  });
});

describe('terms', () => {
  it.each([
    [{ unitCount: -1 }, 'unitCount'],
    [{ unitCount: 1.5 }, 'unitCount'],
    [{ unitIncrement: 0 }, 'unitIncrement'],
    [{ hourlyUsdPerUnit: '0' }, 'hourlyUsdPerUnit'],
    [{ hourlyUsdPerUnit: '-1' }, 'hourlyUsdPerUnit'],
    [{ completionWeight: '-4' }, 'completionWeight'],
    [{ cachedWeight: '1001' }, 'cachedWeight'],
    [{ reservedUnitCount: 51, reservedHourlyUsdPerUnit: '0.3' }, 'reservedUnitCount'],
    [{ reservedUnitCount: 10 }, 'reservedHourlyUsdPerUnit'],
    [{ reservedHourlyUsdPerUnit: '0.3' }, 'reservedHourlyUsdPerUnit'],
    [{ tokensPerMinutePerUnit: 0 }, 'tokensPerMinutePerUnit'],
  ])('%j are refused by the name of the field', (change, field) => {
    expect(() => createProvisionedCapacity({ ...CAPACITY_TERMS, ...change })).toThrow(field);
  });
});
