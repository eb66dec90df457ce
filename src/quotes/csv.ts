import type { CsvTable } from '../platform/csv.ts';
import type { StoredQuoteBody } from './schemas.ts';

const COLUMNS = [
  'quoteId',
  'kind',
  'description',
  'model',
  'feature',
  'deployment',
  'deploymentType',
  'region',
  'serviceTier',
  'requestInputTokenCount',
  'tokenType',
  'tokenCount',
  'costCurrency',
  'costPerMillionTokens',
  'cost',
  'costReason',
  'currency',
  'price',
  'priceReason',
  'margin',
  'marginPercent',
  'notes',
] as const;

type Row = Partial<Record<(typeof COLUMNS)[number], string | null>>;

/**
 * A quote as a table: its lines (`line`), the lines of the invoice (`invoice_line`, `minimum`), and the sums of each
 * (`total`, `invoice_total`). An amount that is not known is empty, and its reason beside it says why.
 */
export function quoteTable(quote: StoredQuoteBody): CsvTable {
  const { quoteId, currency, costCurrency, totals } = quote;
  const rows: Row[] = [
    ...quote.lines.map((line) => ({
      kind: 'line',
      model: line.model,
      feature: line.feature,
      deployment: line.deployment,
      deploymentType: line.deploymentType,
      region: line.region,
      serviceTier: line.serviceTier ?? null,
      requestInputTokenCount: line.requestInputTokenCount ?? null,
      tokenType: line.tokenType,
      tokenCount: line.tokenCount,
      costPerMillionTokens: line.costPerMillionTokens,
      ...figures(line),
      notes: line.notes.join(' '),
    })),
    { kind: 'total', tokenCount: totals.tokenCount, ...figures(totals) },
    ...quote.invoiceLines.map((line) => ({
      kind: 'invoice_line',
      description: line.description,
      model: line.model,
      feature: line.feature,
      tokenType: line.tokenType,
      tokenCount: line.quantity,
      price: line.amount,
    })),
    { kind: 'minimum', description: 'Top-up to the minimum', price: quote.minimumTopUp.added },
    { kind: 'invoice_total', price: totals.invoiceAmount.amount, priceReason: totals.invoiceAmount.reason },
  ];
  return {
    columns: COLUMNS,
    rows: rows.map((row) => {
      const cells: Row = { quoteId, currency, costCurrency, ...row };
      return COLUMNS.map((column) => cells[column] ?? null);
    }),
  };
}

function figures({
  cost,
  price,
  margin,
  marginPercent,
}: StoredQuoteBody['totals'] | StoredQuoteBody['lines'][number]) {
  return {
    cost: cost.amount,
    costReason: cost.reason,
    price: price.amount,
    priceReason: price.reason,
    margin: margin.amount,
    marginPercent: marginPercent.amount,
  };
}
