import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDecimal } from '../../pricing/money.ts';
import { planProblems } from '../../pricing/plans/check.ts';
import { parsePlanFile, toPlan } from '../../pricing/plans/file.ts';
import { type Plan, planVersionAt } from '../../pricing/plans/plan.ts';
import { markedUpUnitAmount, perMillionOf, unitAmountOf } from '../../pricing/plans/price.ts';
import { planRatesAt } from '../../pricing/plans/rates.ts';
import { azureOpenAiPriceBook as book } from '../../pricing/prices/azure-openai.ts';
import { rateUsage } from '../../pricing/rating/rate-usage.ts';
import { findSellRate } from '../../pricing/rating/sell-rates.ts';
import type { TokenType } from '../../pricing/usage/tokens.ts';

const GLOBAL = [{ effectiveFrom: '2024-01-01T00:00:00.000Z', markupPercent: '25' }];
const AT = new Date('2026-02-01T00:00:00Z');

function planOf(versions: string, currency = 'usd', globalMarkups = GLOBAL): Plan {
  const parsed = parsePlanFile(`plan: p\nname: P\ncurrency: ${currency}\nversions:\n${versions}`);
  if (parsed.value === null) throw new Error(JSON.stringify(parsed.problems));
  return toPlan(parsed.value, globalMarkups);
}
const version = (rates: string, head = '') => `  - effectiveFrom: 2026-01-01\n${head}    rates:\n${rates}`;
const problemsOf = (plan: Plan, features: string[] | null = null) => planProblems(plan, { book, features });
const unitAmount = (plan: Plan, model: string, tokenType: TokenType = 'prompt', feature = 'chat') => {
  const { rates } = planRatesAt(plan, AT, book);
  const price = findSellRate(rates, { model, feature, tokenType })?.price;
  return price?.kind === 'per_unit' ? price.unitAmountDecimal : (price?.kind ?? null);
};

describe('amounts of a plan', () => {
  it.each([
    ['3.00', 'usd', '0.0003'],
    ['0.00000001', 'usd', '0.000000000001'],
    ['150', 'jpy', '0.00015'],
    ['0.001', 'kwd', '0.000001'],
  ])('%s a million %s is %s minor units a token, and back', (amount, currency, expected) => {
    expect(unitAmountOf(amount, currency)).toBe(expected);
    expect(Number(perMillionOf(expected, currency))).toBe(Number(amount));
  });

  it('are refused when 12 decimals of a minor unit cannot hold them', () => {
    expect(() => unitAmountOf('0.000000001', 'usd')).toThrow(/more than 8 decimals/);
    expect(() => unitAmountOf('0.0000001', 'jpy')).toThrow(/more than 6 decimals/);
    expect(() => unitAmountOf('-1', 'usd')).toThrow(/negative/);
  });

  it('never become floats on the way from a file', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 15n }), (pico) => {
        const amount = formatDecimal(pico, 8);
        const plan = planOf(version(`      - { model: gpt-4o, tokenType: prompt, perMillion: ${amount} }`));
        expect(unitAmount(plan, 'gpt-4o')).toBe(formatDecimal(pico, 12));
      }),
    );
  });
});

