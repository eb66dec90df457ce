import { html } from 'hono/html';
import { formatMinor } from '../../../pricing/money.ts';
import { speakProduct } from '../../../pricing/usage/words.ts';
import type { Html } from '../../pages/html.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import { nameCell } from '../../pages/texts.ts';
import { addMs } from '../../platform/clock.ts';
import type { CsvTable } from '../../platform/csv.ts';
import type { StatedLine, Statement } from '../../statements/decide.ts';
import type { PortalView } from '../frame/define-page.ts';
import type { ReaderLocale } from '../words/reader.ts';
import { amountCell } from './parts.ts';
import type { Stated } from './stated.ts';
import { tableWords } from './table-words.ts';

/** The lines of the invoice, real or to come, and what they sum to. Those on which nothing was used are left to the CSV. */
export function linesSection({ statement, suffix }: Stated, view: PortalView): Html {
  const rows = statement.lines.filter((line) => !isIdle(line));
  return html`${dataTable(tableOf(statement, suffix, view.locale), rows, view.address)} ${totalsOf(statement, view.locale)}`;
}

export function linesCsv(
  { statement, suffix }: Stated,
  { locale, address }: PortalView,
): Record<string, () => CsvTable> {
  const table = tableOf(statement, suffix, locale);
  return { [table.name]: () => csvOfTable(table, statement.lines, address.query) };
}

function isIdle({ kind, quantity, amountMinor }: StatedLine): boolean {
  return kind === 'usage' && (quantity ?? 0n) === 0n && amountMinor === 0n;
}

function tableOf(statement: Statement, suffix: string, locale: ReaderLocale): TableDefinition<StatedLine> {
  const { words } = locale;
  const { currency, invoiceId } = statement.head;
  return {
    name: `lines${suffix}`,
    caption: invoiceId === null ? words.lines.soFar : words.lines.final,
    empty: words.lines.empty,
    words: tableWords(locale),
    columns: [
      {
        name: 'line',
        title: words.lines.line,
        kind: 'text',
        isRowHeader: true,
        cell: (line) =>
          html`${nameCell(lineName(line, statement, locale), 100)} ${tagsOf(line, statement, locale)}`,
        csv: ({ name }) => name,
      },
      {
        name: 'tokens',
        title: words.table.tokens,
        kind: 'number',
        cell: ({ isCounted, quantity }) => (isCounted && quantity !== null ? locale.count(quantity) : ''),
        csv: ({ quantity }) => (quantity === null ? null : String(quantity)),
      },
      {
        name: 'price',
        title: words.lines.price,
        kind: 'number',
        cell: ({ unitAmountDecimal, isIncluded, isCounted }) =>
          isIncluded || !isCounted || unitAmountDecimal === null
            ? ''
            : words.lines.perMillion(locale.million(unitAmountDecimal, currency)),
        csv: ({ unitAmountDecimal }) => unitAmountDecimal,
      },
      {
        name: 'amount',
        title: words.table.amount,
        kind: 'number',
        cell: ({ amountMinor }) => amountCell(amountMinor, currency, locale),
        csv: ({ amountMinor }) => (amountMinor === null ? null : formatMinor(amountMinor, currency)),
      },
    ],
  };
}

/** In the reader's words where we know what a line counts; else as the invoice says it. */
function lineName(line: StatedLine, { groups }: Statement, locale: ReaderLocale): string {
  const group = groups.find(({ lines }) => lines.some(({ lineId }) => lineId === line.lineId));
  const counted = group?.counted ?? null;
  return counted === null ? speakProduct(line.name) : locale.usage(counted);
}

function tagsOf(line: StatedLine, { billedLate }: Statement, { words, day }: ReaderLocale): Html | string {
  if (line.isIncluded) return html`<span class="tag">${words.lines.included}</span>`;
  if (line.kind !== 'late') return '';
  const { start, end } = billedLate.find(({ lineId }) => lineId === line.lineId)?.usedIn ?? line.period;
  return html`<small class="muted">${words.lines.late(day(start), day(addMs(end, -1)))}</small>`;
}

function totalsOf({ totals, head }: Statement, locale: ReaderLocale): Html {
  const { words } = locale;
  const amount = (minor: bigint) => amountCell(totals.isUnpriced ? null : minor, head.currency, locale);
  const otherMinor = totals.lineMinor - totals.usageMinor;
  const adjustedMinor = totals.invoiceMinor - totals.lineMinor;
  const hasParts = otherMinor !== 0n || adjustedMinor !== 0n;
  return html`<dl class="facts sums totals">
    ${hasParts ? html`<dt>${words.lines.usage}</dt><dd>${amount(totals.usageMinor)}</dd>` : ''}
    ${otherMinor === 0n ? '' : html`<dt>${words.lines.other}</dt><dd>${amountCell(otherMinor, head.currency, locale)}</dd>`}
    ${adjustedMinor === 0n ? '' : html`<dt>${words.lines.adjustments}</dt><dd>${amount(adjustedMinor)}</dd>`}
    <dt class="grand">${words.lines.total}</dt><dd class="grand">${amount(totals.invoiceMinor)}</dd>
  </dl>`;
}
