import { expect, it } from 'vitest';
import type { ClosingInvoice, ClosingInvoiceLine } from '../../src/stripe/closing/port.ts';
import { compare, type Period, topUpOf } from '../pricing/generated/certify.ts';
import type { Customer } from '../pricing/generated/customer.ts';

const START = new Date('2026-10-01T00:00:00Z');
const END = new Date('2026-11-01T00:00:00Z');
const PRICE = { kind: 'per_unit', unitAmountDecimal: '1' } as const;
const KEY = { model: 'gpt-4o', feature: '*', tokenType: 'prompt' } as const;
const TIERS = [{ upTo: null, unitPico: 10n ** 12n, flatMinor: null }];
const ITEM = {
  spec: { ...KEY, kind: 'per_unit', tiers: TIERS, includedTokens: null, package: null },
  rate: { ...KEY, price: PRICE },
  itemId: 'si_1',
  priceId: 'price_1',
  meterId: 'mtr_1',
  eventName: 'prompt',
} as const;
const CUSTOMER: Customer = {
  customerId: 'cus_1',
  subscriptionId: 'sub_1',
  plan: { currency: 'kwd', rates: [ITEM.spec], minimumMinor: 2_000n },
  minimumMinor: 2_000n,
  items: [ITEM as unknown as Customer['items'][number]],
  storage: null,
  terms: { off: 0n, tax: 0n, grants: [], balanceMinor: 0n },
  trialEndsAt: null,
};
const [item] = CUSTOMER.items as [Customer['items'][number]];
const PERIOD: Period = {
  invoiceId: 'in_1',
  start: START,
  end: END,
  late: null,
  segments: [
    { ...item, start: START, end: END, used: 1_005n, isLeft: false, isForgone: false, isTrial: false },
  ],
};

/** A draft with one line of 1,005 tokens at a thousandth, of which it shows so many. */
function draft(quantity: bigint, amountMinor: bigint): ClosingInvoice {
  const line: Partial<ClosingInvoiceLine> = {
    lineId: 'il_1',
    subscriptionItemId: 'si_1',
    priceId: 'price_1',
    quantity,
    unitAmountDecimal: '1',
    amountMinor,
    periodStart: START,
    periodEnd: END,
    invoiceItemId: null,
    metadata: {},
  };
  const invoice = { currency: 'kwd', status: 'draft', subscriptionId: 'sub_1', totalMinor: amountMinor };
  return { ...invoice, lines: [line] } as unknown as ClosingInvoice;
}

it.each([
  ['nothing: what can be charged, 1.010', draft(0n, 0n), 990n],
  ['4 tokens at nothing: rounded to what can be charged', draft(4n, 0n), 990n],
  ['4 tokens at 4 thousandths: rounded to the thousandth', draft(4n, 4n), 1_000n],
])(
  'a draft in dinars is topped up by the lines that it will have, where it shows %s',
  (_, invoice, amount) => {
    expect(topUpOf(compare(CUSTOMER, PERIOD, invoice))?.amount).toBe(amount);
  },
);
