import { describe, expect, test } from 'vitest';
import { decideFirstLook } from '../../sandbox/demo/first-look/decide.ts';
import type { FirstLookFacts } from '../../sandbox/demo/first-look/gather.ts';

const NOTHING: FirstLookFacts = {
  lookedAt: { from: '2026-10-01T00:00:00.000Z', to: '2026-11-01T00:00:00.000Z', name: 'October 2026' },
  customers: [],
  costs: [],
  closes: [],
  experiments: null,
};

const NOTHING_SEEN = { loser: null, wrongModel: null, oddDay: null, waited: null, stopped: null };

const customer = (customerId: string, tokenCount: string, revenue: string | null, margin: string | null) => ({
  customerId,
  currency: 'usd',
  tokenCount,
  revenue: { amount: revenue },
  knownCost: '95.004999999999',
  knownMargin: { amount: margin },
});
const cost = (day: string, feature: string, model: string, knownCost: string, customerId = 'adatum') => ({
  day,
  customerId,
  feature,
  model,
  tokenCount: feature === 'mail-draft' ? '900' : '100',
  knownCost,
});
const close = (invoiceId: string, steps: [state: string, at: string, note?: string][]) => ({
  invoiceId,
  customerName: 'Margie',
  state: steps.at(-1)?.[0] ?? '',
  currency: 'usd',
  total: '207.20',
  steps: steps.map(([state, at, note]) => ({ state, at: `2026-10-24T${at}:00.000Z`, note: note ?? null })),
});

describe('what a run of the demo is looked at for', () => {
  test('is nothing where it holds nothing: no story is told that the data do not tell', () => {
    expect(decideFirstLook(NOTHING)).toEqual(NOTHING_SEEN);
    const dull: FirstLookFacts = {
      ...NOTHING,
      customers: [customer('fabrikam', '10', '120.00', '24.99'), customer('litware', '10', null, null)],
      costs: Array.from({ length: 9 }, (_, day) => [
        cost(`2026-10-0${day + 1}`, 'chat', 'gpt-4o', '2.00'),
        cost(`2026-10-0${day + 1}`, 'search', 'gpt-4o-mini', '1.00'),
      ]).flat(),
      closes: [
        close('in_1', [
          ['found', '00:00'],
          ['finalized', '06:00'],
        ]),
      ],
    };
    expect(decideFirstLook(dull)).toEqual(NOTHING_SEEN);
  });

  test('is the customer with the most tokens of those that cost more than they bring', () => {
    const customers = [
      customer('litware', '90', '10.00', '-20.00'),
      customer('northwind', '380', '64.30', '-30.70'),
      customer('fabrikam', '530', '900.00', '100.00'),
    ];
    expect(decideFirstLook({ ...NOTHING, customers }).loser).toEqual({
      customerId: 'northwind',
      currency: 'usd',
      tokenPercent: 38,
      revenue: '64.30',
      cost: 95_004_999_999_999n,
    });
  });

  test('is the feature that costs many times the next one, with what its neighbours run on', () => {
    const costs = [
      cost('2026-10-01', 'thread-summary', 'gpt-4o', '1160.00'),
      cost('2026-10-01', 'mail-draft', 'gpt-4o-mini', '80.00'),
      cost('2026-10-01', 'code-review', 'o4-mini', '90.00'),
      cost('2026-10-01', 'meeting-notes', 'gpt-4o', '100.00'),
    ];
    expect(decideFirstLook({ ...NOTHING, costs }).wrongModel).toMatchObject({
      feature: 'thread-summary',
      model: 'gpt-4o',
      timesTenths: 116n,
      candidates: ['gpt-4o-mini', 'o4-mini'],
    });
  });

  test('is the day of a customer furthest above its middle day, and what it was spent on', () => {
    const costs = Array.from({ length: 7 }, (_, day) => [
      cost(`2026-10-0${day + 1}`, 'chat', 'gpt-4o', '2.00'),
      cost(`2026-10-0${day + 1}`, 'chat', 'gpt-4o', '0.01', 'contoso'),
    ]).flat();
    costs.push(cost('2026-10-06', 'crm-sync', 'gpt-4o', '30.00'));
    costs.push(cost('2026-10-02', 'chat', 'gpt-4o', '5.00', 'contoso'));
    expect(decideFirstLook({ ...NOTHING, costs }).oddDay).toMatchObject({
      day: '2026-10-06',
      customerId: 'adatum',
      feature: 'crm-sync',
      times: 16n,
    });
  });

  test('is the invoice that was held longest and went on; one that is held still is not called past', () => {
    const closes = [
      close('in_held', [
        ['found', '00:00'],
        ['held', '01:00', 'differs'],
      ]),
      close('in_short', [
        ['held', '06:00', 'late'],
        ['settled', '07:00'],
        ['finalized', '08:00'],
      ]),
      close('in_long', [
        ['held', '06:00', 'hours of the period are not settled'],
        ['rescanned', '18:00'],
        ['finalized', '23:00'],
      ]),
      // Looked at again, and not yet out.
      close('in_waiting', [
        ['held', '01:00', 'late'],
        ['rescanned', '23:00'],
      ]),
    ];
    expect(decideFirstLook({ ...NOTHING, closes }).waited).toMatchObject({
      close: { invoiceId: 'in_long' },
      from: '2026-10-24T06:00:00.000Z',
      to: '2026-10-24T18:00:00.000Z',
      note: 'hours of the period are not settled',
    });
  });

  test('is that experiments were stopped, whose odd days and features are no news of a product', () => {
    const costs = Array.from({ length: 6 }, (_, day) =>
      cost(
        `2026-10-0${day + 1}`,
        'experiments',
        'gpt-4o',
        day === 5 ? '46.00' : '4.00',
        'internal-experimentation',
      ),
    );
    const experiments = { passedCallCount: 900, stoppedCallCount: 48 };
    const look = decideFirstLook({ ...NOTHING, costs, experiments });
    expect(look).toEqual({ ...NOTHING_SEEN, stopped: experiments });
    const allPassed = { ...experiments, stoppedCallCount: 0 };
    expect(decideFirstLook({ ...NOTHING, costs, experiments: allPassed })).toEqual(NOTHING_SEEN);
  });
});
