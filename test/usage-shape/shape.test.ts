import { describe, expect, it } from 'vitest';
import {
  COUNTED_FIGURES,
  DIMENSION_NAMES,
  DIMENSIONS,
  FIGURE_NAMES,
  FIGURES,
  type FigureName,
  isPartOf,
  TYPED_FIGURES,
} from '../../pricing/usage/shape.ts';
import { BUCKET_TERMS } from '../../pricing/usage/tokens.ts';

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
    const follow = (name: FigureName, chain: readonly FigureName[]) => {
      for (const whole of FIGURES[name].partOf) {
        expect(FIGURE_NAMES).toContain(whole);
        expect(chain).not.toContain(whole);
        follow(whole, [...chain, whole]);
      }
    };
    for (const name of FIGURE_NAMES) follow(name, [name]);
  });

  // A part with a token type of its own is taken out of its whole, which must have one to keep the rest.
  it('has typed parts of typed figures', () => {
    for (const name of TYPED_FIGURES) {
      for (const whole of FIGURES[name].partOf) expect(TYPED_FIGURES).toContain(whole);
    }
  });

  it('says where each dimension comes from, once', () => {
    for (const field of ['column', 'variable', 'policyName'] as const) {
      expect(new Set(DIMENSION_NAMES.map((name) => DIMENSIONS[name][field])).size).toBe(
        DIMENSION_NAMES.length,
      );
    }
  });

  it('has each token of a counted figure in one bucket', () => {
    for (const counted of COUNTED_FIGURES) {
      const times = new Map<string, number>();
      for (const [whole, terms] of BUCKET_TERMS) {
        if (!isPartOf(whole, counted)) continue;
        for (const term of terms) times.set(term.figure, (times.get(term.figure) ?? 0) + term.times);
      }
      expect([...times].filter(([, sum]) => sum !== 0)).toEqual([[counted, 1]]);
    }
  });
});
