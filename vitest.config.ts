import { defineConfig } from 'vitest/config';

/** Whole demos, months, simulated worlds and services under way: minutes each, and named so. */
const SLOW = ['test/**/*.slow.test.ts'];

export default defineConfig({
  test: {
    globalSetup: ['test/setup/postgres.ts'],
    // One more than the two cores of the smallest machine: some files only wait.
    maxWorkers: 3,
    // Every run is in another order; its seed is printed, and `--sequence.seed` repeats it.
    sequence: { shuffle: { files: true, tests: true } },
    // `npm test -- --coverage`: of what runs in the tests' own processes, not of commands that they start.
    coverage: {
      include: ['src/**/*.ts', 'jobs/**/*.ts', 'webhooks/**/*.ts', 'pricing/**/*.ts'],
      reporter: ['text-summary'],
      reportOnFailure: true,
    },
    // Limits end what hangs, and are far beyond what a loaded machine needs.
    expect: { poll: { timeout: 150_000 } },
    projects: [
      {
        test: {
          name: 'quick',
          include: ['test/**/*.test.ts'],
          exclude: SLOW,
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      { test: { name: 'slow', include: SLOW, testTimeout: 900_000, hookTimeout: 180_000 } },
    ],
  },
});
