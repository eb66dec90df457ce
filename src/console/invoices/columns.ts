import { html } from 'hono/html';
import { formatMinor } from '../../../pricing/money.ts';
import { speakProduct } from '../../../pricing/usage/words.ts';
import { hasScope } from '../../identity/require-scope.ts';
import type { Html } from '../../pages/html.ts';
import { ageInWords } from '../../pages/numbers.ts';
import type { Column } from '../../pages/table/columns.ts';
import { countColumn } from '../../pages/table/made-columns.ts';
import { nameCell } from '../../pages/texts.ts';
import type { ConsoleView } from '../frame/define-page.ts';
import { minorCell, periodInWords } from './words.ts';

/** By its id: where only that is known. */
export const CUSTOMER: Column<{ customerId: string }> = {
  name: 'customer',
  title: 'Customer',
  kind: 'text',
  cell: ({ customerId }) => nameCell(customerId, 40),
  csv: ({ customerId }) => customerId,
  sortBy: ({ customerId }) => customerId,
};

export const PRODUCT: Column<{ productName: string }> = {
  name: 'product',
  title: 'Product',
  kind: 'text',
  cell: ({ productName }) => nameCell(speakProduct(productName), 60),
  csv: ({ productName }) => productName,
};

export const TOKENS = countColumn('tokens', 'Tokens', ({ tokenCount }: { tokenCount: bigint }) => tokenCount);

export const AMOUNT: Column<{ amountMinor: bigint; currency: string }> = {
  name: 'amount',
  title: 'Amount',
  kind: 'number',
  cell: ({ amountMinor, currency }) => minorCell(amountMinor, currency),
  csv: ({ amountMinor, currency }) => formatMinor(amountMinor, currency),
  sortBy: ({ amountMinor }) => amountMinor,
};

export function periodColumn(title: string): Column<{ periodStart: Date; periodEnd: Date }> {
  return {
    name: 'period',
    title,
    kind: 'text',
    cell: ({ periodStart, periodEnd }) => periodInWords({ periodStart, periodEnd }),
    csv: ({ periodStart, periodEnd }) => `${periodStart.toISOString()}/${periodEnd.toISOString()}`,
    sortBy: ({ periodStart }) => periodStart.getTime(),
  };
}

/** How long ago. */
export function sinceColumn<Row>(title: string, read: (row: Row) => Date, now: Date): Column<Row> {
  return {
    name: 'since',
    title,
    kind: 'number',
    cell: (row) => `${ageInWords(now.getTime() - read(row).getTime())} ago`,
    csv: (row) => read(row).toISOString(),
    sortBy: (row) => read(row).getTime(),
  };
}

/** Who may decide. */
export const mayDecide = ({ caller }: ConsoleView) => hasScope(caller, []);

/** What a person can do about a row; nobody else has the column. */
export function actsColumn<Row>(view: ConsoleView, cell: (row: Row) => Html | string): Column<Row>[] {
  return mayDecide(view) ? [{ name: 'acts', title: 'What to do', kind: 'text', cell }] : [];
}

/** To the page of a customer, which whoever sees invoices has. */
export function customerLink({
  customerId,
  customerName,
}: {
  customerId: string;
  customerName: string;
}): Html {
  return html`<a href="/console/customers/${encodeURIComponent(customerId)}">${nameCell(customerName, 40)}</a>`;
}

/** To the page of an invoice; null: there is none. */
export function invoiceLink(invoiceId: string | null, none: string): Html {
  return invoiceId === null
    ? html`<span class="muted">${none}</span>`
    : html`<a href="/console/invoices/${encodeURIComponent(invoiceId)}">${nameCell(invoiceId, 30)}</a>`;
}
