import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toDisjointBuckets } from '../../pricing/usage/tokens.ts';

const count = fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n });

describe('disjoint buckets', () => {
  it('takes cached out of prompt', () => {
    expect(
      toDisjointBuckets({ promptTokenCount: 100n, cachedPromptTokenCount: 30n, completionTokenCount: 7n }),
    ).toEqual({ prompt: 70n, prompt_cached: 30n, completion: 7n });
  });

  it('takes a correction out of the bucket that it corrects, and no more than it corrects', () => {
    const correct = (cachedPromptTokenCount: bigint) =>
      toDisjointBuckets({ promptTokenCount: -100n, cachedPromptTokenCount, completionTokenCount: -7n });
    expect(correct(-30n)).toEqual({ prompt: -70n, prompt_cached: -30n, completion: -7n });
    expect(correct(-130n)).toEqual({ prompt: 0n, prompt_cached: -100n, completion: -7n });
    expect(correct(30n)).toEqual({ prompt: -100n, prompt_cached: 0n, completion: -7n });
  });

  it('never makes or loses a token, whatever cached says', () => {
    fc.assert(
      fc.property(count, count, count, (promptTokenCount, cachedPromptTokenCount, completionTokenCount) => {
        const buckets = toDisjointBuckets({ promptTokenCount, cachedPromptTokenCount, completionTokenCount });
        expect(buckets.prompt + buckets.prompt_cached + buckets.completion).toBe(
          promptTokenCount + completionTokenCount,
        );
      }),
    );
  });

  it('keeps both prompt buckets on the side of zero that prompt is on', () => {
    fc.assert(
      fc.property(count, count, (promptTokenCount, cachedPromptTokenCount) => {
        const { prompt, prompt_cached } = toDisjointBuckets({
          promptTokenCount,
          cachedPromptTokenCount,
          completionTokenCount: 0n,
        });
        const sign = promptTokenCount < 0n ? -1n : 1n;
        expect(prompt * sign >= 0n && prompt_cached * sign >= 0n).toBe(true);
      }),
    );
  });
});
