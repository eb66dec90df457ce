import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  buildCloseCertificate,
  type CloseComparison,
  canonicalJson,
  findCloseDifferences,
  findDraftDifferences,
} from '../../pricing/closing/certificate.ts';
import { groupTokens, speakLine, speakMemo, speakPeriod } from '../../pricing/closing/words.ts';

const period = { start: '2026-10-01T00:00:00.000Z', end: '2026-11-01T00:00:00.000Z' };

function comparison(changes: { pushed?: string; quantity?: string; amount?: string } = {}): CloseComparison {
  const { pushed = '100', quantity = '100', amount = '7' } = changes;
  return {
    comparedAt: period.end,
    invoiceId: 'in_1',
    customerId: 'northwind',
    subscriptionId: 'sub_1',
    currency: 'usd',
    period,
    tokenTypes: [
      {
        stripeMeterId: 'mtr_1',
        tokenType: 'prompt',
        sourceTokens: '120',
        sourceRows: '3',
        heldTokens: '20',
        eventTokens: '100',
        meteredTokens: '100',
        meteredHours: '1',
        pushedTokens: pushed,
        carriedOutTokens: '0',
        quarantinedTokens: '0',
      },
    ],
    meters: [
      {
        stripeMeterId: 'mtr_1',
        eventName: 'tokens',
        productName: 'GPT-4o prompt tokens',
        subscriptionItemId: 'si_1',
        priceId: 'price_1',
        price: null,
        period,
        pushedTokens: pushed,
        pushCount: '1',
        stripeTokens: null,
        invoiceQuantity: quantity,
        invoiceAmountMinor: amount,
        ratedAmountMinor: '7',
        lines: [{ lineId: 'il_1', quantity, amountMinor: amount }],
      },
    ],
    lateItems: [],
    minimums: [],
    otherLines: [],
    totalMinor: amount,
    collection: { chains: [] },
    priceBookVersion: '1',
    planVersions: [],
  };
}

describe('a close certificate', () => {
  it('has no drift where source, meter and invoice agree, and counts every gap without its sign', () => {
    expect(findCloseDifferences(comparison())).toEqual([]);
    const end = { outcome: 'finalized', release: null } as const;
    expect(buildCloseCertificate(comparison(), end)).toMatchObject({
      driftTokenCount: 0n,
      driftAmountMinor: 0n,
    });
    fc.assert(
      fc.property(fc.bigInt(0n, 10n ** 12n), fc.bigInt(0n, 10n ** 12n), (pushed, quantity) => {
        const built = buildCloseCertificate(
          comparison({ pushed: String(pushed), quantity: String(quantity) }),
          end,
        );
        expect(built.driftTokenCount).toBe(pushed > quantity ? pushed - quantity : quantity - pushed);
      }),
    );
    expect(buildCloseCertificate(comparison({ amount: '9' }), end).driftAmountMinor).toBe(2n);
  });

  it("believes of a draft what its line shows, or Stripe's own sum where the line stands still", () => {
    const still = comparison({ pushed: '100', quantity: '40', amount: '3' });
    const withSum = (stripeTokens: string | null) => ({
      ...still,
      meters: still.meters.map((meter) => ({ ...meter, stripeTokens })),
    });
    expect(findDraftDifferences(comparison())).toEqual([]);
    expect(findDraftDifferences(withSum('100'))).toEqual([]);
    const quantity = { kind: 'quantity', subject: 'tokens', expected: '100' };
    // What the line charges so far is no difference of its own.
    expect(findDraftDifferences(withSum(null))).toEqual([{ ...quantity, found: '40' }]);
    expect(findDraftDifferences(withSum('99'))).toEqual([{ ...quantity, found: '99' }]);
    // Final, the line is what counts.
    expect(findCloseDifferences(withSum('100')).map(({ kind }) => kind)).toEqual(['quantity', 'amount']);
  });

  it('takes a total below zero for none, as Stripe does', () => {
    expect(findCloseDifferences(comparison({ pushed: '-5', quantity: '0' }))).toEqual([]);
  });

  it('holds a late item that is not on the invoice', () => {
    const lateItems = [
      {
        lateItemId: '1',
        stripeMeterId: 'mtr_1',
        period,
        tokenCount: '5',
        amountMinor: '3',
        invoiceAmountMinor: null,
      },
    ];
    expect(findCloseDifferences({ ...comparison(), lateItems })).toEqual([
      { kind: 'late_item', subject: '1', expected: '3', found: 'not on the invoice' },
    ]);
  });

  it('is the same text whatever the order of keys, and reads back as what it was', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const turned = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalJson(turned)).toBe(canonicalJson(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
    expect(canonicalJson({ b: 1n, a: [undefined, null] })).toBe('{"a":[null,null],"b":"1"}');
  });
});

describe('what the customer reads', () => {
  it.each([
    ['2026-10-01T00:00:00.000Z', '2026-11-01T00:00:00.000Z', '1 to 31 October 2026'],
    ['2028-02-01T00:00:00.000Z', '2028-03-01T00:00:00.000Z', '1 to 29 February 2028'],
    ['2026-12-15T00:00:00.000Z', '2027-01-15T00:00:00.000Z', '15 December 2026 to 14 January 2027'],
    ['2026-10-03T00:00:00.000Z', '2026-10-04T00:00:00.000Z', '3 October 2026'],
    [
      '2026-10-01T14:30:00.000Z',
      '2026-11-01T14:30:00.000Z',
      '1 October 2026 14:30 to 1 November 2026 14:30 UTC',
    ],
  ])('the period from %s to %s is %s', (start, end, words) => {
    expect(speakPeriod(start, end)).toBe(words);
  });

  it('is a line as people speak', () => {
    const line = { quantity: 12_345_678n, tierNumber: null };
    expect(speakLine({ ...line, productName: 'GPT-4o prompt tokens' })).toBe(
      'GPT-4o input tokens, 12,345,678 tokens',
    );
    expect(speakLine({ ...line, productName: 'GPT-4o cached prompt tokens', tierNumber: 2 })).toBe(
      'GPT-4o cached input tokens, 12,345,678 tokens (tier 2)',
    );
    expect(speakLine({ productName: 'Our own name', quantity: null, tierNumber: 1 })).toBe(
      'Our own name, base fee (tier 1)',
    );
    fc.assert(
      fc.property(fc.bigInt(0n, 10n ** 15n), (count) => {
        expect(groupTokens(count)).toBe(count.toLocaleString('en'));
      }),
    );
    expect(speakMemo({ ...period, statementUrl: 'https://x.example/s', lateTokens: 5n })).toBe(
      'Token usage of 1 to 31 October 2026. It includes 5 tokens of earlier periods that were reported too late for their own invoice. By day, model, feature and user: https://x.example/s',
    );
  });
});
