import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { azureOpenAiPriceBook as book } from '../../pricing/prices/azure-openai.ts';
import { findPrice } from '../../pricing/prices/lookup.ts';
import { unknownPercent } from '../../pricing/rating/margin.ts';
import { knownMarginOf, knownOf, marginDeltaOf, marginOf } from '../../pricing/simulations/compare.ts';
import { PreparedScenario } from '../../pricing/simulations/prepared.ts';
import {
  AS_IT_IS,
  type Scenario,
  type ScenarioCustomer,
  type ScenarioKind,
} from '../../pricing/simulations/scenario.ts';

const MONTH = new Date('2026-10-01T00:00:00Z');
const MODELS = ['gpt-4o', 'gpt-4o-mini'];
/** Those that the book has prices of, for these models. */
const PRICED_TYPES = ['prompt', 'prompt_cached', 'completion'] as const;
const KINDS: ScenarioKind[] = MODELS.flatMap((model) =>
  ['chat', 'search'].flatMap((feature) => PRICED_TYPES.map((tokenType) => ({ model, feature, tokenType }))),
).map((kind, index) => ({
  ...kind,
  index,
  monthStart: MONTH,
  at: MONTH,
  deployment: `${kind.model}-global`,
  untold: [],
  isProvisioned: false,
}));
const RATES = PRICED_TYPES.map((tokenType) => ({
  rateId: tokenType,
  description: tokenType,
  model: '*',
  feature: '*',
  tokenType,
  price: { kind: 'per_unit' as const, unitAmountDecimal: '0.0005' },
}));

const anyCustomer = fc
  .array(fc.bigInt({ min: 0n, max: 10n ** 10n }), { minLength: KINDS.length, maxLength: KINDS.length })
  .map(
    (counts): ScenarioCustomer => ({
      billed: { currency: 'usd', rates: RATES },
      usage: KINDS.map((kind, index) => ({ kind, tokenCount: counts[index] ?? 0n })),
      provisionedCostPicoUsd: 0n,
    }),
  );
const ANY = { model: '*', feature: '*', tokenType: '*' as const };
const PRICES = MODELS.flatMap((model) =>
  PRICED_TYPES.map((tokenType) => ({ model, tokenType, usdPerMillion: '3' })),
);
const rate = (scenario: Partial<Scenario>, customer: ScenarioCustomer) =>
  new PreparedScenario({ ...AS_IT_IS, ...scenario }, book).rate(customer);

