import { describe, expect, it } from 'vitest';
import { azureOpenAiPriceBook } from '../../pricing/prices/azure-openai.ts';
import { createPriceBook } from '../../pricing/prices/price-book.ts';
import { completePriceRow } from '../../pricing/prices/rows.ts';
import { priceSegments } from '../../pricing/prices/segments.ts';
import { decideUsage } from '../../pricing/quotes/basis.ts';
import type { GivenUsage, QuoteFacts } from '../../pricing/quotes/question.ts';
import { createQuote } from '../../pricing/quotes/quote.ts';
import { adjustUsage } from '../../pricing/quotes/usage.ts';
import { TELLABLE_PARTS, untoldParts } from '../../pricing/usage/untold.ts';

/** The shipped book, with a model that draws and one of Anthropic's, at made-up prices. */
const book = createPriceBook({
  ...azureOpenAiPriceBook.data,
  models: [
    ...azureOpenAiPriceBook.data.models,
    { model: 'painter', aliases: [] },
    { model: 'claude-sonnet', aliases: [] },
  ],
  prices: [
    ...azureOpenAiPriceBook.data.prices,
    ...[
      ['painter', 'prompt', '5'],
      ['painter', 'prompt_image', '10'],
      ['painter', 'completion', '20'],
      ['painter', 'completion_image', '40'],
      ['claude-sonnet', 'prompt', '3'],
      ['claude-sonnet', 'prompt_cached', '0.3'],
      ['claude-sonnet', 'prompt_cache_write_5m', '3.75'],
      ['claude-sonnet', 'prompt_cache_write_1h', '6'],
      ['claude-sonnet', 'completion', '15'],
    ].map(([model = '', tokenType, amount = '']) =>
      completePriceRow({
        model,
        tokenType: tokenType as 'prompt',
        amount,
        source: 'list-2025-09-05',
      }),
    ),
  ],
});

const NOW = new Date('2026-11-20T00:00:00Z');
const facts = { priceBook: book, at: NOW, now: NOW, users: null, like: null } as unknown as QuoteFacts;

function quoteOf(
  given: Partial<GivenUsage> & Pick<GivenUsage, 'model'>,
  swaps: { from: string; to: string }[] = [],
) {
  const usage = [{ feature: '', promptTokenCount: 0n, completionTokenCount: 0n, ...given }];
  const question = { usage, mode: 'new' as const, adjustments: { modelSwaps: swaps } };
  const [group] = decideUsage(question, facts).groups;
  return createQuote({
    priceBook: book,
    sellRates: [],
    currency: 'usd',
    usage: adjustUsage(group?.usage ?? [], { modelSwaps: swaps }, book),
  });
}

const AUDIO = { model: 'gpt-4o-audio-preview', promptTokenCount: 600n, completionTokenCount: 900n };
const PICO_PER_USD = 10n ** 12n;

