import { type AccrualRow, type AccrualTotals, sumAccruals } from '../../pricing/accruals/row.ts';
import { formatMinor } from '../../pricing/money.ts';
import { unknownPercent } from '../../pricing/rating/margin.ts';
import type { CsvCells } from '../platform/csv.ts';
import type { CustomerAccruals } from './report.ts';
import {
  ACCRUAL_COLUMNS,
  type AccrualRowBody,
  type AccrualsBody,
  type AccrualTotalsBody,
} from './schemas.ts';

const orNull = (customerId: string) => (customerId === '' ? null : customerId);

export function showCustomerAccruals({
  customerId,
  rows,
}: CustomerAccruals): AccrualsBody['customers'][number] {
  return {
    customerId: orNull(customerId),
    totals: sumAccruals(rows).map(showTotals),
    rows: rows.map(showAccrualRow),
  };
}

export function showAccrualRow(row: AccrualRow): AccrualRowBody {
  const amount = (minor: bigint | null) =>
    minor === null || row.currency === null ? null : formatMinor(minor, row.currency);
  return {
    customerId: orNull(row.customerId),
    currency: row.currency,
    kind: row.kind,
    place: row.place,
    reason: row.reason,
    accrued: row.isAccrued,
    invoiceId: row.invoice?.invoiceId ?? null,
    invoiceNumber: row.invoice?.number ?? null,
    finalizedAt: row.invoice?.finalizedAt?.toISOString() ?? null,
    subscriptionId: row.subscriptionId,
    description: row.description,
    stripeMeterId: row.stripeMeterId,
    periodStart: row.period?.start.toISOString() ?? null,
    periodEnd: row.period?.end.toISOString() ?? null,
    tokenCount: String(row.tokenCount),
    earnedTokenCount: String(row.earnedTokenCount),
    amount: amount(row.amountMinor),
    earnedAmount: amount(row.earnedAmountMinor),
    unvalued: row.unvaluedReason,
  };
}

/** A row as cells, in the order of the columns. */
export function accrualCells(row: AccrualRowBody): CsvCells {
  return ACCRUAL_COLUMNS.map((column) => {
    const value = row[column];
    return typeof value === 'boolean' ? String(value) : value;
  });
}

function showTotals(totals: AccrualTotals): AccrualTotalsBody {
  const { currency } = totals;
  const amount = (minor: bigint | null) =>
    currency === null || minor === null ? null : formatMinor(minor, currency);
  return {
    currency,
    earnedTokenCount: String(totals.earnedTokenCount),
    earned: amount(totals.earnedAmountMinor),
    unvaluedTokenCount: String(totals.unvaluedTokenCount),
    unvaluedPercent: unknownPercent(
      totals.earnedTokenCount,
      totals.earnedTokenCount - totals.unvaluedTokenCount,
    ),
    invoiced: amount(totals.invoicedAmountMinor),
    fixed: amount(totals.fixedAmountMinor),
    accruedTokenCount: String(totals.accruedTokenCount),
    accrued: amount(totals.accruedAmountMinor),
    undecidedTokenCount: String(totals.undecidedTokenCount),
    undecided: amount(totals.undecidedAmountMinor),
    quarantinedTokenCount: String(totals.quarantinedTokenCount),
  };
}
