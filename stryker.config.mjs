/**
 * Mutation testing of `pricing`, by its pure tests alone: docs/testing.md.
 * @type {import('@stryker-mutator/api/core').PartialStrykerOptions}
 */
export default {
  mutate: ['pricing/**/*.ts'],
  // Rewriting it for the copy needs an interface that TypeScript 7 no longer has, and nothing here reads it.
  tsconfigFile: 'none',
  testRunner: 'vitest',
  vitest: { configFile: 'test/mutation/vitest.config.ts' },
  // What the tests of a mutated line are, is learnt once; of an unchanged file nothing is run again.
  coverageAnalysis: 'perTest',
  incremental: true,
  incrementalFile: '.stryker/incremental.json',
  // A mutant of what is computed once at the start would need a fresh process and all tests.
  ignoreStatic: true,
  concurrency: 2,
  // A mutant that never ends is caught; a loaded machine catches none.
  timeoutMS: 30_000,
  tempDirName: '.stryker/work',
  ignorePatterns: ['dist', 'deploy', 'coverage', '.tallystick', '.wrangler'],
  reporters: ['clear-text'],
  clearTextReporter: { logTests: false, reportTests: false, allowEmojis: false, allowColor: false },
};