describe('audio is a token type of its own at its own price', () => {
  it('prompt 600 of which 500 audio, completion 900 of which 800 audio: 0.08525 USD', () => {
    const { totals, lines } = quoteOf({
      ...AUDIO,
      audioPromptTokenCount: 500n,
      audioCompletionTokenCount: 800n,
    });
    expect(totals.cost).toEqual({ value: (8_525n * PICO_PER_USD) / 100_000n, reason: null });
    expect(totals.tokenCount).toBe(1_500n);
    expect(lines.map(({ tokenType, tokenCount }) => [tokenType, tokenCount])).toEqual([
      ['prompt', 100n],
      ['prompt_audio', 500n],
      ['completion', 100n],
      ['completion_audio', 800n],
    ]);
  });

  it('is not known to be text while nobody says so: not 0.0105', () => {
    const { totals, lines } = quoteOf(AUDIO);
    expect(totals.cost).toEqual({ value: null, reason: 'audio_not_told' });
    expect(totals.knownCost).toBe(0n);
    expect(lines.map(({ cost }) => cost.reason)).toEqual(['audio_not_told', 'audio_not_told']);
  });

  it('is none where none is said', () => {
    const { totals } = quoteOf({ ...AUDIO, audioPromptTokenCount: 0n, audioCompletionTokenCount: 0n });
    expect(totals.cost).toEqual({ value: (105n * PICO_PER_USD) / 10_000n, reason: null });
  });

  it('is unknown on the side alone that nobody told of', () => {
    const { totals, lines } = quoteOf({ ...AUDIO, audioPromptTokenCount: 500n });
    expect(lines.map(({ tokenType, cost }) => [tokenType, cost.reason])).toEqual([
      ['prompt', null],
      ['prompt_audio', null],
      ['completion', 'audio_not_told'],
    ]);
    expect(totals.knownCost).toBe((2_025n * PICO_PER_USD) / 100_000n);
  });

  it('does not concern a model without a price for it, by whatever name', () => {
    for (const model of ['gpt-4o', 'gpt-4o-2024-11-20', 'o3']) {
      const { totals } = quoteOf({ ...AUDIO, model });
      expect(totals.cost.value, model).not.toBeNull();
    }
    expect(quoteOf({ ...AUDIO, model: 'GPT-4o-audio-preview-2024-12-17 ' }).totals.cost.reason).toBe(
      'audio_not_told',
    );
  });

  it('is asked for of the model that is used instead', () => {
    const swap = [{ from: 'gpt-4o', to: 'gpt-4o-audio-preview' }];
    expect(quoteOf({ ...AUDIO, model: 'gpt-4o' }, swap).totals.cost.reason).toBe('audio_not_told');
    const back = [{ from: 'gpt-4o-audio-preview', to: 'gpt-4o' }];
    expect(quoteOf(AUDIO, back).totals.cost.value).toBe((105n * PICO_PER_USD) / 10_000n);
  });
});

describe('cached audio', () => {
  const realtime = {
    model: 'gpt-4o-realtime-preview-2024-10-01',
    promptTokenCount: 100n,
    audioPromptTokenCount: 60n,
    cachedPromptTokenCount: 40n,
  };

  it('is cached and audio, and counted once', () => {
    const { lines, totals } = quoteOf({ ...realtime, cachedAudioPromptTokenCount: 30n });
    expect(lines.map(({ tokenType, tokenCount }) => [tokenType, tokenCount])).toEqual([
      ['prompt', 30n],
      ['prompt_cached', 10n],
      ['prompt_audio', 30n],
      ['prompt_cached_audio', 30n],
    ]);
    // 30 at 5, 10 at 2.50, 30 at 100 and 30 at 20 USD a million
    expect(totals.cost.value).toBe(3_775n * 10n ** 6n);
  });

  it('is unknown where cached and audio tokens may be the same', () => {
    expect(quoteOf(realtime).totals.cost.reason).toBe('audio_not_told');
    // Of the newer model only its text has a cached price: how the two overlap still matters.
    expect(quoteOf({ ...realtime, model: 'gpt-4o-realtime-preview' }).totals.cost.reason).toBe(
      'audio_not_told',
    );
  });

  it('is none where nothing is cached, or nothing is audio', () => {
    expect(quoteOf({ ...realtime, cachedPromptTokenCount: 0n }).totals.cost.value).not.toBeNull();
    expect(quoteOf({ ...realtime, audioPromptTokenCount: 0n }).totals.cost.value).not.toBeNull();
  });
});

