import { html } from 'hono/html';
import { type Address, addressWith } from '../address.ts';
import { hiddenFields, optionField } from '../form-fields.ts';
import type { Html } from '../html.ts';
import { groupDigits } from '../words.ts';
import type { Column, TableDefinition, TableFilter, TablePage, TableWords } from './columns.ts';
import { pageOfRows } from './page-of-rows.ts';

const ENGLISH: TableWords = {
  rows: (count) => `${groupDigits(String(count))} ${count === 1 ? 'row' : 'rows'}`,
  asCsv: (caption) => `${caption} as CSV`,
  filter: 'Filter',
  all: 'all',
  nothingMatches: 'Nothing matches.',
  showAll: 'Show all',
  before: 'Before',
  next: 'Next',
  pages: 'Pages of the table',
  pageOf: (pageNumber, pageCount) => `Page ${pageNumber} of ${pageCount}`,
};

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
  const { name, caption, columns, filters = [], words = ENGLISH } = definition;
  const isNarrowed = filters.some((filter) => (address.query.get(filter.name) ?? '') !== '');
  const empty = isNarrowed
    ? html`${words.nothingMatches} ${clearLink(definition, address)}`
    : definition.empty;
  return html`<div class="table" id="${name}">
    ${filters.length === 0 ? '' : filterForm(definition, address)}
    <div class="scroll" tabindex="0" role="group" aria-label="${caption}">
      <table class="data${definition.isCompact === true ? ' plain' : ''}">
        <caption>${caption} <span class="tools"><span class="muted">${words.rows(page.rowCount)}</span> <a href="${addressWith(address, { csv: name, [`${name}-page`]: null })}" aria-label="${words.asCsv(caption)}">CSV</a></span></caption>
        <thead><tr>${columns.map((column) => head(definition, column, page, address))}</tr></thead>
        <tbody>${page.rows.map((row) => html`<tr>${columns.map((column) => cell(column, row))}</tr>`)}</tbody>
      </table>
    </div>
    ${page.rowCount === 0 ? html`<p class="empty">${empty}</p>` : ''}
    ${page.pageCount > 1 ? pager(definition, page, address) : ''}
  </div>`;
}

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

function filterForm<Row>(
  { name: table, filters = [], words = ENGLISH }: TableDefinition<Row>,
  address: Address,
): Html {
  const own = new Set([...filters.map(({ name }) => name), `${table}-page`]);
  const kept = [...address.query].filter(([name]) => !own.has(name));
  return html`<form class="filters" method="get" action="${address.path}" data-submits-itself>
    ${hiddenFields(kept)}
    ${filters.map((filter) => filterField(filter, address.query.get(filter.name) ?? '', words))}
    <button class="quiet">${words.filter}</button>
  </form>`;
}

function filterField<Row>(
  { name, title, options }: TableFilter<Row>,
  value: string,
  words: TableWords,
): Html {
  const field =
    options === undefined
      ? html`<input type="search" name="${name}" value="${value}" maxlength="200">`
      : html`<select name="${name}"><option value="">${words.all}</option>${options.map((option) => optionField(option.value, option.title, option.value === value))}</select>`;
  return html`<label><span>${title}</span>${field}</label>`;
}

function clearLink<Row>(
  { name, filters = [], words = ENGLISH }: TableDefinition<Row>,
  address: Address,
): Html {
  const cleared = Object.fromEntries(
    [...filters.map((filter) => filter.name), `${name}-page`].map((field) => [field, null]),
  );
  return html`<a href="${addressWith(address, cleared)}">${words.showAll}</a>`;
}

function pager<Row>(
  { name, words = ENGLISH }: TableDefinition<Row>,
  { pageNumber, pageCount }: TablePage<Row>,
  address: Address,
): Html {
  const to = (page: number, label: string) =>
    page < 1 || page > pageCount
      ? html`<span class="muted">${label}</span>`
      : html`<a href="${addressWith(address, { [`${name}-page`]: String(page) })}#${name}">${label}</a>`;
  return html`<nav class="pager" aria-label="${words.pages}">
    ${to(pageNumber - 1, words.before)} <span>${words.pageOf(pageNumber, pageCount)}</span> ${to(pageNumber + 1, words.next)}
  </nav>`;
}
