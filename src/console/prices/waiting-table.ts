import { html } from 'hono/html';
import { formatDecimal, PICO_DIGITS } from '../../../pricing/money.ts';
import type { PriceKind } from '../../../pricing/prices/rows.ts';
import type { Html } from '../../pages/html.ts';
import { instantCell } from '../../pages/numbers.ts';
import type { Column, TableDefinition } from '../../pages/table/columns.ts';
import { instantColumn } from '../../pages/table/made-columns.ts';
import { csvCells, csvColumns } from '../../pages/table/page-of-rows.ts';
import { nameCell } from '../../pages/texts.ts';
import { moneyInWords, tokenTypeInWords } from '../../pages/words.ts';
import { renderChange } from '../../prices/sync/change-text.ts';
import { listPriceSyncItems, type PriceSyncItem } from '../../prices/sync/items.ts';
import type { ConsoleView, WholeCsv } from '../frame/define-page.ts';
import { type Seen, seenField } from '../invoices/seen.ts';
import { PRICES_PATH } from './address.ts';
import { changeInFile, changeInWords, typeInWords, verdictInWords } from './words.ts';

export const WAITING_NAME = 'waiting';
export const ACCEPT_ACT = 'accept';
export const REFUSE_ACT = 'refuse';

/** What a decision is about: the list may say something else since. */
export const itemSeen = (item: PriceSyncItem): Seen => [
  item.verdict,
  item.newPicoPerUnit,
  item.oldPicoPerUnit,
  item.listedFrom?.toISOString(),
];

/** What the synchronization found that waits for a person. @param mayAct for whom there are acts */
export function waitingTable(view: ConsoleView, mayAct: boolean): TableDefinition<PriceSyncItem> {
  const act: Column<PriceSyncItem> = {
    name: 'act',
    title: 'What to do',
    kind: 'text',
    cell: (item) => acts(item, view),
  };
  return {
    name: WAITING_NAME,
    caption: 'Listed by Azure, and not in the book',
    empty: 'Nothing waits for anybody.',
    columns: [...COLUMNS, ...(mayAct ? [act] : [])],
  };
}

const COLUMNS: Column<PriceSyncItem>[] = [
  {
    name: 'price',
    title: 'Price',
    kind: 'text',
    isRowHeader: true,
    cell: (item) =>
      html`<span>${namePrice(item)}<br><span class="muted">${nameCell(item.meterName)}, ${item.retailPrice} ${item.currency.toUpperCase()} for ${item.unitOfMeasure}</span></span>`,
    csv: ({ target }) =>
      target === null
        ? null
        : [target.model, target.deploymentType, target.region, target.tokenType].join(' '),
  },
  {
    name: 'verdict',
    title: 'Why it waits',
    kind: 'text',
    cell: ({ verdict, isRetroactive }) =>
      html`<span>${verdictInWords(verdict)}${isRetroactive ? html`<br><span class="muted">listed earlier already; what is past keeps its price</span>` : ''}</span>`,
    csv: ({ verdict }) => verdict,
    sortBy: ({ verdict }) => verdict,
  },
  amountColumn('oldPrice', 'In the book', ({ oldPicoPerUnit }) => oldPicoPerUnit),
  amountColumn('newPrice', 'Listed', ({ newPicoPerUnit }) => newPicoPerUnit),
  {
    name: 'changePercent',
    title: 'Change',
    kind: 'number',
    cell: (item) => {
      const change = changeOf(item);
      return change === ''
        ? html`<span class="muted">–</span>`
        : html`<span class="tag warn">${changeInWords(change)}</span>`;
    },
    csv: (item) => changeInFile(changeOf(item)),
  },
  {
    ...instantColumn<PriceSyncItem>('effectiveFrom', 'Would hold from', ({ effectiveFrom }) => effectiveFrom),
    cell: ({ effectiveFrom }) =>
      effectiveFrom === null ? html`<span class="muted">–</span>` : instantCell(effectiveFrom),
  },
  instantColumn('found', 'Since', ({ foundAt }) => foundAt),
];

/** What a listed price is for. */
export function namePrice({ target }: PriceSyncItem): Html {
  if (target === null) return html`<span class="unknown">unnamed meter</span>`;
  return html`${nameCell(target.model)} ${tokenTypeInWords(target.tokenType)}, ${typeInWords(target.deploymentType)}${target.region === '*' ? '' : ` ${target.region}`}`;
}

export function changeOf({ oldPicoPerUnit, newPicoPerUnit }: PriceSyncItem): string {
  return renderChange(oldPicoPerUnit, newPicoPerUnit);
}

function amountColumn(
  name: string,
  title: string,
  read: (item: PriceSyncItem) => bigint | null,
): Column<PriceSyncItem> {
  return {
    name,
    title,
    kind: 'number',
    cell: (item) => {
      const pico = read(item);
      if (pico === null) return html`<span class="muted">–</span>`;
      const isByToken = item.target === null || !OTHER_KINDS.includes(item.target.tokenType);
      const amount = formatDecimal(pico, isByToken ? PICO_DIGITS - 6 : PICO_DIGITS, 2);
      return html`<span>${moneyInWords(amount, item.currency)}<small class="muted">${isByToken ? 'a million' : 'each'}</small></span>`;
    },
    csv: (item) => {
      const pico = read(item);
      return pico === null ? null : formatDecimal(pico, PICO_DIGITS);
    },
  };
}

const OTHER_KINDS: readonly PriceKind[] = ['image', 'second', 'provisioned_unit_hour'];

/** All that waits, whole. */
export function waitingCsv(): WholeCsv<PriceSyncItem> {
  const definition = { name: WAITING_NAME, caption: '', empty: '', columns: COLUMNS };
  return {
    columns: ['id', 'meter', ...csvColumns(definition)],
    read: (snapshot, after, limit) =>
      listPriceSyncItems(snapshot, { status: 'pending', afterId: after?.priceSyncItemId, limit }),
    toCells: (item) => [String(item.priceSyncItemId), item.meterId, ...csvCells(definition, item)],
  };
}

function acts(item: PriceSyncItem, view: ConsoleView): Html {
  const id = String(item.priceSyncItemId);
  const isTyped = view.typed?.get('item') === id;
  const reason = isTyped ? (view.typed?.get('reason') ?? '') : '';
  const isTakable =
    item.verdict === 'disappeared' ||
    (item.target !== null && item.newPicoPerUnit !== null && item.listedFrom !== null);
  const form = (act: string, label: string, words: string) =>
    html`<form method="post" action="${PRICES_PATH}/${act}">${view.formField}${seenField(itemSeen(item))}<input type="hidden" name="item" value="${id}"><input name="reason" value="${reason}" aria-label="${label}" placeholder="${label}" maxlength="1000" required><button class="quiet">${words}</button></form>`;
  const named = item.target === null ? item.meterName : `${item.target.model} ${item.target.tokenType}`;
  return html`<details${isTyped ? html` open` : ''}><summary>decide<span class="unseen"> about ${named}</span></summary><div class="acts">
${isTakable ? form(ACCEPT_ACT, 'why it is right', item.verdict === 'disappeared' ? 'Keep the book’s price' : 'Take it from then on') : html`<p class="muted">${item.verdict === 'unmapped' ? html`Say what it is first: <code>tallystick prices map ${item.meterId}</code>` : 'Add it by hand, as it should be.'}</p>`}
${form(REFUSE_ACT, 'why the book stays as it is', 'Leave the book as it is')}
</div></details>`;
}
