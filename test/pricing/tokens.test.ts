import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FIGURES, TYPED_FIGURES, type TypedFigure } from '../../pricing/usage/shape.ts';
import {
  bucketsOf,
  CountsDisagreeError,
  countFormerly,
  emptyBuckets,
  findDisagreement,
  mapBuckets,
  sumBuckets,
  type TokenBuckets,
  toDisjointBuckets,
} from '../../pricing/usage/tokens.ts';

type Figures = Record<TypedFigure, bigint>;
const NOTHING = Object.fromEntries(TYPED_FIGURES.map((name) => [name, 0n])) as Figures;
const of = (figures: Partial<Figures>): Figures => ({ ...NOTHING, ...figures });
const count = fc.bigInt({ min: 0n, max: 10n ** 15n });
const anyBuckets = fc
  .array(count, { minLength: TYPED_FIGURES.length, maxLength: TYPED_FIGURES.length })
  .map((counts) => {
    let index = 0;
    return mapBuckets(() => counts[index++] ?? 0n);
  });

/** Figures as their makers count them, from what they mean: written down anew, and not from the shape. */
function figuresOf(tokens: TokenBuckets): Figures {
  return {
    prompt: Object.entries(tokens).reduce(
      (sum, [type, tokenCount]) => (type.startsWith('prompt') ? sum + tokenCount : sum),
      0n,
    ),
    cachedPrompt: tokens.prompt_cached + tokens.prompt_cached_audio,
    promptAudio: tokens.prompt_audio + tokens.prompt_cached_audio,
    promptImage: tokens.prompt_image,
    cachedPromptAudio: tokens.prompt_cached_audio,
    cacheWrite5m: tokens.prompt_cache_write_5m,
    cacheWrite1h: tokens.prompt_cache_write_1h,
    completion: tokens.completion + tokens.completion_audio + tokens.completion_image,
    completionAudio: tokens.completion_audio,
    completionImage: tokens.completion_image,
  };
}

describe('disjoint buckets', () => {
  it('takes the parts out of what counts them', () => {
    expect(bucketsOf(of({ prompt: 100n, cachedPrompt: 30n, completion: 7n }))).toEqual({
      ...emptyBuckets(),
      prompt: 70n,
      prompt_cached: 30n,
      completion: 7n,
    });
  });

  it('tells audio from text, in the prompt and in the completion', () => {
    expect(
      bucketsOf(of({ prompt: 600n, promptAudio: 500n, completion: 900n, completionAudio: 800n })),
    ).toEqual({
      ...emptyBuckets(),
      prompt: 100n,
      prompt_audio: 500n,
      completion: 100n,
      completion_audio: 800n,
    });
  });

  it('counts cached audio once, which cached and audio tokens both count', () => {
    expect(
      bucketsOf(of({ prompt: 600n, cachedPrompt: 300n, promptAudio: 500n, cachedPromptAudio: 256n })),
    ).toEqual({
      ...emptyBuckets(),
      prompt: 56n,
      prompt_cached: 44n,
      prompt_audio: 244n,
      prompt_cached_audio: 256n,
    });
  });

  it('finds what the figures mean, and every token once, of usage and of corrections', () => {
    fc.assert(
      fc.property(anyBuckets, fc.constantFrom(1n, -1n), (meant, sign) => {
        const tokens = mapBuckets((tokenType) => sign * meant[tokenType]);
        const figures = figuresOf(tokens);
        expect(findDisagreement(figures)).toBeNull();
        const buckets = bucketsOf(figures);
        expect(buckets).toEqual(tokens);
        expect(sumBuckets(buckets)).toBe(figures.prompt + figures.completion);
        const byProperty = Object.fromEntries(
          TYPED_FIGURES.map((name) => [FIGURES[name].property, figures[name]]),
        ) as Parameters<typeof toDisjointBuckets>[0];
        expect(toDisjointBuckets(byProperty)).toEqual(buckets);
      }),
    );
  });

  it.each<[string, Partial<Figures>, TypedFigure]>([
    ['more cached than prompt', { prompt: 3n, cachedPrompt: 1_313n, completion: 50n }, 'prompt'],
    ['cached tokens of no prompt', { cachedPrompt: 5n }, 'prompt'],
    ['parts that exceed their whole together', { prompt: 9n, cachedPrompt: 5n, cacheWrite1h: 5n }, 'prompt'],
    ['more cached audio than audio', { prompt: 9n, cachedPrompt: 5n, cachedPromptAudio: 3n }, 'prompt'],
    ['more audio than completion', { completion: 1n, completionAudio: 2n }, 'completion'],
    ['a negative prompt with cached tokens', { prompt: -3n, cachedPrompt: 3n }, 'prompt'],
  ])('refuses %s, and cuts nothing', (_, figures, whole) => {
    expect(() => bucketsOf(of(figures))).toThrow(CountsDisagreeError);
    expect(findDisagreement(of(figures))).toMatchObject({ whole });
  });

  it('refuses what it cannot divide, and never cuts', () => {
    fc.assert(
      fc.property(fc.record(Object.fromEntries(TYPED_FIGURES.map((name) => [name, count]))), (some) => {
        const figures = some as Figures;
        const disagreement = findDisagreement(figures);
        if (disagreement !== null) expect(() => bucketsOf(figures)).toThrow(CountsDisagreeError);
        else expect(figuresOf(bucketsOf(figures))).toEqual(figures);
      }),
    );
  });

  it('keeps usage of before contradictions were held back as it was billed, and what came since exact', () => {
    const former = { prompt: 3n, cachedPrompt: 1_313n };
    expect(bucketsOf(countFormerly(of({ ...former, completion: 50n }), former))).toEqual({
      ...emptyBuckets(),
      prompt_cached: 3n,
      completion: 50n,
    });
    expect(bucketsOf(countFormerly(of({ prompt: 103n, cachedPrompt: 1_353n }), former))).toEqual({
      ...emptyBuckets(),
      prompt: 60n,
      prompt_cached: 43n,
    });
    const sound = of({ prompt: 100n, cachedPrompt: 30n });
    expect(countFormerly(sound, { prompt: 100n, cachedPrompt: 30n })).toBe(sound);
    // Only what was counted formerly is let through.
    expect(findDisagreement(countFormerly(of({ prompt: 3n, cachedPrompt: 1_315n }), former))).toMatchObject({
      whole: 'prompt',
    });
  });
});