describe('a markup', () => {
  const markup = (percent: string) =>
    `      - { model: gpt-4o, tokenType: prompt, markupPercent: ${percent} }`;
  const inherit = '      - { model: gpt-4o, tokenType: prompt }';

  it('of the rate goes before that of the plan, that before the global one', () => {
    const planHead = '    markupPercent: 10\n';
    expect(unitAmount(planOf(version(markup('20'), planHead)), 'gpt-4o')).toBe('0.0003');
    expect(unitAmount(planOf(version(inherit, planHead)), 'gpt-4o')).toBe('0.000275');
    expect(unitAmount(planOf(version(inherit)), 'gpt-4o')).toBe('0.0003125');
    expect(problemsOf(planOf(version(inherit), 'usd', []))).toMatchObject([
      { path: 'versions[0].rates[0]', message: expect.stringContaining('nor the house has a markup') },
    ]);
  });

  it('of a model goes before that of any model, and a stated price before both', () => {
    const plan = planOf(
      version(
        [
          "      - { model: '*', tokenType: '*', markupPercent: 100 }",
          "      - { model: gpt-4o, tokenType: '*', markupPercent: 20 }",
          '      - { model: gpt-4o, tokenType: completion, perMillion: 11 }',
        ].join('\n'),
      ),
    );
    expect(problemsOf(plan)).toEqual([]);
    expect(unitAmount(plan, 'gpt-4o')).toBe('0.0003');
    expect(unitAmount(plan, 'gpt-4o', 'completion')).toBe('0.0011');
    expect(unitAmount(plan, 'o3')).toBe('0.0004');
    expect(unitAmount(plan, 'mystery')).toBeNull();
  });

  it('is exact, or rounded half up at 12 decimals and said to be', () => {
    expect(markedUpUnitAmount(3n, '50', 'usd')).toEqual({
      unitAmountDecimal: '0.00000000045',
      isRounded: false,
    });
    expect(markedUpUnitAmount(1n, '0.4999', 'usd')).toEqual({
      unitAmountDecimal: '0.0000000001',
      isRounded: true,
    });
    expect(markedUpUnitAmount(1n, '0.5', 'usd')).toEqual({
      unitAmountDecimal: '0.000000000101',
      isRounded: true,
    });
    const plan = planOf(
      version('      - { model: gpt-4o-mini, tokenType: prompt_cached, markupPercent: 0.0033 }'),
    );
    expect(planRatesAt(plan, AT, book).notes).toMatchObject([
      { note: 'markup_rounded_at_12_decimals', model: 'gpt-4o-mini', tokenType: 'prompt_cached' },
    ]);
  });

  it('says where it marks up a price that stands in for one that the book does not have', () => {
    const rates = (deploymentType: string) =>
      planRatesAt(
        planOf(
          version(
            `      - { model: gpt-5-chat, tokenType: prompt, markupPercent: 20, deploymentType: ${deploymentType} }`,
          ),
        ),
        AT,
        book,
      );
    const note = 'priced_as_global_for_want_of_a_batch_price';
    expect(rates('batch')).toMatchObject({
      rates: [{ price: { unitAmountDecimal: '0.00015' }, standIn: note }],
      notes: [{ note, model: 'gpt-5-chat', tokenType: 'prompt' }],
    });
    expect(rates('global')).toMatchObject({
      rates: [{ price: { unitAmountDecimal: '0.00015' } }],
      notes: [],
    });
    expect(rates('global').rates[0]).not.toHaveProperty('standIn');
  });

  it('marks audio up on the price of audio, and sells none of it by a rate for text', () => {
    const model = 'gpt-4o-audio-preview';
    const markup = planOf(version(`      - { model: ${model}, tokenType: '*', markupPercent: 50 }`));
    // 40 and 80 USD a million, and half on top
    expect(unitAmount(markup, model, 'prompt_audio')).toBe('0.006');
    expect(unitAmount(markup, model, 'completion_audio')).toBe('0.012');
    expect(unitAmount(markup, model, 'prompt_image')).toBeNull();

    const text = planOf(version(`      - { model: ${model}, tokenType: prompt, perMillion: 3.00 }`));
    const { rates } = planRatesAt(text, AT, book);
    const usage = (['prompt', 'prompt_audio'] as const).map((tokenType) => ({
      model,
      feature: '',
      tokenType,
      tokenCount: 500n,
    }));
    const { unrated, totals } = rateUsage(usage, rates);
    expect(unrated).toMatchObject([{ usage: { tokenType: 'prompt_audio' }, reason: 'no_sell_rate' }]);
    expect(totals).toMatchObject({ unratedTokenCount: 500n, amountMinor: null });
  });

  it('is never below the cost, and equals it at 0 %', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 10n ** 12n }),
        fc.integer({ min: 0, max: 10_000_000 }),
        (cost, part) => {
          const price = markedUpUnitAmount(cost, formatDecimal(BigInt(part), 4), 'usd').unitAmountDecimal;
          const none = markedUpUnitAmount(cost, '0', 'usd').unitAmountDecimal;
          expect(none).toBe(formatDecimal(cost * 100n, 12));
          expect(Number(price)).toBeGreaterThanOrEqual(Number(none));
        },
      ),
    );
  });

  it('on a book in another currency is refused', () => {
    const plan = planOf(version(markup('20')), 'eur');
    expect(problemsOf(plan)).toMatchObject([{ message: expect.stringContaining('the plan is in eur') }]);
    expect(() => planRatesAt(plan, AT, book)).toThrow(/in eur and marks up prices in usd/);
  });
});

