import { type PeriodCharge, type PeriodMinimum, type TopUp, topUpsOf } from './minimum.ts';

export interface InvoiceCharge extends PeriodCharge {
  /** Whether it was used in the period that the invoice ends: only then it counts towards its minimums. */
  isOfPeriod: boolean;
}

/** What an invoice comes to before discounts, credits and tax. */
export interface NextInvoice<Minimum extends PeriodMinimum> {
  topUps: TopUp<Minimum>[];
  /** Of all charges and top-ups, in minor units; null while one is unknown. */
  subtotalMinor: bigint | null;
}

/**
 * What the charges of a period become on its invoice: the one function behind previews, quotes, simulations and the close.
 * @param elsewhere charged within the period by other invoices: it counts towards the minimums and is not on this one
 */
export function nextInvoice<Minimum extends PeriodMinimum>(input: {
  charges: readonly InvoiceCharge[];
  elsewhere?: readonly PeriodCharge[];
  minimums: readonly Minimum[];
  currency: string;
}): NextInvoice<Minimum> {
  const { charges, elsewhere = [], minimums, currency } = input;
  const counted = charges.filter(({ isOfPeriod }) => isOfPeriod);
  const topUps = topUpsOf(minimums, [...counted, ...elsewhere], currency);
  const amounts = [
    ...charges.map(({ amountMinor }) => amountMinor),
    ...topUps.map(({ topUpMinor }) => topUpMinor),
  ];
  return {
    topUps,
    subtotalMinor: amounts.reduce<bigint | null>(
      (total, amount) => (total === null || amount === null ? null : total + amount),
      0n,
    ),
  };
}
