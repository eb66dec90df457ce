import type { CsvTable } from '../platform/csv.ts';
import type { InvoicePreviewBody, SubscriptionPreviewBody } from './schemas.ts';

const COLUMNS = [
  'customerId',
  'subscriptionId',
  'periodStart',
  'periodEnd',
  'currency',
  'line',
  'priceId',
  'priceSource',
  'priceKind',
  'priceReadAt',
  'tier',
  'quantity',
  'unitAmountDecimal',
  'flatAmount',
  'amount',
  'reason',
  'countedByStripe',
  'notYetCounted',
  'stripeAnswered',
  'stripeAsOf',
  'ledgerAsOf',
  'collectedThrough',
  'rounding',
  'projectedQuantityExpected',
  'projectedQuantityP50',
  'projectedAmountExpected',
  'projectedAmountP10',
  'projectedAmountP50',
  'projectedAmountP90',
  'kind',
] as const;

type Row = Record<(typeof COLUMNS)[number], string | null>;
type Line = SubscriptionPreviewBody['lines'][number];

/**
 * A preview as a table: a row for each tier line, so that the amounts add up to the total. What belongs to a line as a
 * whole is on its first row alone.
 */
export function previewTable(preview: InvoicePreviewBody): CsvTable {
  const rows = preview.subscriptions.flatMap((subscription) =>
    subscription.lines.flatMap((line) => rowsOf(preview.customerId, subscription, line)),
  );
  return { columns: COLUMNS, rows: rows.map((row) => COLUMNS.map((column) => row[column])) };
}

function rowsOf(customerId: string, subscription: SubscriptionPreviewBody, line: Line): Row[] {
  const { stripe, ledger } = subscription;
  const common = {
    customerId,
    subscriptionId: subscription.subscriptionId,
    periodStart: subscription.periodStart,
    periodEnd: subscription.periodEnd,
    currency: subscription.currency,
    line: line.description,
    priceId: line.priceId,
    priceSource: line.price.source,
    priceKind: line.price.kind,
    priceReadAt: line.price.readAt,
    stripeAnswered: String(stripe.answered),
    stripeAsOf: stripe.asOf,
    ledgerAsOf: ledger.asOf,
    collectedThrough: ledger.collectedThrough,
    rounding: subscription.rounding,
    kind: line.kind,
  };
  const whole = {
    reason: line.reason,
    countedByStripe: line.countedByStripe,
    notYetCounted: line.notYetCounted,
    projectedQuantityExpected: line.projected?.quantity?.expected ?? null,
    projectedQuantityP50: line.projected?.quantity?.p50 ?? null,
    projectedAmountExpected: line.projected?.amount?.expected ?? null,
    projectedAmountP10: line.projected?.amount?.p10 ?? null,
    projectedAmountP50: line.projected?.amount?.p50 ?? null,
    projectedAmountP90: line.projected?.amount?.p90 ?? null,
  };
  const nothing = Object.fromEntries(Object.keys(whole).map((name) => [name, null])) as {
    [Name in keyof typeof whole]: null;
  };
  if (line.tiers.length === 0) {
    const { quantity, unitAmountDecimal, amount } = line;
    return [{ ...common, ...whole, tier: null, quantity, unitAmountDecimal, flatAmount: null, amount }];
  }
  return line.tiers.map((tier, index) => ({
    ...common,
    ...(index === 0 ? whole : nothing),
    tier: tier.tier === null ? null : String(tier.tier),
    quantity: tier.quantity,
    unitAmountDecimal: tier.unitAmountDecimal,
    flatAmount: tier.flatAmount,
    amount: tier.amount,
  }));
}
