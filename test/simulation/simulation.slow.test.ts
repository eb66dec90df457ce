import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { readArguments } from './arguments.ts';
import { openSimulationLedger, type SimulationLedger } from './server.ts';
import { simulate } from './simulate.ts';

describe('the simulation', () => {
  let ledger: SimulationLedger;
  beforeAll(async () => {
    ledger = await openSimulationLedger(inject('postgresUrl'), 'simulation_of_few');
  });
  afterAll(() => ledger.close());

  const play = async (seed: number) => {
    await ledger.empty();
    return await simulate({ seed, ...ledger });
  };

  it.each([1, 2, 3, 4])('finds nothing wrong with seed %i', async (seed) => {
    const result = await play(seed);
    expect(result.violations).toEqual([]);
    expect(result.eventCount).toBeGreaterThan(500);
  });

  it('replays a seed step by step', async () => {
    const first = await play(6);
    await play(7);
    const again = await play(6);
    expect(again.traceHash).toBe(first.traceHash);
    expect(again.lastSteps).toEqual(first.lastSteps);
  });

  it.each([
    [['--seeds', 'many'], /--seeds/],
    [['--seed', '0'], /--seed/],
    [['--seed', '1.5'], /--seed/],
    [['--speed', '2'], /speed/],
    [['7'], /7/],
  ])('refuses %j', (argv, message) => {
    expect(() => readArguments(argv)).toThrow(message);
  });

  it('plays one seed or the first N', () => {
    expect(readArguments(['--seed', '41', '--json'])).toMatchObject({
      firstSeed: 41,
      seedCount: 1,
      json: true,
    });
    expect(readArguments(['--seeds', '100'])).toMatchObject({ firstSeed: 1, seedCount: 100, json: false });
  });
});
