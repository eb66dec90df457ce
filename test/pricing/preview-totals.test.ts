import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CreditGrant, type CreditLeft, grantsFor } from '../../pricing/invoices/credits.ts';
import { type InvoiceTerms, type TotalsReading, totalsOf } from '../../pricing/invoices/totals.ts';
import type { PreviewLine } from '../../pricing/previews/preview.ts';
import {
  type PreviewCredits,
  previewTotals,
  type StripeTotals,
} from '../../pricing/previews/preview-totals.ts';
import { adjustLines, type GrossLine } from '../../sandbox/stripe/adjustments/adjust.ts';

const END = new Date('2026-12-01T00:00:00Z');
const NO_CREDITS: PreviewCredits = {
  left: [],
  isShared: false,
  itemIds: new Set(['si_a', 'si_b']),
  formerPriceIds: new Set(),
};

/** An item of which so much is used, and Stripe counts so much. */
function usageLine(name: 'a' | 'b', amountMinor: bigint, stripeAmountMinor: bigint): PreviewLine {
  return {
    kind: 'usage',
    meterId: `mtr_${name}`,
    subscriptionItemId: `si_${name}`,
    priceId: `price_${name}`,
    description: name,
    price: null,
    quantity: amountMinor,
    countedByStripe: stripeAmountMinor,
    notYetCounted: amountMinor - stripeAmountMinor,
    undelivered: 0n,
    ratedLines: [
      {
        quantity: amountMinor,
        unitAmountDecimal: '1',
        flatAmountDecimal: null,
        amountPicoMinor: 0n,
        amountMinor,
        tierIndex: null,
      },
    ],
    amountMinor,
    unpricedReason: null,
    stripeAmountMinor,
    equalsStripe: true,
    parts: [],
  };
}

const PLAIN: InvoiceTerms = { discounts: [], taxes: [], balanceMinor: 0n };
const TAXED: InvoiceTerms = { ...PLAIN, taxes: [{ percent: 75_000n, isInclusive: false }] };
const READING: TotalsReading = { step: 1n, taxRounding: 'line', discountRest: 'most_lost' };

/** Stripe's answer for the same lines, as an account that reads so would give it. */
function stripeOf(
  lines: readonly PreviewLine[],
  terms: StripeTotals['terms'] = PLAIN,
  { left = [], reading = READING }: { left?: readonly CreditLeft[]; reading?: TotalsReading } = {},
): StripeTotals {
  const shown = lines.map((line) => ({
    subscriptionItemId: line.subscriptionItemId,
    priceId: line.priceId,
    isDiscountable: true,
    amountMinor: line.stripeAmountMinor ?? 0n,
    creditMinor: 0n,
    netMinor: line.stripeAmountMinor ?? 0n,
  }));
  const known = typeof terms === 'string' ? PLAIN : terms;
  const totals = totalsOf(
    shown.map((line) => ({ ...line, creditPriceId: line.priceId })),
    known,
    left,
    reading,
  );
  return { lines: shown, endsAt: END, totals, terms };
}

