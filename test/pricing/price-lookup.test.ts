import { calcPrice } from '@pydantic/genai-prices';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDecimal } from '../../pricing/money.ts';
import { azureOpenAiPriceBook as shipped } from '../../pricing/prices/azure-openai.ts';
import { diffPrices, type PriceState } from '../../pricing/prices/book-diff.ts';
import { matchesPattern } from '../../pricing/prices/deployments.ts';
import { findPrice, resolveModel } from '../../pricing/prices/lookup.ts';
import { createPriceBook } from '../../pricing/prices/price-book.ts';
import {
  completeDeploymentRule,
  completePriceRow,
  type DeploymentRule,
  normalizeInstant,
  type PriceRowInput,
} from '../../pricing/prices/rows.ts';
import { costPicoUsd } from '../../pricing/rating/rating.ts';
import { GENAI_FIELDS } from '../prices-check/figures.ts';

function bookOf(rows: PriceRowInput[], deployments: DeploymentRule[] = []) {
  return createPriceBook({
    ...shipped.data,
    sources: { manual: { title: 'by hand', asOf: '', note: '' } },
    models: [...new Set(rows.map(({ model }) => model))].map((model) => ({ model, aliases: [] })),
    deployments,
    prices: rows.map(completePriceRow),
  });
}

const toText = (seconds: number) => new Date(seconds * 1_000).toISOString().replace('.000Z', 'Z');

