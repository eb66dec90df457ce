import { describe, expect, it } from 'vitest';
import { chargeLateUsage, type LateUsage } from '../../pricing/invoices/late-usage.ts';
import { type InvoiceCharge, nextInvoice } from '../../pricing/invoices/next-invoice.ts';
import { addLines } from '../../pricing/previews/added-lines.ts';
import type { PreviewLine } from '../../pricing/previews/preview.ts';
import { projectTotal } from '../../pricing/previews/projected-total.ts';

const PERIOD = { start: new Date('2026-11-01T00:00:00Z'), end: new Date('2026-12-01T00:00:00Z') };
const range = (expected: bigint, p10: bigint, p50: bigint, p90: bigint) => ({ expected, p10, p50, p90 });

const charge = (meterId: string | null, amountMinor: bigint | null, more: Partial<InvoiceCharge> = {}) => ({
  meterId,
  amountMinor,
  isOfPeriod: true,
  ...more,
});

describe('the next invoice', () => {
  const minimums = [{ minimumMinor: 50_000n, meterIds: ['a', 'b'] }];

  it('is topped up by what the charges of the plan lack: no fees, no usage of other periods or meters', () => {
    const { topUps, subtotalMinor } = nextInvoice({
      charges: [
        charge('a', 1_000n),
        charge('b', 200n),
        charge('c', 7n),
        charge(null, 4_900n),
        charge('a', 18_000n, { isOfPeriod: false }),
      ],
      elsewhere: [{ meterId: 'a', amountMinor: 800n }],
      minimums,
      currency: 'usd',
    });
    expect(topUps).toMatchObject([{ chargedMinor: 2_000n, topUpMinor: 48_000n }]);
    expect(subtotalMinor).toBe(1_000n + 200n + 7n + 4_900n + 18_000n + 48_000n);
  });

  it('does not say what is lacking while a charge is unknown, unless nothing can be', () => {
    const unknown = nextInvoice({ charges: [charge('a', null)], minimums, currency: 'usd' });
    expect([unknown.topUps[0]?.topUpMinor, unknown.subtotalMinor]).toEqual([null, null]);
    const reached = nextInvoice({
      charges: [charge('a', null), charge('b', 50_000n)],
      minimums,
      currency: 'usd',
    });
    expect([reached.topUps[0]?.topUpMinor, reached.subtotalMinor]).toEqual([0n, null]);
  });

  it('adds what can be charged: of dinars a multiple of ten', () => {
    const { topUps } = nextInvoice({ charges: [charge('a', 3n)], minimums, currency: 'kwd' });
    expect(topUps[0]?.topUpMinor).toBe(50_000n);
  });
});

describe('late usage', () => {
  const late = (meterId: string, tokenCount: bigint, more: Partial<LateUsage> = {}): LateUsage => ({
    stripeMeterId: meterId,
    missedInvoiceId: 'in_1',
    tokenCount,
    currency: 'usd',
    price: { kind: 'per_unit', unitAmountDecimal: '1' },
    billedQuantity: 0n,
    subscriptionIds: ['sub_1'],
    ...more,
  });
  const next = [{ subscriptionId: 'sub_1', currency: 'usd' }];

  it('uses up what the missed invoice was topped up by, over all meters of the plan', () => {
    const charged = chargeLateUsage([late('a', 300n), late('b', 500n), late('c', 40n)], next, [
      { invoiceId: 'in_1', stripeMeterIds: ['a', 'b'], leftMinor: 700n },
    ]);
    expect(charged.map(({ charge: one }) => [one.amountMinor, one.absorbedMinor])).toEqual([
      [0n, 300n],
      [100n, 400n],
      [40n, 0n],
    ]);
  });

  it('waits for the invoice of its own subscription and currency, and goes to the first of those', () => {
    const invoices = [
      { subscriptionId: 'sub_2', currency: 'usd' },
      { subscriptionId: 'sub_1', currency: 'eur' },
      ...next,
    ];
    const charged = chargeLateUsage(
      [late('a', 3n), late('b', 4n, { subscriptionIds: [] }), late('c', 5n, { subscriptionIds: ['sub_3'] })],
      invoices,
      [],
    );
    expect(charged.map(({ usage, invoice }) => [usage.stripeMeterId, invoice])).toEqual([
      ['a', invoices[2]],
      ['b', invoices[0]],
    ]);
  });

  it('is nothing where corrections outweigh it, or nobody knows its price', () => {
    expect(chargeLateUsage([late('a', -3n), late('b', 3n, { price: null })], next, [])).toEqual([]);
  });
});

describe('the projected total of a subscription with a minimum', () => {
  const line = (id: string, amountMinor: bigint): PreviewLine => ({
    kind: 'usage',
    meterId: id,
    subscriptionItemId: id,
    priceId: null,
    description: id,
    price: null,
    quantity: 0n,
    countedByStripe: null,
    notYetCounted: null,
    undelivered: null,
    ratedLines: [],
    amountMinor,
    unpricedReason: null,
    stripeAmountMinor: null,
    equalsStripe: null,
    parts: [],
  });
  const projected = (id: string, expected: bigint) =>
    [id, { itemId: id, quantity: null, amountMinor: range(expected, expected, expected, expected) }] as const;

  it('is never below the minimum, and has no top-up where usage will reach it', () => {
    const minimums = [{ planName: 'Scale', minimumMinor: 50_000n, meterIds: ['a'] }];
    const beside = { late: [], minimums, elsewhere: [] };
    const lines = addLines([line('a', 1_200n)], beside, { period: PERIOD, currency: 'usd' });
    expect(lines.map(({ kind, amountMinor }) => [kind, amountMinor])).toEqual([
      ['usage', 1_200n],
      ['minimum_top_up', 48_800n],
    ]);
    const total = projectTotal(
      range(52_000n, 40_000n, 49_000n, 70_000n),
      new Map([projected('a', 52_000n)]),
      {
        lines,
        ...beside,
        period: PERIOD,
        currency: 'usd',
      },
    );
    expect(total).toEqual(range(52_000n, 50_000n, 50_000n, 70_000n));
  });

  it('compares one minimum of several with what is expected of its own lines', () => {
    const minimums = [{ planName: 'Scale', minimumMinor: 50_000n, meterIds: ['a'] }];
    const total = projectTotal(
      range(60_000n, 50_000n, 60_000n, 70_000n),
      new Map([projected('a', 20_000n), projected('b', 40_000n)]),
      { lines: [line('a', 1n), line('b', 1n)], minimums, elsewhere: [], period: PERIOD, currency: 'usd' },
    );
    expect(total).toEqual(range(90_000n, 80_000n, 90_000n, 100_000n));
  });
});
