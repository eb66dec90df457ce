import { describe, expect, it } from 'vitest';
import {
  byFigure,
  byProperty,
  COUNTED_FIGURES,
  DIMENSION_NAMES,
  DIMENSIONS,
  FIGURE_NAMES,
  FIGURES,
  TYPED_FIGURES,
} from '../../pricing/usage/shape.ts';
import { bucketsOf, sumBuckets, toDisjointBuckets } from '../../pricing/usage/tokens.ts';

const FIELDS = ['property', 'column', 'tokenKind', 'meterSlug', 'eventField', 'tokenType'] as const;

describe('the shape of usage', () => {
  it.each(FIELDS)('names no two figures alike in %s', (field) => {
    const values = FIGURE_NAMES.map((name) => FIGURES[name][field]).filter((value) => value !== null);
    expect(new Set(values).size).toBe(values.length);
  });

  it('knows each metric as one figure', () => {
    const names = FIGURE_NAMES.flatMap((name) => [...FIGURES[name].metricNames] as string[]);
    expect(new Set(names).size).toBe(names.length);
  });

  it('has parts of figures only, and none of itself', () => {
    for (const name of FIGURE_NAMES) {
      const chain = [name as string];
      for (let whole: string | null = FIGURES[name].partOf; whole !== null; ) {
        expect(FIGURE_NAMES).toContain(whole);
        expect(chain).not.toContain(whole);
        chain.push(whole);
        whole = FIGURES[whole as keyof typeof FIGURES].partOf;
      }
    }
  });

  // A part with a token type of its own is taken out of its whole, which must have one to keep the rest.
  it('has typed parts of typed figures', () => {
    for (const name of TYPED_FIGURES) {
      const { partOf } = FIGURES[name];
      if (partOf !== null) expect(TYPED_FIGURES).toContain(partOf);
    }
  });

  it('says where each dimension comes from, once', () => {
    for (const field of ['column', 'variable', 'policyName'] as const) {
      expect(new Set(DIMENSION_NAMES.map((name) => DIMENSIONS[name][field])).size).toBe(
        DIMENSION_NAMES.length,
      );
    }
  });

  it('divides figures into buckets that sum to the counted ones, by either name', () => {
    const figures = byFigure((name) => BigInt(FIGURE_NAMES.indexOf(name) + 1) * 100n);
    const buckets = bucketsOf(figures);
    expect(sumBuckets(buckets)).toBe(COUNTED_FIGURES.reduce((sum, name) => sum + figures[name], 0n));
    expect(toDisjointBuckets(byProperty((name) => figures[name]))).toEqual(buckets);
  });
});
