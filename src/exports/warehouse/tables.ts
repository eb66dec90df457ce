import { formatPico } from '../../../pricing/money.ts';
import type { DailyCostRow } from '../../costs/daily-cost-rows.ts';
import type { TableColumn } from '../../platform/parquet.ts';
import { columnsOf, DEFAULT_FOCUS_VERSION } from '../focus/columns.ts';
import { type BillingAccount, costCharge } from '../focus/cost-charges.ts';

/** A table of a warehouse: an object a day, in a folder that engines read as a partition. */
export interface WarehouseTable {
  name: string;
  file: string;
  columns: readonly TableColumn[];
  toCells(cost: DailyCostRow): readonly (string | null)[];
}

const text = (name: string, isNullable = false): TableColumn => ({ name, type: 'text', isNullable });

const DAILY_COSTS: WarehouseTable = {
  name: 'daily_costs',
  file: 'costs.parquet',
  columns: [
    { name: 'day', type: 'day', isNullable: false },
    text('kind'),
    text('customer_id', true),
    text('customer_name', true),
    text('model'),
    text('feature'),
    text('deployment'),
    text('token_type', true),
    { name: 'token_count', type: 'count', isNullable: false },
    { name: 'cost_usd', type: 'decimal', isNullable: true },
    text('cost_unknown_reason', true),
    text('price_reference', true),
    text('price_notes', true),
    text('price_book_version'),
  ],
  toCells: (cost) => [
    cost.day,
    cost.kind,
    cost.customerId,
    cost.customerName,
    cost.model,
    cost.feature,
    cost.deployment,
    cost.tokenType,
    String(cost.tokenCount),
    cost.costPicoUsd === null ? null : formatPico(cost.costPicoUsd),
    cost.reason,
    cost.priceReference,
    cost.priceNotes.length === 0 ? null : cost.priceNotes.join(' '),
    cost.priceBookVersion,
  ],
};

/** Revenue of a day is the average of its month to date: each new day would have all of the month's written again. */
const REVENUE_COLUMNS: ReadonlySet<string> = new Set(['x_Revenue', 'x_RevenueCurrency', 'x_Margin']);

/** The tables that a warehouse gets of every day. */
export function warehouseTables(account: BillingAccount): WarehouseTable[] {
  const focusColumns = columnsOf(DEFAULT_FOCUS_VERSION).filter(({ name }) => !REVENUE_COLUMNS.has(name));
  return [
    DAILY_COSTS,
    {
      name: 'focus',
      file: 'charges.parquet',
      columns: focusColumns,
      toCells(cost) {
        const charge = costCharge(cost, { account, conversions: new Map() });
        return focusColumns.map(({ name }) => charge[name] ?? null);
      },
    },
  ];
}
