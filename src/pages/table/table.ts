import { html } from 'hono/html';
import { type Address, addressWith } from '../address.ts';
import { hiddenFields, optionField } from '../form-fields.ts';
import type { Html } from '../html.ts';
import { groupDigits } from '../words.ts';
import type { Column, TableDefinition, TableFilter, TablePage } from './columns.ts';
import { pageOfRows } from './page-of-rows.ts';

/** A table over rows that are all at hand: filtered, sorted and cut as the address says. */
export function dataTable<Row>(
  definition: TableDefinition<Row>,
  rows: readonly Row[],
  address: Address,
): Html {
  return pagedTable(definition, pageOfRows(definition, rows, address.query), address);
}

/** A table over the one page of rows that was gathered. */
export function pagedTable<Row>(
  definition: TableDefinition<Row>,
  page: TablePage<Row>,
  address: Address,
): Html {
  const { name, caption, columns, filters = [] } = definition;
  const isNarrowed = filters.some((filter) => (address.query.get(filter.name) ?? '') !== '');
  const empty = isNarrowed ? html`Nothing matches. ${clearLink(definition, address)}` : definition.empty;
  return html`<div class="table" id="${name}">
    ${filters.length === 0 ? '' : filterForm(definition, address)}
    <div class="scroll" tabindex="0" role="group" aria-label="${caption}">
      <table class="data">
        <caption>${caption} <span class="tools"><span class="muted">${rowsInWords(page.rowCount)}</span> <a href="${addressWith(address, { csv: name, [`${name}-page`]: null })}" aria-label="${caption} as CSV">CSV</a></span></caption>
        <thead><tr>${columns.map((column) => head(definition, column, page, address))}</tr></thead>
        <tbody>${page.rows.map((row) => html`<tr>${columns.map((column) => cell(column, row))}</tr>`)}</tbody>
      </table>
    </div>
    ${page.rowCount === 0 ? html`<p class="empty">${empty}</p>` : ''}
    ${page.pageCount > 1 ? pager(definition, page, address) : ''}
  </div>`;
}

const rowsInWords = (count: number) => `${groupDigits(String(count))} ${count === 1 ? 'row' : 'rows'}`;

function head<Row>(
  { name: table }: TableDefinition<Row>,
  { name, title, kind, sortBy }: Column<Row>,
  { sort }: TablePage<Row>,
  address: Address,
): Html {
  const sorted = sort?.column === name ? (sort.isDescending ? 'descending' : 'ascending') : null;
  if (sortBy === undefined) return html`<th scope="col" class="${kind}">${title}</th>`;
  // Figures begin with the largest.
  const isNextDescending = sorted === null ? kind === 'number' : sorted === 'ascending';
  const href = addressWith(address, {
    [`${table}-sort`]: `${isNextDescending ? '-' : ''}${name}`,
    [`${table}-page`]: null,
  });
  const order = sorted === null ? '' : html` aria-sort="${sorted}"`;
  return html`<th scope="col" class="${kind}"${order}><a href="${href}#${table}">${title}</a></th>`;
}

function cell<Row>({ kind, title, isRowHeader, cell: show }: Column<Row>, row: Row): Html {
  return isRowHeader === true
    ? html`<th scope="row" class="${kind}" data-label="${title}">${show(row)}</th>`
    : html`<td class="${kind}" data-label="${title}">${show(row)}</td>`;
}

function filterForm<Row>({ name: table, filters = [] }: TableDefinition<Row>, address: Address): Html {
  const own = new Set([...filters.map(({ name }) => name), `${table}-page`]);
  const kept = [...address.query].filter(([name]) => !own.has(name));
  return html`<form class="filters" method="get" action="${address.path}" data-submits-itself>
    ${hiddenFields(kept)}
    ${filters.map((filter) => filterField(filter, address.query.get(filter.name) ?? ''))}
    <button class="quiet">Filter</button>
  </form>`;
}

function filterField<Row>({ name, title, options }: TableFilter<Row>, value: string): Html {
  const field =
    options === undefined
      ? html`<input type="search" name="${name}" value="${value}" maxlength="200">`
      : html`<select name="${name}"><option value="">all</option>${options.map((option) => optionField(option.value, option.title, option.value === value))}</select>`;
  return html`<label><span>${title}</span>${field}</label>`;
}

function clearLink<Row>({ name, filters = [] }: TableDefinition<Row>, address: Address): Html {
  const cleared = Object.fromEntries(
    [...filters.map((filter) => filter.name), `${name}-page`].map((field) => [field, null]),
  );
  return html`<a href="${addressWith(address, cleared)}">Show all</a>`;
}

function pager<Row>(
  { name }: TableDefinition<Row>,
  { pageNumber, pageCount }: TablePage<Row>,
  address: Address,
): Html {
  const to = (page: number, words: string) =>
    page < 1 || page > pageCount
      ? html`<span class="muted">${words}</span>`
      : html`<a href="${addressWith(address, { [`${name}-page`]: String(page) })}#${name}">${words}</a>`;
  return html`<nav class="pager" aria-label="Pages of the table">
    ${to(pageNumber - 1, 'Before')} <span>Page ${pageNumber} of ${pageCount}</span> ${to(pageNumber + 1, 'Next')}
  </nav>`;
}
