import { expect, it } from 'vitest';
import { judgeSeed } from './figures.ts';

it.each([101, 104])(
  'every loop and scraper of seed %i is told of in its first hour, and little else',
  (seed) => {
    const { rules, misses, isKept } = judgeSeed(seed);
    expect(isKept, misses.join('\n')).toBe(true);
    expect(rules.ours.precision).toBeGreaterThan(rules.sigma.precision);
  },
);