describe('the edges of a price', () => {
  it('are exact to the second, whatever order the rows come in', () => {
    const starts = fc.uniqueArray(fc.integer({ min: 0, max: 2_000_000_000 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(starts, fc.integer({ min: -1, max: 1 }), fc.boolean(), (seconds, offset, isOpen) => {
        const rows = seconds.map((second, index) => ({
          model: 'm',
          tokenType: 'prompt' as const,
          amount: String(index + 1),
          effectiveFrom: toText(second),
        }));
        const first: PriceRowInput = { model: 'm', tokenType: 'prompt', amount: '99' };
        const book = bookOf(isOpen ? [...rows, first] : rows);
        for (const second of seconds) {
          const atMs = (second + offset) * 1_000;
          // The oracle: of the rows that have begun, the one that began last.
          const begun = rows.filter((row) => Date.parse(row.effectiveFrom) <= atMs);
          const wanted = begun
            .sort((a, b) => Date.parse(a.effectiveFrom) - Date.parse(b.effectiveFrom))
            .at(-1);
          const found = findPrice(book, { model: 'm', at: new Date(atMs) }, 'prompt');
          if (wanted === undefined && !isOpen) {
            expect(found).toMatchObject({ found: false, reason: 'no_price_at_that_time' });
          } else expect(found).toMatchObject({ row: { amount: wanted?.amount ?? '99' } });
          // The last millisecond of a second belongs to it.
          expect(findPrice(book, { model: 'm', at: new Date(atMs + 999) }, 'prompt')).toEqual(found);
        }
      }),
    );
  });

  it('have no price behind a retired row, and the newest one when no instant is given', () => {
    const row = { model: 'm', tokenType: 'prompt' as const, amount: '2' };
    const book = bookOf([row, { ...row, amount: 'retired', effectiveFrom: '2027-01-01T00:00:00Z' }]);
    expect(findPrice(book, { model: 'm', at: new Date('2026-12-31T23:59:59.999Z') }, 'prompt').found).toBe(
      true,
    );
    const after = { found: false, model: 'm', reason: 'price_retired' };
    expect(findPrice(book, { model: 'm', at: new Date('2027-01-01T00:00:00Z') }, 'prompt')).toEqual(after);
    expect(findPrice(book, { model: 'm' }, 'prompt')).toEqual(after);
  });

  it.each([
    ['2026-01-31', '2026-01-31T00:00:00Z'],
    ['2026-01-31T10:00Z', '2026-01-31T10:00:00Z'],
    ['2026-01-31T10:00', null],
    ['2026-01-31T10:00:59.000+00:00', '2026-01-31T10:00:59Z'],
    ['2026-02-29', null],
    ['2026-01-31T24:00:00Z', null],
    ['2026-01-31T10:00:00.5Z', null],
    ['2026-01-31T10:00:00+01:00', null],
    ['31.1.2026', null],
  ])('are written as %s', (text, normal) => {
    expect(normalizeInstant(text)).toBe(normal);
  });
});

describe('regions and deployment types', () => {
  const at = new Date('2027-01-01T00:00:00Z');
  const price = { model: 'm', tokenType: 'prompt' as const };
  const book = bookOf([
    { ...price, amount: '1' },
    { ...price, amount: '2', deploymentType: 'regional' },
    { ...price, amount: '3', deploymentType: 'regional', region: 'swedencentral' },
    {
      ...price,
      amount: '4',
      deploymentType: 'regional',
      region: 'japaneast',
      effectiveFrom: '2028-01-01T00:00:00Z',
    },
    {
      ...price,
      tokenType: 'provisioned_unit_hour',
      amount: '1',
      unit: 'hour',
      deploymentType: 'provisioned',
    },
    { model: 'e', tokenType: 'embedding', amount: '5' },
  ]);
  const ask = (query: object, kind: 'prompt' | 'provisioned_unit_hour' = 'prompt') => {
    const found = findPrice(book, { model: 'm', at, ...query }, kind);
    return found.found ? [found.row.amount, ...found.notes] : found.reason;
  };

  it('take the region itself before any region, from when on it has a price', () => {
    expect(ask({ deploymentType: 'regional', region: 'swedencentral' })).toEqual(['3']);
    expect(ask({ deploymentType: 'regional', region: 'westeurope' })).toEqual(['2']);
    expect(ask({ deploymentType: 'regional', region: 'japaneast' })).toEqual(['2']);
    expect(
      ask({ deploymentType: 'regional', region: 'japaneast', at: new Date('2028-01-01T00:00:00Z') }),
    ).toEqual(['4']);
  });

  it('say what they fall back to, and never price provisioned tokens', () => {
    expect(ask({ deploymentType: 'batch' })).toEqual(['1', 'priced_as_global_for_want_of_a_batch_price']);
    expect(ask({})).toEqual(['1', 'deployment_type_assumed_global']);
    expect(ask({ deploymentType: 'global' })).toEqual(['1']);
    expect(ask({ deploymentType: 'provisioned' })).toBe('priced_by_provisioned_unit_hour');
    expect(ask({ deploymentType: 'provisioned' }, 'provisioned_unit_hour')).toEqual(['1']);
  });

  it('price the prompt of an embedding model as an embedding', () => {
    expect(ask({ model: 'e' })).toEqual(['5']);
  });
});

describe('deployments', () => {
  const rule = (deployment: string, more: Partial<DeploymentRule>) =>
    completeDeploymentRule({ deployment, ...more });
  const book = bookOf(
    [
      { model: 'gpt-4o', tokenType: 'prompt', amount: '2.5' },
      { model: 'gpt-4o', tokenType: 'prompt', amount: '2.75', deploymentType: 'data_zone' },
      { model: 'o3', tokenType: 'prompt', amount: '2' },
    ],
    [
      rule('chat-*', { model: 'gpt-4o', deploymentType: 'data_zone' }),
      rule('chat-reasoning-*', { model: 'o3', deploymentType: 'global' }),
      rule('chat-prod', { model: 'o3', effectiveFrom: '2027-01-01T00:00:00Z' }),
      rule('chat-prod', { retired: true, effectiveFrom: '2027-02-01T00:00:00Z' }),
      rule('zone-?', { deploymentType: 'data_zone' }),
    ],
  );
  const ask = (query: { model: string; deployment?: string; at?: Date }) => {
    const found = findPrice(book, query, 'prompt');
    return found.found ? [found.model, found.row.amount, ...found.notes] : found.reason;
  };

  it('are what their most specific rule says at the instant', () => {
    const at = (text: string) => ask({ model: '', deployment: 'Chat-Prod', at: new Date(text) });
    const note = 'model_taken_from_deployment_rule';
    expect(at('2026-12-31T23:59:59Z')).toEqual(['gpt-4o', '2.75', note]);
    expect(at('2027-01-01T00:00:00Z')).toEqual(['o3', '2', note]);
    expect(at('2027-02-01T00:00:00Z')).toEqual(['gpt-4o', '2.75', note]);
    expect(ask({ model: '', deployment: 'chat-reasoning-eu' })).toEqual(['o3', '2', note]);
  });

  it('name the model even where the gateway writes something else in its place', () => {
    expect(ask({ model: 'llama-9', deployment: 'chat-x' })).toEqual([
      'gpt-4o',
      '2.75',
      'model_taken_from_deployment_rule',
    ]);
    expect(ask({ model: 'chat-x' })).toEqual([
      'gpt-4o',
      '2.5',
      'model_taken_from_deployment_rule',
      'deployment_type_assumed_global',
    ]);
    expect(ask({ model: 'gpt-4o-2024-11-20', deployment: 'zone-1' })).toEqual([
      'gpt-4o',
      '2.75',
      'dated_version_priced_as_its_family',
    ]);
    expect(resolveModel(book, { model: 'llama-9', deployment: 'elsewhere' })).toBeNull();
  });

  it('match patterns as a regular expression would, and quickly', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
    const names = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 10 });
    fc.assert(
      fc.property(letters, names, (pattern, name) => {
        const expression = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`);
        expect(matchesPattern(pattern, name)).toBe(expression.test(name));
      }),
    );
    expect(matchesPattern(`${'*a'.repeat(100)}b`, 'a'.repeat(250))).toBe(false);
  });
});

describe('the table of the background article', () => {
  // Its multipliers in USD for a token, as it prints them.
  const table: [model: string, prompt: string, completion: string | null][] = [
    ['gpt-4o', '0.000005', '0.000015'],
    ['gpt-4o-mini', '0.00000015', '0.0000006'],
    ['text-embedding-3-large', '0.00000013', null],
    ['gpt-4-turbo', '0.00001', '0.00003'],
  ];
  const book = bookOf(
    table.flatMap(([model, prompt, completion]): PriceRowInput[] => [
      { model, tokenType: completion === null ? 'embedding' : 'prompt', amount: prompt, unit: 'token' },
      ...(completion === null
        ? []
        : [{ model, tokenType: 'completion' as const, amount: completion, unit: 'token' as const }]),
    ]),
  );
  const costOf = (model: string, tokenType: 'prompt' | 'completion') => {
    const found = findPrice(book, { model }, tokenType);
    return found.found ? formatDecimal(costPicoUsd(1_000_000n, found.picoUsdPerToken), 12, 2) : found.reason;
  };

  it('comes out at its own numbers, and a model that is not in it has no price instead of none to pay', () => {
    expect(table.map(([model]) => [costOf(model, 'prompt'), costOf(model, 'completion')])).toEqual([
      ['5.00', '15.00'],
      ['0.15', '0.60'],
      ['0.13', 'no_price_for_token_type'],
      ['10.00', '30.00'],
    ]);
    expect(costOf('gpt-5', 'prompt')).toBe('unknown_model');
  });
});

interface Tiered {
  base: number;
  tiers: { start: number; price: number }[];
}

/** Some tiers are written as the last token below a round number. */
function tierOf({ base, tiers }: Tiered, aboveInputTokenCount: number): number | undefined {
  if (aboveInputTokenCount === 0) return base;
  return tiers.find(({ start }) => Math.round(start / 1_000) * 1_000 === aboveInputTokenCount)?.price;
}

describe('the shipped list', () => {
  it('is confirmed only where a second source says the same', () => {
    const namesOf = (model: string) => [
      model,
      ...(shipped.data.models.find((entry) => entry.model === model)?.aliases ?? []),
    ];
    const confirmed = shipped.data.prices.filter((row) => row.confirmed);
    expect(confirmed.length).toBeGreaterThan(300);
    for (const row of confirmed) {
      // Where Azure's own provider does not price a model, the package takes the price of its maker, as we say in the note.
      const found = namesOf(row.model)
        .map((name) => calcPrice({ input_tokens: 1 }, name, { providerId: 'azure' }))
        .find((price) => price !== null);
      const prices: Record<string, unknown> = found?.model_price ?? {};
      const price = prices[GENAI_FIELDS[row.tokenType] ?? ''];
      expect([row.model, row.deploymentType, Number(row.amount)]).toEqual([
        row.model,
        'global',
        typeof price === 'object' ? tierOf(price as Tiered, row.aboveInputTokenCount) : price,
      ]);
    }
  });
});

describe('what differs between two states', () => {
  const row = { model: 'm', tokenType: 'prompt' as const, amount: '2' };
  const book = bookOf([
    row,
    { ...row, amount: '0.003', unit: 'thousand_tokens', effectiveFrom: '2027-01-01T00:00:00Z' },
    { ...row, amount: 'retired', effectiveFrom: '2027-02-01T00:00:00Z' },
  ]);
  const at = (text: string): PriceState => ({ book, at: new Date(text) });

  it('is told in per cent, whatever the unit, and where a price begins or ends', () => {
    expect(diffPrices(at('2026-12-31'), at('2027-01-01'))).toMatchObject([
      { before: { amount: '2' }, after: { amount: '0.003' }, changePercent: '50.00' },
    ]);
    expect(diffPrices(at('2027-01-01'), at('2027-02-01'))).toMatchObject([
      { after: null, changePercent: null },
    ]);
    expect(diffPrices(at('2026-01-01'), at('2026-12-31T23:59:59Z'))).toEqual([]);
    expect(diffPrices({ book }, { book })).toEqual([]);
    expect(diffPrices({ book: bookOf([row]) }, { book })).toHaveLength(2);
  });
});