describe('a version', () => {
  const plan = planOf(
    [
      '  - { effectiveFrom: 2026-01-01, rates: [{ model: gpt-4o, tokenType: prompt, perMillion: 3 }] }',
      '  - { effectiveFrom: 2026-03-01T06:00:00Z, rates: [{ model: gpt-4o, tokenType: prompt, perMillion: 2 }] }',
    ].join('\n'),
  );
  const amountAt = (instant: string) => {
    const price = planRatesAt(plan, new Date(instant), book).rates[0]?.price;
    return price?.kind === 'per_unit' ? price.unitAmountDecimal : null;
  };

  it('holds from its instant to the second, for billing periods that start then or later', () => {
    expect(amountAt('2026-01-01T00:00:00Z')).toBe('0.0003');
    expect(amountAt('2026-03-01T05:59:59Z')).toBe('0.0003');
    expect(amountAt('2026-03-01T06:00:00Z')).toBe('0.0002');
    expect(planVersionAt(plan, new Date('2025-12-31T23:59:59Z'))).toBeNull();
    expect(() => amountAt('2025-12-31T23:59:59Z')).toThrow(/has no version at 2025-12-31.*2026-01-01/);
  });

  it('is named by what it charges, not by how it is written', () => {
    const one = planOf(version('      - { model: gpt-4o, tokenType: prompt, perMillion: 3.00 }'));
    const same = planOf(version('      - { perMillion: 3, feature: "*", tokenType: prompt, model: gpt-4o }'));
    const other = planOf(version('      - { model: gpt-4o, tokenType: prompt, perMillion: 3.01 }'));
    expect(one.versions[0]?.versionId).toMatch(/^2026-01-01-[0-9a-f]{8}$/);
    expect(same.versions[0]?.versionId).toBe(one.versions[0]?.versionId);
    expect(other.versions[0]?.versionId).not.toBe(one.versions[0]?.versionId);
  });

  it('is the same from JSON as from YAML', () => {
    const json = JSON.stringify({
      plan: 'p',
      name: 'P',
      currency: 'USD',
      versions: [
        {
          effectiveFrom: '2026-01-01',
          rates: [{ model: 'gpt-4o', tokenType: 'prompt', perMillion: 3, note: undefined }],
        },
      ],
    });
    const parsed = parsePlanFile(json);
    const yaml = planOf(version('      - { model: gpt-4o, tokenType: prompt, perMillion: 3 }'));
    expect(parsed.value === null ? parsed.problems : toPlan(parsed.value, GLOBAL)).toEqual(yaml);
  });
});

describe('an allowance', () => {
  it('comes before the first tier, whose end still counts every token', () => {
    const plan = planOf(
      version(
        [
          '      - model: gpt-4o',
          '        tokenType: prompt',
          '        includedTokens: 1_000_000',
          '        graduated: [{ upTo: 3_000_000, perMillion: 4 }, { perMillion: 2, flat: 0.50 }]',
        ].join('\n'),
        '    minimum: 5.00\n',
      ),
    );
    const { rates, minimumAmountMinor } = planRatesAt(plan, AT, book);
    const rate = (tokenCount: bigint) =>
      rateUsage(
        [{ model: 'gpt-4o', feature: 'x', tokenType: 'prompt', tokenCount }],
        rates,
        minimumAmountMinor,
      );
    expect(rate(4_000_000n).lines[0]?.tierLines.map((line) => [line.quantity, line.amountMinor])).toEqual([
      [1_000_000n, 0n],
      [2_000_000n, 800n],
      [1_000_000n, 250n],
    ]);
    expect(rate(1_500_000n).totals).toMatchObject({ ratedAmountMinor: 200n, amountMinor: 500n });
  });
});

