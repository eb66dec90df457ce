import type { CsvTable } from '../platform/csv.ts';
import type { StatementBody, StatementBreakdownBody } from './schemas.ts';

const COLUMNS = [
  'invoiceId',
  'number',
  'status',
  'customerId',
  'section',
  'name',
  'kind',
  'tokenCount',
  'unitAmountDecimal',
  'amount',
  'currency',
  'periodStart',
  'periodEnd',
  'lineId',
  'dataAsOf',
] as const;

type Row = Partial<Record<(typeof COLUMNS)[number], string | null>>;

/**
 * Statements as one table. `section` says what a row is: a line of the invoice (`line`), a row of a breakdown (`day`,
 * `model`, `feature`, `user`: every user), what no usage explains (`rest`), or a sum. The rows of each breakdown, with its
 * rest, sum to the usage lines.
 */
export function statementTable(statements: readonly StatementBody[]): CsvTable {
  return {
    columns: COLUMNS,
    rows: statements.flatMap((statement) => {
      const { invoiceId, number, status, customerId, currency, dataAsOf } = statement;
      const common = { invoiceId, number, status, customerId, currency, dataAsOf };
      return rowsOf(statement).map((row) => {
        const cells: Row = { ...common, ...row };
        return COLUMNS.map((column) => cells[column] ?? null);
      });
    }),
  };
}

function rowsOf(statement: StatementBody): Row[] {
  const { lines, totals, periodStart, periodEnd } = statement;
  return [
    ...lines.map((line) => ({
      section: 'line',
      name: line.name,
      kind: line.kind,
      tokenCount: line.quantity,
      unitAmountDecimal: line.unitAmountDecimal,
      amount: line.amount,
      periodStart: line.periodStart,
      periodEnd: line.periodEnd,
      lineId: line.lineId,
    })),
    { section: 'total', kind: 'lines', amount: totals.lineAmount },
    { section: 'total', kind: 'discounts_credits_taxes', amount: totals.adjustmentAmount },
    { section: 'total', kind: 'invoice', amount: totals.amount, periodStart, periodEnd },
    ...breakdownRows('day', statement.byDay),
    ...breakdownRows('model', statement.byModel),
    ...breakdownRows('feature', statement.byFeature),
    ...breakdownRows('user', statement.byUser),
    ...statement.missed.map((missed) => ({
      section: 'missed',
      name: missed.name,
      kind: missed.billedOnInvoiceId === null ? 'waits_for_next_invoice' : 'on_later_invoice',
      tokenCount: missed.tokenCount,
      periodStart: missed.usedFrom,
      periodEnd: missed.usedTo,
      lineId: missed.billedOnInvoiceId,
    })),
  ];
}

function breakdownRows(section: string, { rows, rest, total }: StatementBreakdownBody): Row[] {
  return [
    ...rows.map((row) => ({ section, ...row })),
    ...(rest === null ? [] : [{ section, kind: 'rest', ...rest }]),
    { section, kind: 'total', ...total },
  ];
}