describe('images and cache writes', () => {
  const drawn = { model: 'painter', promptTokenCount: 10n, completionTokenCount: 30n };

  it('price images as images, and say when nobody told how many', () => {
    const { totals } = quoteOf({ ...drawn, imagePromptTokenCount: 4n, imageCompletionTokenCount: 30n });
    expect(totals.cost.value).toBe((6n * 5n + 4n * 10n + 30n * 40n) * 10n ** 6n);
    expect(quoteOf(drawn).totals.cost).toEqual({ value: null, reason: 'image_not_told' });
  });

  const claude = {
    model: 'claude-sonnet',
    promptTokenCount: 1_000n,
    cachedPromptTokenCount: 600n,
    completionTokenCount: 100n,
  };

  it('price what is written to the cache for five minutes or an hour', () => {
    const { totals } = quoteOf({ ...claude, cacheWrite5mTokenCount: 200n, cacheWrite1hTokenCount: 100n });
    // 100 at 3, 600 at 0.30, 200 at 3.75, 100 at 6, 100 at 15
    expect(totals.cost.value).toBe(3_330n * 10n ** 6n);
  });

  it('show the cost of the known part where nobody told of them, and why it is no more than that', () => {
    const { totals, lines } = quoteOf(claude);
    expect(totals.cost).toEqual({ value: null, reason: 'cache_writes_not_told' });
    expect(lines.every(({ cost }) => cost.value !== null)).toBe(true);
    expect(totals.knownCost).toBe(2_880n * 10n ** 6n);
    expect(
      quoteOf({ ...claude, cacheWrite5mTokenCount: 0n, cacheWrite1hTokenCount: 0n }).totals.cost.value,
    ).toBe(2_880n * 10n ** 6n);
  });
});

describe('prices of stored usage', () => {
  const window = { start: new Date('2026-11-20T00:00:00Z'), end: new Date('2026-11-21T00:00:00Z') };
  const at = (hour: number) => new Date(window.start.getTime() + hour * 3_600_000);
  const kinds = (['prompt', 'prompt_audio', 'completion'] as const).map((tokenType) => ({
    model: 'gpt-4o-audio-preview',
    deployment: 'speech',
    tokenType,
  }));

  it('are unknown in the hours of which the source did not tell, for the parts that may be hidden', () => {
    const untold = { model: 'gpt-4o-audio-preview', deployment: 'speech', start: at(3), end: at(5) };
    const segments = priceSegments(book, kinds, window, [
      { ...untold, untold: ['prompt_audio', 'prompt_image'] },
      { ...untold, deployment: 'another', untold: ['completion_audio'] },
    ]);
    expect(
      segments.map(({ tokenType, start, end, picoUsdPerToken, reason }) => [
        tokenType,
        start.getUTCHours(),
        end.getUTCHours(),
        picoUsdPerToken,
        reason,
      ]),
    ).toEqual([
      ['prompt', 0, 3, 2_500_000n, null],
      ['prompt', 3, 5, null, 'audio_not_told'],
      ['prompt', 5, 0, 2_500_000n, null],
      ['prompt_audio', 0, 0, 40_000_000n, null],
      ['completion', 0, 0, 10_000_000n, null],
    ]);
  });

  it('stay known beside cache writes that the source cannot show, with a note', () => {
    const place = { model: 'claude-sonnet', deployment: '' };
    const [segment] = priceSegments(book, [{ ...place, tokenType: 'prompt' }], window, [
      { ...place, ...window, untold: ['prompt_cache_write_5m', 'prompt_cache_write_1h'] },
    ]);
    expect(segment).toMatchObject({
      picoUsdPerToken: 3_000_000n,
      reason: null,
      notes: ['cache_writes_not_told'],
    });
  });
});

describe('a part is told', () => {
  const told = (figures: readonly string[], tokens: Partial<Record<string, bigint>> = {}) =>
    untoldParts({
      isTold: ({ figure }) => figures.includes(figure),
      tokensOf: (figure) => tokens[figure] ?? 0n,
    });

  it('where somebody said how many there are, be it none', () => {
    expect(told([], { cachedPrompt: 5n })).toHaveLength(TELLABLE_PARTS.length);
    expect(told(TELLABLE_PARTS.map(({ figure }) => figure))).toEqual([]);
    expect(told(['promptAudio'], { promptAudio: 5n, cachedPrompt: 5n })).toContain('prompt_cached_audio');
    expect(told(['promptAudio'], { cachedPrompt: 5n })).not.toContain('prompt_cached_audio');
  });
});
