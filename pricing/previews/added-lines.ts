import { speakMinimum } from '../closing/words.ts';
import type { NamedMinimum, PeriodCharge } from '../invoices/minimum.ts';
import { type InvoiceCharge, nextInvoice } from '../invoices/next-invoice.ts';
import { formatMinor } from '../money.ts';
import type { PreviewLine } from './preview.ts';

/** Usage that missed its own invoice, as the next one charges it. */
interface PreviewLate {
  description: string;
  stripeMeterId: string;
  period: { start: Date; end: Date };
  tokenCount: bigint;
  unitAmountDecimal: string | null;
  amountMinor: bigint;
}

/** What an invoice has beside the usage of its period, or compares with it. */
export interface PreviewBeside {
  late: readonly PreviewLate[];
  minimums: readonly NamedMinimum[];
  /** Charged within the period by other invoices. */
  elsewhere: readonly PeriodCharge[];
}

const NOT_METERED = {
  subscriptionItemId: null,
  priceId: null,
  price: null,
  countedByStripe: null,
  notYetCounted: null,
  undelivered: null,
  ratedLines: [],
  stripeAmountMinor: null,
  equalsStripe: null,
  parts: [],
};

/** The lines with those that the close adds: late usage, and what is lacking of minimums. */
export function addLines(
  lines: readonly PreviewLine[],
  { late, minimums, elsewhere }: PreviewBeside,
  { period, currency }: { period: { start: Date; end: Date }; currency: string },
): PreviewLine[] {
  const withLate = [...lines, ...late.map(lateLine)];
  const { topUps } = nextInvoice({
    charges: withLate.map((line) => chargeOf(line, period)),
    elsewhere,
    minimums,
    currency,
  });
  const added = topUps.filter(({ topUpMinor }) => topUpMinor !== 0n);
  return [
    ...withLate,
    ...added.map(({ minimum, topUpMinor }): PreviewLine => {
      const amount = `${formatMinor(minimum.minimumMinor, currency)} ${currency.toUpperCase()}`;
      return {
        ...NOT_METERED,
        kind: 'minimum_top_up',
        meterId: null,
        description: speakMinimum({ planName: minimum.planName, amount }),
        quantity: null,
        amountMinor: topUpMinor,
        unpricedReason: topUpMinor === null ? 'usage_unpriced' : null,
      };
    }),
  ];
}

function lateLine({ description, stripeMeterId, period, tokenCount, amountMinor }: PreviewLate): PreviewLine {
  return {
    ...NOT_METERED,
    kind: 'late_usage',
    meterId: stripeMeterId,
    description,
    quantity: tokenCount,
    amountMinor,
    unpricedReason: null,
    usedIn: period,
  };
}

/** What a line is in the words of the invoice. */
export function chargeOf(
  { kind, meterId, amountMinor, usedIn }: PreviewLine,
  period: { start: Date; end: Date },
): InvoiceCharge {
  return {
    meterId,
    amountMinor,
    isOfPeriod: kind !== 'late_usage' || (usedIn !== undefined && isWithin(usedIn.start, period)),
  };
}

function isWithin(instant: Date, { start, end }: { start: Date; end: Date }): boolean {
  return instant >= start && instant < end;
}
