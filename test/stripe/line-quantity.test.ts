import type Stripe from 'stripe';
import { expect, it } from 'vitest';
import { readMeteredLines, toInvoiceLine } from '../../src/stripe/invoices.ts';

const MADE_AT = 1_790_000_000;

function line(quantity: number | null, decimal: string | null): Stripe.InvoiceLineItem {
  return {
    id: 'il_1',
    amount: 100,
    description: 'GPT-4o',
    metadata: {},
    parent: { subscription_item_details: { subscription_item: 'si_1' }, invoice_item_details: null },
    period: { start: MADE_AT - 1_000, end: MADE_AT },
    pricing: { price_details: { price: 'price_1' }, unit_amount_decimal: null },
    quantity,
    quantity_decimal: decimal === null ? null : { toString: () => decimal },
  } as unknown as Stripe.InvoiceLineItem;
}

it.each([
  ['none at all', null, null, null],
  ['a whole number', 12, '12', 12n],
  ['a whole number with a point', 12, '12.000', 12n],
  ['more than a number holds exactly', 9_007_199_254_740_992, '9007199254740993', 9_007_199_254_740_993n],
  ['an older answer, without a decimal', 7, null, 7n],
  // The integer beside it is cut off, and would be believed.
  ['a fraction', 12, '12.5', null],
])('a line with %s', (_, quantity, decimal, expected) => {
  const given = line(quantity, decimal);
  expect(toInvoiceLine(given).quantity).toBe(expected);
  const metered = readMeteredLines({ created: MADE_AT }, [given], new Set(['si_1']));
  expect(metered.map((one) => one.quantity)).toEqual(expected === null ? [] : [expected]);
});
