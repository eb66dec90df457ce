import { describe, expect, it } from 'vitest';
import { azureOpenAiPriceBook as book } from '../../pricing/prices/azure-openai.ts';
import { findPrice, STANDARD_REQUEST } from '../../pricing/prices/lookup.ts';
import { nearModels } from '../../pricing/prices/near-models.ts';
import { createPriceBook, type PriceQuery } from '../../pricing/prices/price-book.ts';
import {
  completePriceRow,
  type PriceBookData,
  type PriceRow,
  startOf,
  timelineKeyOf,
} from '../../pricing/prices/rows.ts';
import type { TokenType } from '../../pricing/usage/tokens.ts';

function usdPerMillion(query: PriceQuery, tokenType: TokenType): string | null {
  const found = findPrice(book, { ...STANDARD_REQUEST, ...query }, tokenType);
  return found.found ? found.row.amount : found.reason;
}

function all(query: PriceQuery): (string | null)[] {
  return (['prompt', 'prompt_cached', 'completion'] as const).map((type) => usdPerMillion(query, type));
}

describe('the Azure OpenAI price book', () => {
  it.each([
    ['gpt-4o', ['2.50', '1.25', '10.00']],
    ['gpt-4o-2024-05-13', ['5.00', 'no_price_for_token_type', '15.00']],
    ['gpt-4o-mini', ['0.15', '0.075', '0.60']],
    ['gpt-4.1', ['2.00', '0.50', '8.00']],
    ['gpt-4.1-mini', ['0.40', '0.10', '1.60']],
    ['gpt-4.1-nano', ['0.10', '0.025', '0.40']],
    ['o3', ['2.00', '0.50', '8.00']],
    ['o3-mini', ['1.10', '0.55', '4.40']],
    ['o4-mini', ['1.10', '0.275', '4.40']],
    ['gpt-4-turbo', ['10.00', 'no_price_for_token_type', '30.00']],
    ['gpt-5-nano', ['0.05', '0.005', '0.40']],
    ['text-embedding-3-large', ['0.13', 'no_price_for_token_type', 'no_price_for_token_type']],
    ['text-embedding-3-small', ['0.02', 'no_price_for_token_type', 'no_price_for_token_type']],
  ])('prices %s', (model, expected) => {
    expect(all({ model })).toEqual(expected);
  });

  const rows = [...book.timelines.values()].flat();
  /** What another key costs at the instant from which a row holds. */
  const priceOf = (row: PriceRow, change: Partial<PriceRow>) =>
    book.timelines
      .get(timelineKeyOf({ ...row, ...change }))
      ?.findLast(({ startMs }) => startMs <= startOf(row))?.picoPerUnit;

  it('holds no cached price above its prompt price and no completion below it', () => {
    for (const { row, picoPerUnit } of rows) {
      const prompt = priceOf(row, { tokenType: 'prompt' }) ?? picoPerUnit ?? 0n;
      if (row.tokenType === 'prompt_cached') expect(picoPerUnit).toBeLessThanOrEqual(prompt);
      if (row.tokenType === 'completion') expect(picoPerUnit).toBeGreaterThanOrEqual(prompt);
    }
  });

  it('never makes a data zone or a region cheaper than global, nor a batch dearer', () => {
    for (const { row, picoPerUnit } of rows) {
      const global = priceOf(row, { deploymentType: 'global', region: '*' });
      if (global === undefined || picoPerUnit === null) continue;
      if (row.deploymentType === 'batch') expect(picoPerUnit).toBeLessThan(global ?? 0n);
      else if (row.deploymentType !== 'global') expect(picoPerUnit).toBeGreaterThan(global ?? 0n);
    }
  });

  it('knows the models of the last year, what a price was before it changed, and names both figures of a dispute', () => {
    expect(all({ model: 'gpt-5.4' })).toEqual(['2.50', '0.25', '15.00']);
    const long = { requestInputTokenCount: 500_000n };
    expect(all({ model: 'gpt-5.4', ...long })).toEqual(['5.00', '0.50', '22.50']);
    expect(all({ model: 'azure/gpt-6-sol-2026-09-22', deploymentType: 'data_zone', region: 'eu' })).toEqual([
      '2.40',
      '0.24',
      '12.00',
    ]);
    expect(usdPerMillion({ model: 'claude-opus-5' }, 'prompt_cache_write_1h')).toBe('10.00');
    expect(usdPerMillion({ model: 'gpt-5.6-luna', at: new Date('2026-07-29T23:59:59Z') }, 'prompt')).toBe(
      '1.00',
    );
    expect(usdPerMillion({ model: 'gpt-5.6-luna', at: new Date('2026-07-30') }, 'prompt')).toBe('0.20');
    for (const { row } of rows) {
      if (row.note.includes('In dispute'))
        expect(row.note).toMatch(/In dispute: [\d.]+ of .*, against [\d.]+ \(/);
    }
    const regional = { deploymentType: 'regional' } as const;
    expect(all({ model: 'gpt-4-turbo', ...regional })).toEqual(['11.00', 'no_price_for_token_type', '33.00']);
  });

  it('does not price a slip of the list: the 0301 model is unknown', () => {
    expect(usdPerMillion({ model: 'gpt-35-turbo-0301' }, 'prompt')).toBe('unknown_model');
  });
});

describe('finding a price', () => {
  it('knows aliases, dated versions, and the provider in front', () => {
    expect(all({ model: 'gpt-3.5-turbo' })).toEqual(all({ model: 'gpt-35-turbo' }));
    expect(all({ model: 'Azure/GPT-4o-2024-08-06 ' })).toEqual(all({ model: 'gpt-4o' }));
    expect(findPrice(book, { model: 'gpt-5-chat-2031-01-31' }, 'prompt')).toMatchObject({
      model: 'gpt-5-chat',
      notes: ['dated_version_priced_as_its_family'],
    });
    expect(usdPerMillion({ model: 'o4-mini-2031-13-31' }, 'prompt')).toBe('unknown_model');
  });

  it('keeps the price of a dated version that has its own', () => {
    expect(usdPerMillion({ model: 'gpt-4o-2024-05-13' }, 'prompt')).toBe('5.00');
  });

  it('reads the deployment type from its name, and says what it assumed', () => {
    const deployments: [string, string, string[]][] = [
      ['gpt-4o-datazone', '2.75', []],
      ['prod-data-zone-4o', '2.75', []],
      ['gpt-4o-global', '2.50', []],
      ['chat', '2.50', ['deployment_type_assumed_global']],
    ];
    for (const [deployment, price, notes] of deployments) {
      expect(findPrice(book, { model: 'gpt-4o', deployment }, 'prompt')).toMatchObject({
        row: { amount: price },
        notes,
      });
    }
    expect(
      usdPerMillion({ model: 'gpt-4o', deployment: 'x-global', deploymentType: 'data_zone' }, 'prompt'),
    ).toBe('2.75');
  });

  it('says so when it takes a global price for a data zone', () => {
    expect(findPrice(book, { model: 'gpt-5-chat', deployment: 'x-datazone' }, 'prompt')).toMatchObject({
      row: { amount: '1.25' },
      notes: ['priced_as_global_for_want_of_a_data_zone_price'],
    });
  });

  it('takes the model from the deployment only when no model is named', () => {
    expect(findPrice(book, { model: '', deployment: 'gpt-5-chat' }, 'prompt')).toMatchObject({
      model: 'gpt-5-chat',
      notes: ['model_taken_from_deployment_name'],
    });
    expect(findPrice(book, { model: 'llama-9', deployment: 'gpt-4o' }, 'prompt')).toEqual({
      found: false,
      model: null,
      reason: 'unknown_model',
    });
  });

  it.each(['', 'constructor', '__proto__', 'gpt', '💸'.repeat(5_000)])('does not know %j', (model) => {
    expect(findPrice(book, { model }, 'prompt').found).toBe(false);
  });
});

describe('near names', () => {
  it('finds what was meant', () => {
    expect(nearModels(book, 'gpt4o')[0]).toBe('gpt-4o');
    expect(nearModels(book, 'o4mini')[0]).toBe('o4-mini');
    expect(nearModels(book, 'text-embedding-3')).toContain('text-embedding-3-large');
  });

  it('names nothing for something else, and is quick with long names', () => {
    expect(nearModels(book, 'zzzzzzzzzzzz')).toEqual([]);
    expect(nearModels(book, 'x'.repeat(100_000))).toEqual([]);
  });
});

describe('a price book that must not be used', () => {
  const row = completePriceRow({ model: 'a', tokenType: 'prompt', amount: '1.00', source: 's' });
  const data: PriceBookData = {
    version: '1',
    provider: 'p',
    currency: 'usd',
    sources: { s: { title: 't', asOf: '2026-01-01', note: '' } },
    models: [{ model: 'a', aliases: [] }],
    deployments: [],
    prices: [row],
  };

  it.each([
    ['a zero price', { prices: [{ ...row, amount: '0.00' }] }],
    ['a negative price', { prices: [{ ...row, amount: '-1' }] }],
    ['a float in disguise', { prices: [{ ...row, amount: '1e-6' }] }],
    ['more decimals than it can keep', { prices: [{ ...row, amount: '0.0000001' }] }],
    ['two prices for one thing', { prices: [row, row] }],
    ['a price of no model', { prices: [{ ...row, model: 'b' }] }],
    ['a price without a source', { prices: [{ ...row, source: 'elsewhere' }] }],
    ['a name twice', { models: [{ model: 'a', aliases: ['a'] }] }],
    ['a name in capitals', { models: [{ model: 'a', aliases: ['A'] }] }],
  ])('has %s', (_, change) => {
    expect(() => createPriceBook(data)).not.toThrow();
    expect(() => createPriceBook({ ...data, ...change })).toThrow(RangeError);
  });
});