describe('the totals of a preview', () => {
  const lines = [usageLine('a', 1_000n, 400n), usageLine('b', 500n, 0n)];

  it('take credits of what Stripe has not counted yet, and tax what they leave', () => {
    const left = [{ leftMinor: 1_200n, priceIds: null }];
    const known = previewTotals(lines, stripeOf(lines, TAXED, { left }), { ...NO_CREDITS, left }, 'usd');
    expect(known.totals).toMatchObject({ subtotalMinor: 1_500n, creditMinor: 1_200n, taxMinor: 23n });
    expect(known.totals?.totalMinor).toBe(323n);
  });

  it('take a grant for one price of its lines alone, in the order in which grants are used up', () => {
    const scoped = { leftMinor: 600n, priceIds: ['price_b'] };
    const general = { leftMinor: 800n, priceIds: null };
    const creditOf = (left: CreditLeft[]) =>
      previewTotals(lines, stripeOf(lines, PLAIN, { left }), { ...NO_CREDITS, left }, 'usd').totals
        ?.creditMinor;
    expect(creditOf([scoped])).toBe(500n);
    expect(creditOf([scoped, general])).toBe(1_300n);
    const small = { leftMinor: 1_200n, priceIds: null };
    // The general one has taken of both lines before that for one of them: of the second only 300 are left for it.
    expect(creditOf([small, scoped])).toBe(1_500n);
    expect(creditOf([{ leftMinor: 1_100n, priceIds: ['price_a'] }, general])).toBe(1_500n);
  });

  it.each([
    ['stripe_tax', stripeOf(lines, 'stripe_tax'), NO_CREDITS],
    ['terms_unknown', stripeOf(lines, 'terms_unknown'), NO_CREDITS],
    ['stripe_unavailable', null, NO_CREDITS],
    ['credits_unknown', stripeOf(lines), { ...NO_CREDITS, left: null }],
    // Stripe has taken credits that nobody told us of.
    ['credits_unknown', stripeOf(lines, PLAIN, { left: [{ leftMinor: 7n, priceIds: null }] }), NO_CREDITS],
    [
      'credits_shared',
      stripeOf(lines),
      { ...NO_CREDITS, isShared: true, left: [{ leftMinor: 7n, priceIds: null }] },
    ],
  ] as const)('are not said for %s', (reason, stripe, credits) => {
    expect(previewTotals(lines, stripe, credits, 'usd')).toEqual({ totals: null, reason });
  });

  it('are said without a word of credits where something is left to pay of every line that waits', () => {
    const waiting = [usageLine('a', 1_000n, 400n), usageLine('b', 500n, 500n)];
    const unread = { ...NO_CREDITS, left: null };
    expect(previewTotals(waiting, stripeOf(waiting), unread, 'usd').totals?.totalMinor).toBe(1_500n);
    expect(previewTotals(lines, stripeOf(lines), { ...NO_CREDITS, isShared: true }, 'usd').reason).toBeNull();
  });

  it('are Stripe’s where it counts everything, whatever is not known', () => {
    const counted = [usageLine('a', 400n, 400n)];
    const unread = { ...NO_CREDITS, left: null };
    expect(previewTotals(counted, stripeOf(counted, 'stripe_tax'), unread, 'usd').totals?.totalMinor).toBe(
      400n,
    );
  });

  it.each(['line', 'invoice'] as const)(
    'tell from Stripe’s own lines that taxes are rounded by the %s',
    (taxRounding) => {
      const reading = { ...READING, taxRounding };
      // 7.5 % of 20 cents is half a cent, twice.
      const telling = [usageLine('a', 60n, 20n), usageLine('b', 20n, 20n)];
      const told = previewTotals(telling, stripeOf(telling, TAXED, { reading }), NO_CREDITS, 'usd');
      expect(told.totals?.taxMinor).toBe(taxRounding === 'line' ? 7n : 6n);
    },
  );

  it('are not said where these do not tell it, and it would make a difference', () => {
    const silent = [usageLine('a', 20n, 0n), usageLine('b', 20n, 0n)];
    expect(previewTotals(silent, stripeOf(silent, TAXED), NO_CREDITS, 'usd').reason).toBe('rounding_unknown');
    const even = [usageLine('a', 40n, 0n), usageLine('b', 80n, 0n)];
    expect(previewTotals(even, stripeOf(even, TAXED), NO_CREDITS, 'usd').totals?.totalMinor).toBe(129n);
  });
});

describe('grants of billing credits', () => {
  const grant = (grantId: string, more: Partial<CreditGrant> = {}): CreditGrant => ({
    grantId,
    currency: 'usd',
    priority: 50,
    isPromotional: false,
    effectiveAt: new Date('2026-11-01T00:00:00Z'),
    expiresAt: null,
    createdAt: new Date('2026-11-01T00:00:00Z'),
    isVoided: false,
    priceIds: null,
    ...more,
  });

  it('are used up by priority, expiry, category, effect and age', () => {
    const later = new Date('2026-11-02T00:00:00Z');
    const grants = [
      grant('newest', { createdAt: later }),
      grant('oldest'),
      grant('effective later', { effectiveAt: later }),
      grant('promotional', { isPromotional: true, effectiveAt: later }),
      grant('expires', { expiresAt: new Date('2027-01-01T00:00:00Z') }),
      grant('expires first', { expiresAt: new Date('2026-12-02T00:00:00Z') }),
      grant('first', { priority: 0, createdAt: later }),
      grant('last', { priority: 100, isPromotional: true }),
    ];
    expect(grantsFor(grants, { currency: 'usd', endsAt: END }).map(({ grantId }) => grantId)).toEqual([
      'first',
      'expires first',
      'expires',
      'promotional',
      'oldest',
      'newest',
      'effective later',
      'last',
    ]);
  });

  it('are for an invoice whose period ends while they are in effect, in its currency', () => {
    const grants = [
      grant('voided', { isVoided: true }),
      grant('euros', { currency: 'eur' }),
      grant('of the next', { effectiveAt: new Date(END.getTime() + 1) }),
      grant('of the instant', { effectiveAt: END }),
      grant('expired', { expiresAt: END }),
    ];
    expect(grantsFor(grants, { currency: 'usd', endsAt: END }).map(({ grantId }) => grantId)).toEqual([
      'of the instant',
    ]);
  });
});

