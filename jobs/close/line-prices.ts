import { areLinesInSteps } from '../../pricing/invoices/line-steps.ts';
import { type BilledBefore, isChargedForAll } from '../../pricing/rating/rate-further.ts';
import { FREE } from '../../pricing/rating/rate-price.ts';
import type { ClosingItem } from '../../src/closing/evidence.ts';
import type { ClosingInvoiceLine } from '../../src/stripe/closing/port.ts';

/** The lines of one metered item at one price in one service period. */
export interface LineGroup {
  /** As it was at the price of the lines, where the ledger knows that. */
  item: ClosingItem;
  /** Invoice items that Stripe made when the item left this price: they stand still. */
  isLeft: boolean;
  /** What instalments have billed at this price within the period; it begins with them. */
  earlier: BilledBefore | null;
  periodStart: Date;
  periodEnd: Date;
  lines: ClosingInvoiceLine[];
}

/** A flat amount of a tier: a line without tokens and without a price for one. */
export function isFlat(line: ClosingInvoiceLine): boolean {
  return line.unitAmountDecimal === null;
}

export function quantityOf(lines: readonly ClosingInvoiceLine[]): bigint {
  return lines.reduce((sum, line) => sum + (isFlat(line) ? 0n : (line.quantity ?? 0n)), 0n);
}

export function sumOf(lines: readonly ClosingInvoiceLine[]): bigint {
  return lines.reduce((sum, line) => sum + line.amountMinor, 0n);
}

/** Whether an invoice's lines are rounded to what can be charged in the currency. */
export function chargesInSteps(groups: readonly LineGroup[], currency: string): boolean {
  return areLinesInSteps(
    groups.map((group) => ({
      price: priceOf(group),
      // A price by volume shows all.
      quantity:
        quantityOf(group.lines) + (isChargedForAll(priceOf(group)) ? 0n : (group.earlier?.tokenCount ?? 0n)),
      chargedMinor: sumOf(group.lines),
      before: group.earlier,
    })),
    currency,
  );
}

export function priceOf({ item, lines, periodEnd }: LineGroup) {
  if (item.trialEndsAt !== null && periodEnd <= item.trialEndsAt) return FREE;
  const isItsPrice = lines.every((line) => line.priceId === null || line.priceId === item.priceId);
  return isItsPrice ? item.price : priceOfLines(lines);
}

/** One line with a price for a token was charged by exactly that; tiers of an earlier price are not known. */
function priceOfLines(lines: readonly ClosingInvoiceLine[]) {
  const [line, ...further] = lines;
  if (line === undefined || line.unitAmountDecimal === null || further.length > 0) return null;
  return { kind: 'per_unit' as const, unitAmountDecimal: line.unitAmountDecimal };
}
