import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PreviewStripeLine } from '../../pricing/previews/counted-lines.ts';
import { mergePreview, type PreviewItem, type PreviewUsage } from '../../pricing/previews/preview.ts';
import { amountMinor } from '../../pricing/rating/rating.ts';

const item: PreviewItem = {
  subscriptionItemId: 'si_1',
  priceId: 'price_1',
  description: 'GPT-4o prompt',
  price: { kind: 'per_unit', unitAmountDecimal: '0.0003' },
  meterId: 'mtr_1',
};
const unrateable: PreviewItem = { ...item, price: null };
const graduated: PreviewItem = {
  ...item,
  price: {
    kind: 'tiered',
    mode: 'graduated',
    tiers: [
      { upTo: 100n, unitAmountDecimal: '0', flatAmountDecimal: '1900' },
      { upTo: null, unitAmountDecimal: '0.3', flatAmountDecimal: null },
    ],
  },
};

const stripeLine = (quantity: bigint, more: Partial<PreviewStripeLine> = {}): PreviewStripeLine => ({
  description: `${quantity} x`,
  subscriptionItemId: 'si_1',
  priceId: 'price_1',
  quantity,
  amountMinor: amountMinor(quantity, '0.0003'),
  unitAmountDecimal: '0.0003',
  ...more,
});

const used = (tokenCount: bigint, feature = 'chat', undelivered = 0n): PreviewUsage => ({
  meterId: 'mtr_1',
  model: 'gpt-4o',
  feature,
  tokenCount,
  undeliveredTokenCount: undelivered,
});

const only = (input: Parameters<typeof mergePreview>[0]) => {
  const lines = mergePreview(input);
  expect(lines).toHaveLength(1);
  return lines[0];
};

describe('a merged preview line', () => {
  it('adds what the ledger has and Stripe does not count yet', () => {
    const line = only({
      items: [item],
      stripeLines: [stripeLine(600_000n)],
      usage: [used(1_000_000n, 'chat', 150_000n)],
    });
    expect(line).toMatchObject({
      quantity: 1_000_000n,
      countedByStripe: 600_000n,
      notYetCounted: 400_000n,
      undelivered: 150_000n,
      amountMinor: 300n,
      stripeAmountMinor: 180n,
    });
  });

  it('never takes away what Stripe counts; the surplus is shown as unknown to the ledger', () => {
    const line = only({ items: [item], stripeLines: [stripeLine(500n)], usage: [used(400n)] });
    expect(line).toMatchObject({ quantity: 500n, notYetCounted: 0n });
    expect(line?.parts).toMatchObject([
      { feature: 'chat', quantity: 400n },
      { feature: null, model: null, quantity: 100n },
    ]);
  });

  it('speaks from the ledger alone when Stripe is silent', () => {
    const line = only({ items: [item], stripeLines: null, usage: [used(1_000_000n)] });
    expect(line).toMatchObject({
      quantity: 1_000_000n,
      countedByStripe: null,
      amountMinor: 300n,
      stripeAmountMinor: null,
    });
  });

  it('rates tiers itself, also what Stripe does not count yet', () => {
    const lines = [
      stripeLine(100n, { unitAmountDecimal: '0', amountMinor: 0n }),
      stripeLine(0n, { unitAmountDecimal: null, amountMinor: 1_900n }),
      stripeLine(5n, { unitAmountDecimal: '0.3', amountMinor: 2n }),
    ];
    expect(only({ items: [graduated], stripeLines: lines, usage: [used(107n)] })).toMatchObject({
      quantity: 107n,
      countedByStripe: 105n,
      amountMinor: 1_902n,
      stripeAmountMinor: 1_902n,
      equalsStripe: true,
      ratedLines: [
        { quantity: 100n, amountMinor: 1_900n },
        { quantity: 7n, amountMinor: 2n },
      ],
    });
  });

  it('says when Stripe rates what it counts otherwise', () => {
    const line = only({ items: [item], stripeLines: [stripeLine(600n, { amountMinor: 7n })], usage: [] });
    expect(line).toMatchObject({ equalsStripe: false, stripeAmountMinor: 7n });
  });

  it('takes Stripe’s amount for a price it cannot rate, and has none while usage is missing there', () => {
    const counted = [stripeLine(150n, { unitAmountDecimal: null, amountMinor: 6n })];
    expect(only({ items: [unrateable], stripeLines: counted, usage: [used(150n)] })).toMatchObject({
      quantity: 150n,
      amountMinor: 6n,
      unpricedReason: null,
      equalsStripe: null,
    });
    expect(only({ items: [unrateable], stripeLines: counted, usage: [used(151n)] })).toMatchObject({
      quantity: 151n,
      amountMinor: null,
      unpricedReason: 'price_not_rateable',
      stripeAmountMinor: 6n,
    });
  });

  it('does not rate by a price that Stripe has replaced since the catalog was read', () => {
    const lines = [stripeLine(10n, { priceId: 'price_2' })];
    expect(only({ items: [item], stripeLines: lines, usage: [used(11n)] })).toMatchObject({
      amountMinor: null,
      unpricedReason: 'price_changed_since_sync',
    });
    expect(only({ items: [item], stripeLines: lines, usage: [used(10n)] })).toMatchObject({
      amountMinor: 0n,
      stripeAmountMinor: 0n,
    });
  });

  it('passes on what is not metered', () => {
    const fee = stripeLine(1n, {
      subscriptionItemId: null,
      description: 'Platform fee',
      amountMinor: 4_900n,
    });
    const lines = mergePreview({ items: [item], stripeLines: [fee], usage: [] });
    expect(lines.map((line) => [line.description, line.quantity, line.amountMinor])).toEqual([
      ['GPT-4o prompt', 0n, 0n],
      ['Platform fee', 1n, 4_900n],
    ]);
  });

  it('shows no split when corrections leave a part below zero', () => {
    const line = only({ items: [item], stripeLines: null, usage: [used(10n), used(-4n, 'search')] });
    expect(line?.parts).toEqual([{ model: null, feature: null, quantity: 6n, amountMinor: 0n }]);
  });

  it('splits so that parts sum exactly to the line, and never falls below Stripe or the ledger', () => {
    const count = fc.bigInt({ min: 0n, max: 10n ** 12n });
    fc.assert(
      fc.property(fc.array(count, { maxLength: 8 }), fc.option(count), (counts, counted) => {
        const line = only({
          items: [item],
          stripeLines: counted === null ? null : [stripeLine(counted)],
          usage: counts.map((tokenCount, index) => used(tokenCount, `feature-${index}`)),
        });
        const ledgerTotal = counts.reduce((sum, tokens) => sum + tokens, 0n);
        const quantity = line?.quantity ?? -1n;
        expect(quantity).toBe((counted ?? 0n) > ledgerTotal ? (counted ?? 0n) : ledgerTotal);
        expect(line?.parts.reduce((sum, part) => sum + part.quantity, 0n)).toBe(quantity);
        expect(line?.parts.reduce((sum, part) => sum + (part.amountMinor ?? 0n), 0n)).toBe(line?.amountMinor);
        expect(line?.amountMinor).toBe(amountMinor(quantity, '0.0003'));
      }),
    );
  });
});