it('totals are those of the stand-in, which takes its own way, whatever lines and terms', () => {
  const percent = fc.bigInt(1n, 999_999n);
  const line = fc.record({
    amount: fc.bigInt(0n, 5_000n),
    discountable: fc.boolean(),
    price: fc.constantFrom('a', 'b', null),
  });
  const world = fc.record({
    lines: fc.array(line, { minLength: 1, maxLength: 6 }),
    discounts: fc.array(fc.oneof(percent, fc.constant(null)), { maxLength: 2 }),
    taxes: fc.array(fc.record({ percent, inclusive: fc.boolean() }), { maxLength: 2 }),
    credits: fc.array(fc.record({ balance: fc.bigInt(1n, 4_000n), price: fc.constantFrom('a', 'b', null) }), {
      maxLength: 3,
    }),
    step: fc.constantFrom(1n, 10n),
    taxRounding: fc.constantFrom('line' as const, 'invoice' as const),
  });
  fc.assert(
    fc.property(world, ({ lines, discounts, taxes, credits, step, taxRounding }) => {
      const amounts = lines.map(({ amount }) => amount * step);
      const offs = discounts.map((off) => (off === null ? { amount: 500n * step } : { percent: off }));
      const rates = taxes.map((tax, index) => ({ ...tax, taxRateId: `txr_${index}` }));
      const adjusted = adjustLines(
        lines.map(
          ({ discountable, price }, index): GrossLine => ({
            amount: amounts[index] ?? 0n,
            discountable,
            productId: null,
            discountIds: [],
            meteredPriceId: price,
            taxRates: rates,
          }),
        ),
        {
          discounts: new Map(
            offs.map((off, index) => [`di_${index}`, { discountId: `di_${index}`, off, productIds: null }]),
          ),
          invoiceDiscountIds: offs.map((_, index) => `di_${index}`),
          credits: credits.map(({ balance, price }, index) => ({
            grantId: `credgr_${index}`,
            balance: balance * step,
            priceIds: price === null ? null : [price],
          })),
          taxRounding,
          step,
        },
      );
      const found = totalsOf(
        lines.map(({ discountable, price }, index) => ({
          amountMinor: amounts[index] ?? 0n,
          isDiscountable: discountable,
          creditPriceId: price,
        })),
        {
          discounts: discounts.map((off) => (off === null ? { amountMinor: 500n * step } : { percent: off })),
          taxes: rates.map((rate) => ({ percent: rate.percent, isInclusive: rate.inclusive })),
          balanceMinor: 0n,
        },
        credits.map(({ balance, price }) => ({
          leftMinor: balance * step,
          priceIds: price === null ? null : [price],
        })),
        { step, taxRounding, discountRest: 'most_lost' },
      );
      const total = (list: readonly bigint[]) => list.reduce((sum, amount) => sum + amount, 0n);
      const tax = total(
        adjusted.flatMap((one) => one.taxes.map(({ inclusive, amount }) => (inclusive ? 0n : amount))),
      );
      expect(found).toMatchObject({
        discountMinor: total(adjusted.flatMap((one) => one.discounts.map(({ amount }) => amount))),
        creditMinor: total(adjusted.flatMap((one) => one.credits.map(({ amount }) => amount))),
        taxMinor: tax,
        totalMinor: total(adjusted.map(({ net }) => net)) + tax,
      });
    }),
    { numRuns: 2_000 },
  );
});