describe('a scenario', () => {
  it('that changes nothing changes no figure', () => {
    fc.assert(
      fc.property(anyCustomer, (customer) => {
        const baseline = rate({}, customer);
        const same = rate({ modelSwaps: [{ from: 'gpt-4o', to: 'gpt-4o' }] }, customer);
        expect(same).toEqual(baseline);
        expect(marginDeltaOf(baseline, same, new Map()).value).toBe(0n);
      }),
    );
  });

  it('knows no cost of tokens of which nobody told how many are audio, where the model has a price of it', () => {
    const kindOf = (model: string, tokenType: ScenarioKind['tokenType'], untold: ScenarioKind['untold']) => ({
      ...(KINDS[0] as ScenarioKind),
      index: untold.length,
      model,
      deployment: '',
      tokenType,
      untold,
    });
    const costOf = (kind: ScenarioKind, scenario: Partial<Scenario> = {}) => {
      const usage = [{ kind, tokenCount: 900n }];
      const { knownCostPicoUsd, unknownCostTokenCount } = rate(scenario, {
        billed: null,
        usage,
        provisionedCostPicoUsd: 0n,
      });
      return [knownCostPicoUsd, unknownCostTokenCount];
    };
    const told = kindOf('gpt-4o-audio-preview', 'completion', []);
    const untold = kindOf('gpt-4o-audio-preview', 'completion', ['completion_audio']);
    expect(costOf(told)).toEqual([9_000_000_000n, 0n]);
    expect(costOf(untold)).toEqual([0n, 900n]);
    const swap = { modelSwaps: [{ from: 'gpt-4o-audio-preview', to: 'gpt-4o' }] };
    expect(costOf(untold, swap)).toEqual([9_000_000_000n, 0n]);
    const costPrices = [
      { model: 'gpt-4o-audio-preview', tokenType: 'completion' as const, usdPerMillion: '10' },
    ];
    expect(costOf(untold, { costPrices })).toEqual([9_000_000_000n, 0n]);
  });

  it('without a feature costs what the other features cost', () => {
    fc.assert(
      fc.property(anyCustomer, (customer) => {
        const of = (feature: string) => ({
          ...customer,
          usage: customer.usage.filter(({ kind }) => kind.feature === feature),
        });
        const without = rate({ withoutFeatures: ['search'] }, customer);
        expect(without).toEqual(rate({}, of('chat')));
        const parts = without.knownCostPicoUsd + rate({}, of('search')).knownCostPicoUsd;
        expect(parts).toBe(rate({}, customer).knownCostPicoUsd);
      }),
    );
  });

  it('with a cheaper model costs what its tokens cost there, and brings the same at rates for any model', () => {
    fc.assert(
      fc.property(anyCustomer, (customer) => {
        const swapped = rate({ modelSwaps: [{ from: 'gpt-4o', to: 'gpt-4o-mini' }] }, customer);
        const expected = customer.usage.reduce((sum, { kind, tokenCount }) => {
          const found = findPrice(book, { model: 'gpt-4o-mini', at: MONTH }, kind.tokenType);
          return found.found ? sum + tokenCount * found.picoUsdPerToken : sum;
        }, 0n);
        expect(swapped.knownCostPicoUsd).toBe(expected);
        expect(swapped.ratedRevenueMinor).toBe(rate({}, customer).ratedRevenueMinor);
      }),
    );
  });

  it('with a markup brings the cost and so much more, within a cent for each line', () => {
    fc.assert(
      fc.property(anyCustomer, fc.integer({ min: 0, max: 300 }), (customer, percent) => {
        const outcome = rate({ markupPercent: String(percent) }, customer);
        const exact = outcome.knownCostPicoUsd * BigInt(100 + percent);
        const difference = outcome.ratedRevenueMinor * 10n ** 12n - exact;
        const lines = BigInt(MODELS.length * PRICED_TYPES.length);
        expect(difference < 0n ? -difference : difference).toBeLessThanOrEqual(lines * 10n ** 12n);
      }),
    );
  });

  it('with a dearer sell price for any usage replaces every rate, and only in its currency', () => {
    fc.assert(
      fc.property(anyCustomer, (customer) => {
        const sellPrices = PRICED_TYPES.map((tokenType) => ({
          model: '*',
          feature: '*',
          tokenType,
          currency: 'usd',
          perMillion: '10',
        }));
        // Twice the 5.00 a million of the rates, line by line.
        const tokens = PRICED_TYPES.map((tokenType) =>
          customer.usage.reduce(
            (sum, entry) => sum + (entry.kind.tokenType === tokenType ? entry.tokenCount : 0n),
            0n,
          ),
        );
        const expected = tokens.reduce((sum, count) => sum + (count * 1_000n + 500_000n) / 1_000_000n, 0n);
        expect(rate({ sellPrices }, customer).ratedRevenueMinor).toBe(expected);
        const inEuro = sellPrices.map((price) => ({ ...price, currency: 'eur' }));
        expect(rate({ sellPrices: inEuro }, customer)).toEqual(rate({}, customer));
      }),
    );
  });

  it('leaves the cost of an unknown model unknown, and nobody’s usage unpaid', () => {
    const kind = { ...KINDS[0], model: 'gpt-99', deployment: 'x', index: 0 } as ScenarioKind;
    const customer = { billed: null, usage: [{ kind, tokenCount: 7n }], provisionedCostPicoUsd: 5n };
    const outcome = rate({}, customer);
    expect(outcome).toMatchObject({ unknownCostTokenCount: 7n, knownCostPicoUsd: 5n, currency: null });
    expect(marginOf(outcome, new Map())).toEqual({ value: null, reason: 'nobody_pays' });
  });

  it('has the margin of what is known, which in all is the margin where nothing is unknown', () => {
    fc.assert(
      fc.property(anyCustomer, (customer) => {
        const outcome = rate({}, customer);
        const unknown = {
          ...KINDS[0],
          model: 'gpt-99',
          deployment: 'x',
          index: KINDS.length,
        } as ScenarioKind;
        const more = rate({}, { ...customer, usage: [...customer.usage, { kind: unknown, tokenCount: 7n }] });
        expect(outcome.known).toBeNull();
        expect(knownMarginOf(outcome, new Map())).toEqual(marginOf(outcome, new Map()));
        expect(marginOf(more, new Map()).reason).toBe('cost_unknown');
        expect(knownOf(more).tokenCount).toBe(outcome.tokenCount);
        expect(unknownPercent(more.tokenCount, knownOf(more).tokenCount)).not.toBe('0.00');
        // The invoice rounds each line once; the known part is exact.
        const margin = marginOf(outcome, new Map()).value ?? 0n;
        const known = knownMarginOf(more, new Map()).value ?? 0n;
        const difference = margin - known;
        expect(difference < 0n ? -difference : difference).toBeLessThanOrEqual(
          BigInt(PRICED_TYPES.length) * 10n ** 12n,
        );
      }),
    );
  });

  it('with prices so many percent dearer brings what the dearer prices would, to the cent', () => {
    const percents = fc.constantFrom('-100', '-12.5', '0', '10', '37.5', '900');
    fc.assert(
      fc.property(anyCustomer, percents, (customer, percent) => {
        const changed = rate({ sellChanges: [{ ...ANY, percent }] }, customer);
        // 0.0005 and so much more.
        const unit = (5n * (1_000n + BigInt(Number(percent) * 10))).toString().padStart(8, '0');
        const unitAmountDecimal = `${unit.slice(0, -7)}.${unit.slice(-7)}`;
        const rates = RATES.map((one) => ({ ...one, price: { ...one.price, unitAmountDecimal } }));
        expect(changed.ratedRevenueMinor).toBe(
          rate({}, { ...customer, billed: { currency: 'usd', rates } }).ratedRevenueMinor,
        );
        expect(changed.knownCostPicoUsd).toBe(rate({}, customer).knownCostPicoUsd);
      }),
    );
  });

  it('with one model’s prices dearer changes that model’s share of a rate for any, tiers and all', () => {
    const tiered = {
      ...RATES[0],
      rateId: 'tiered',
      description: 'tiered',
      model: '*',
      feature: '*',
      tokenType: 'prompt' as const,
      price: {
        kind: 'tiered' as const,
        mode: 'graduated' as const,
        tiers: [
          { upTo: 1_000_000n, unitAmountDecimal: '0', flatAmountDecimal: null },
          { upTo: null, unitAmountDecimal: '0.001', flatAmountDecimal: '300' },
        ],
      },
    };
    const usage = ['gpt-4o', 'gpt-4o-mini'].map((model) => ({
      kind: KINDS.find((kind) => kind.model === model && kind.tokenType === 'prompt') as ScenarioKind,
      tokenCount: model === 'gpt-4o' ? 3_000_000n : 1_000_000n,
    }));
    const customer = { billed: { currency: 'usd', rates: [tiered] }, usage, provisionedCostPicoUsd: 0n };
    // Three million at 0.001 and 300 once: 3,300, of which three quarters are of the one model.
    expect(rate({}, customer).ratedRevenueMinor).toBe(3_300n);
    const changed = (...sellChanges: Scenario['sellChanges']) =>
      rate({ sellChanges }, customer).ratedRevenueMinor;
    expect(changed({ ...ANY, model: 'gpt-4o', percent: '10' })).toBe(3_300n + 248n);
    expect(changed({ ...ANY, percent: '10' })).toBe(3_630n);
    // Who says more wins, in whatever order.
    expect(changed({ ...ANY, percent: '10' }, { ...ANY, model: 'GPT-4o', percent: '-100' })).toBe(908n);
    expect(changed({ ...ANY, tokenType: 'completion', percent: '10' })).toBe(3_300n);
    expect(changed({ ...ANY, feature: 'search', percent: '10' })).toBe(3_300n);
  });

  it('with one model’s prices dearer leaves unknown what corrections make nobody’s share', () => {
    const [one, other] = KINDS.filter(
      ({ tokenType, feature }) => tokenType === 'prompt' && feature === 'chat',
    );
    const usage = [
      { kind: one as ScenarioKind, tokenCount: 5_000_000n },
      { kind: other as ScenarioKind, tokenCount: -1_000_000n },
    ];
    const customer = { billed: { currency: 'usd', rates: RATES }, usage, provisionedCostPicoUsd: 0n };
    const outcome = rate({ sellChanges: [{ ...ANY, model: 'gpt-4o', percent: '10' }] }, customer);
    expect(outcome).toMatchObject({ ratedRevenueMinor: 0n, unratedTokenCount: 4_000_000n });
  });

  it('with another minimum and a discount brings the month at least so much, and less the discount', () => {
    fc.assert(
      fc.property(anyCustomer, fc.integer({ min: 0, max: 100 }), (customer, percent) => {
        const plain = rate({}, customer).ratedRevenueMinor;
        const least = (amount: string) =>
          rate({ minimum: { amount, currency: 'usd' } }, customer).ratedRevenueMinor;
        expect(least('5000.00')).toBe(plain > 500_000n ? plain : 500_000n);
        expect(rate({ minimum: { amount: '9', currency: 'eur' } }, customer).ratedRevenueMinor).toBe(plain);
        const off = rate({ discountPercent: String(percent) }, customer).ratedRevenueMinor;
        expect(off).toBe((plain * BigInt(100 - percent) * 2n + 100n) / 200n);
      }),
    );
  });

  it('with Azure dearer costs so much more where a price is known, and nothing beside capacity', () => {
    fc.assert(
      fc.property(anyCustomer, (customer) => {
        const costChanges = [{ model: '*', tokenType: '*' as const, percent: '50' }];
        const plain = rate({}, customer).knownCostPicoUsd;
        const bought = { ...customer, provisionedCostPicoUsd: 7n };
        expect(rate({ costChanges }, bought).knownCostPicoUsd * 2n).toBe(plain * 3n + 14n);
        const absolute = { costChanges, costPrices: PRICES };
        expect(rate(absolute, customer)).toEqual(rate({ costPrices: PRICES }, customer));
      }),
    );
  });

  it('with a swap of one feature leaves the others where they are', () => {
    fc.assert(
      fc.property(anyCustomer, (customer) => {
        const swap = { from: 'gpt-4o', to: 'gpt-4o-mini' };
        const of = (feature: string) => ({
          ...customer,
          usage: customer.usage.filter(({ kind }) => kind.feature === feature),
        });
        const cost = (modelSwaps: Scenario['modelSwaps'], whose: ScenarioCustomer) =>
          rate({ modelSwaps }, whose).knownCostPicoUsd;
        expect(cost([{ ...swap, feature: 'Search' }], customer)).toBe(
          cost([swap], of('search')) + cost([], of('chat')),
        );
      }),
    );
  });
});
