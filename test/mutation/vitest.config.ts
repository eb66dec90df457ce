import { defineConfig } from 'vitest/config';

/** The pure tests of pricing: no database and no process of their own, and milliseconds each. */
export default defineConfig({
  test: {
    testTimeout: 60_000,
    include: ['test/pricing/**/*.test.ts'],
    // Ten thousand periods over HTTP: too long for every mutant.
    exclude: ['test/pricing/generated-periods.test.ts'],
  },
});