describe('a wrong plan', () => {
  it.each<[string, string, string, RegExp, string[] | null]>([
    [
      'a model nobody knows',
      '{ model: gpt-4p, tokenType: prompt, perMillion: 1 }',
      'rates[0].model',
      /gpt-4p.*no model.*Near names: gpt-4/,
      null,
    ],
    [
      'a feature nobody used',
      '{ model: gpt-4o, feature: chatt, tokenType: prompt, perMillion: 1 }',
      'rates[0].feature',
      /Near names: chat\..*"features"/,
      ['chat', 'search'],
    ],
    [
      'too many decimals',
      '{ model: gpt-4o, tokenType: prompt, perMillion: 0.000000001 }',
      'rates[0].perMillion',
      /more than 8 decimals/,
      null,
    ],
    [
      'a negative price',
      '{ model: gpt-4o, tokenType: prompt, perMillion: -1 }',
      'rates[0].perMillion',
      /negative/,
      null,
    ],
    [
      'half a cent at once',
      '{ model: gpt-4o, tokenType: prompt, graduated: [{ perMillion: 1, flat: 0.005 }] }',
      'rates[0].graduated[0].flat',
      /more than 2 decimals/,
      null,
    ],
    [
      'tiers that overlap',
      '{ model: gpt-4o, tokenType: prompt, graduated: [{ upTo: 10, perMillion: 1 }, { from: 5, perMillion: 1 }] }',
      'rates[0].graduated[1].from',
      /overlaps.*from 5 to 10/,
      null,
    ],
    [
      'tiers with a gap',
      '{ model: gpt-4o, tokenType: prompt, volume: [{ upTo: 10, perMillion: 1 }, { from: 15, perMillion: 1 }] }',
      'rates[0].volume[1].from',
      /gap.*from 10 to 15.*from: 10/,
      null,
    ],
    [
      'tiers out of order',
      '{ model: gpt-4o, tokenType: prompt, graduated: [{ upTo: 10, perMillion: 1 }, { upTo: 5, perMillion: 1 }, { perMillion: 1 }] }',
      'rates[0].graduated[1].upTo',
      /overlaps tier 1/,
      null,
    ],
    [
      'no open end',
      '{ model: gpt-4o, tokenType: prompt, graduated: [{ upTo: 10, perMillion: 1 }] }',
      'rates[0].graduated[0].upTo',
      /open/,
      null,
    ],
    [
      'an allowance under volume',
      '{ model: gpt-4o, tokenType: prompt, includedTokens: 5, volume: [{ perMillion: 1 }] }',
      'rates[0].includedTokens',
      /graduated/,
      null,
    ],
    [
      'an allowance over a tier',
      '{ model: gpt-4o, tokenType: prompt, includedTokens: 10, graduated: [{ upTo: 10, perMillion: 1 }, { perMillion: 1 }] }',
      'rates[0].includedTokens',
      /all of the first tier/,
      null,
    ],
    [
      'one price for all token types',
      "{ model: gpt-4o, tokenType: '*', perMillion: 1 }",
      'rates[0].tokenType',
      /Name the token type/,
      null,
    ],
    [
      'an absurd markup',
      '{ model: gpt-4o, tokenType: prompt, markupPercent: 10001 }',
      'rates[0].markupPercent',
      /absurd/,
      null,
    ],
    [
      'a negative markup',
      '{ model: gpt-4o, tokenType: prompt, markupPercent: -5 }',
      'rates[0].markupPercent',
      /negative/,
      null,
    ],
    [
      'a markup on nothing',
      '{ model: text-embedding-3-large, tokenType: completion, markupPercent: 5 }',
      'rates[0]',
      /nothing to mark up/,
      null,
    ],
  ])('with %s is refused at its place', (_, rate, path, expected, features) => {
    const problems = problemsOf(planOf(version(`      - ${rate}`)), features);
    expect(problems.map((problem) => problem.path)).toEqual([`versions[0].${path}`]);
    expect(problems.map(({ message, fix }) => `${message} ${fix}`).join()).toMatch(expected);
  });

  it('has two rates for the same, also under another name of the model', () => {
    const plan = planOf(
      version(
        [
          '      - { model: gpt-4o, tokenType: prompt, perMillion: 1 }',
          '      - { model: azure/gpt-4o, tokenType: prompt, perMillion: 2 }',
        ].join('\n'),
      ),
    );
    expect(problemsOf(plan)).toMatchObject([{ path: 'versions[0].rates[1]', fix: 'Keep one of the two.' }]);
  });

  it('has a rate of a feature that a markup on every model would hide', () => {
    const plan = planOf(
      version(
        [
          "      - { model: '*', tokenType: '*' }",
          "      - { model: '*', feature: chat, tokenType: prompt, perMillion: 2 }",
        ].join('\n'),
      ),
    );
    expect(problemsOf(plan)).toMatchObject([{ path: 'versions[0].rates[1]' }]);
  });

  it('has versions out of order, or twice the same instant, or a currency that is none', () => {
    const one = (date: string) =>
      `  - { effectiveFrom: ${date}, rates: [{ model: gpt-4o, tokenType: prompt, perMillion: 3 }] }`;
    const plan = planOf([one('2026-02-01'), one('2026-01-01'), one('2026-01-01')].join('\n'), 'usx');
    expect(problemsOf(plan).map(({ path }) => path)).toEqual([
      'currency',
      'versions[1].effectiveFrom',
      'versions[2].effectiveFrom',
    ]);
    expect(problemsOf(plan)[0]?.fix).toMatch(/usd/);
  });

  it('is told every problem of form at once, with its place', () => {
    const parsed = parsePlanFile(
      [
        'plan: Not An Id',
        'name: x',
        'currency: usd',
        'versions:',
        '  - effectiveFrom: 2025-02-30',
        '    rates:',
        '      - { model: a, tokenType: promp, perMillion: 1e, currency: eur }',
        '      - { model: a, tokenType: prompt, perMillion: 1, volume: [{ perMillion: 2 }] }',
        '      - { model: a, tokenType: prompt, includedTokens: 1.5, perMillion: 1 }',
      ].join('\n'),
    );
    expect(parsed.problems.map(({ path }) => path)).toEqual([
      'plan',
      'versions[0].effectiveFrom',
      'versions[0].rates[0].tokenType',
      'versions[0].rates[0].perMillion',
      'versions[0].rates[0]',
      'versions[0].rates[1]',
      'versions[0].rates[2].includedTokens',
    ]);
    expect(parsed.problems[4]?.fix).toMatch(/one currency/);
    expect(parsePlanFile('{').problems).toMatchObject([{ path: 'file' }]);
    expect(parsePlanFile('').problems).toMatchObject([{ path: 'file' }]);
  });
});
