import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { MUTANTS } from './mutants/mutants.ts';
import { openSimulationLedger, type SimulationLedger } from './server.ts';
import { simulate } from './simulate.ts';

const SEED_LIMIT = 100;

describe('a broken boundary', () => {
  let ledger: SimulationLedger;
  beforeAll(async () => {
    ledger = await openSimulationLedger(inject('postgresUrl'), 'simulation_of_mutants');
  });
  afterAll(() => ledger.close());

  it.each(MUTANTS)('that $name is caught within 100 seeds', async (mutant) => {
    const seeds = Array.from({ length: SEED_LIMIT }, (_, index) => index + 1);
    for (const seed of new Set([mutant.firstSeed ?? 1, ...seeds])) {
      await ledger.empty();
      const { violations } = await simulate({ seed, ...ledger, mutant });
      if (violations.length > 0) return;
    }
    expect.unreachable('No seed noticed it');
  });
});
