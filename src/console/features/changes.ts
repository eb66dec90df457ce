import { html } from 'hono/html';
import { formatPico } from '../../../pricing/money.ts';
import type { RecordedChange } from '../../anomalies/changes/store.ts';
import type { Html } from '../../pages/html.ts';
import { unknownCell } from '../../pages/numbers.ts';
import type { Column, TableDefinition } from '../../pages/table/columns.ts';
import { countColumn } from '../../pages/table/made-columns.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import { nameCell } from '../../pages/texts.ts';
import type { ConsoleView } from '../frame/define-page.ts';
import { dollarCell } from '../rollups/columns.ts';
import { dollars } from '../rollups/draw.ts';

const money = (
  name: string,
  title: string,
  read: (row: RecordedChange) => bigint | null,
): Column<RecordedChange> => ({
  name,
  title,
  kind: 'number',
  cell: (row) => {
    const amount = read(row);
    return amount === null ? unknownCell() : dollarCell(amount);
  },
  csv: (row) => {
    const amount = read(row);
    return amount === null ? null : formatPico(amount);
  },
  sortBy: read,
});

/** What a user has now. */
const ofUser = (change: Exclude<RecordedChange['change'], { kind: 'swap' }>) =>
  change.kind === 'cache' ? 'a cache for' : `a cap of ${dollars(change.dayLimitPicoUsd)} a day on`;

const CHANGES: TableDefinition<RecordedChange> = {
  name: 'changes',
  caption: 'What was changed, and what it really saved',
  empty: 'No swap, cache or cap was recorded.',
  pageSize: 20,
  columns: [
    {
      name: 'changed_feature',
      title: 'Feature',
      kind: 'text',
      isRowHeader: true,
      cell: ({ change }) =>
        change.feature === '' ? html`<span class="muted">no feature</span>` : nameCell(change.feature, 40),
      csv: ({ change }) => change.feature,
      sortBy: ({ change }) => change.feature,
    },
    {
      name: 'change',
      title: 'Change',
      kind: 'text',
      cell: ({ change }) =>
        change.kind === 'swap'
          ? html`<span>${nameCell(change.fromModel, 30)} to ${nameCell(change.toModel, 30)}</span>`
          : html`<span>${ofUser(change)} ${nameCell(change.subject, 30)}</span>`,
      csv: ({ change }) =>
        change.kind === 'swap'
          ? `${change.fromModel} to ${change.toModel}`
          : `${ofUser(change)} ${change.subject}`,
    },
    {
      name: 'madeOn',
      title: 'Made on',
      kind: 'text',
      cell: ({ change }) => change.madeOn,
      csv: ({ change }) => change.madeOn,
      sortBy: ({ change }) => change.madeOn,
    },
    countColumn('measuredDays', 'Days since', ({ dayCount }) => BigInt(dayCount)),
    money('forecast', 'Forecast', ({ forecastDayPicoUsd, dayCount }) =>
      forecastDayPicoUsd === null ? null : forecastDayPicoUsd * BigInt(dayCount),
    ),
    money('saved', 'Really saved', ({ savedPicoUsd }) => savedPicoUsd),
  ],
};

/** Nothing where nobody has recorded anything. */
export function drawChanges(changes: readonly RecordedChange[], view: ConsoleView): Html | string {
  if (changes.length === 0) return '';
  return html`${dataTable(CHANGES, changes, view.address)}
<p class="muted">Forecast: what the 30 days before said of a day, for the days since. Of a swap, what the new model’s tokens would have cost on the old one, less what they cost; of a cache or a cap, what the two weeks before cost, less what the days since did, so that asking more or less shows in it, too.</p>`;
}

export const csvOfChanges = (changes: readonly RecordedChange[], view: ConsoleView) =>
  csvOfTable(CHANGES, changes, view.address.query);
