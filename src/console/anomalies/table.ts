import { html } from 'hono/html';
import { formatPico } from '../../../pricing/money.ts';
import type { Finding } from '../../anomalies/findings.ts';
import { unknownCell } from '../../pages/numbers.ts';
import type { Column, TableDefinition } from '../../pages/table/columns.ts';
import { decimalOrder } from '../../pages/table/decimal-order.ts';
import { instantColumn } from '../../pages/table/made-columns.ts';
import { nameCell } from '../../pages/texts.ts';
import { dollars } from '../rollups/draw.ts';
import { findingPath } from './address.ts';
import { explanationsInWords, partInWords, shapeInWords, standingInWords } from './words.ts';

const score = (name: string, title: string, of: (finding: Finding) => string | null): Column<Finding> => ({
  name,
  title,
  kind: 'number',
  cell: (finding) => of(finding) ?? unknownCell(),
  csv: of,
  sortBy: (finding) => decimalOrder(of(finding)),
});

/** Only in the CSV. */
const exported = (name: string, of: (finding: Finding) => string | null): Column<Finding> => ({
  name,
  title: name,
  kind: 'text',
  cell: () => '',
  csv: of,
});

const EXPORTED: readonly Column<Finding>[] = [
  exported('id', ({ findingId }) => String(findingId)),
  exported('customerName', ({ customerName }) => customerName),
  exported('lastHour', ({ lastHour }) => lastHour.toISOString()),
  exported('explanations', ({ explanations }) => explanations.join(' ')),
  ...(['user', 'feature', 'model'] as const).map((dimension) =>
    exported(dimension, ({ moved }) => moved.find((part) => part.dimension === dimension)?.value ?? null),
  ),
  exported('cost', ({ costPicoUsd }) => formatPico(costPicoUsd)),
  exported('usual', ({ usualPicoUsd }) => formatPico(usualPicoUsd)),
  exported('decision', ({ decision }) => decision),
  exported('decisionReason', ({ decisionReason }) => decisionReason),
  exported('decidedBy', ({ decidedBy }) => decidedBy),
  exported('snoozedUntil', ({ snoozedUntil }) => snoozedUntil?.toISOString() ?? null),
];

/** Findings of one group: who, what, how much so far and how much if it goes on, since when, both scores. */
export function findingsTable(
  { name, caption, empty }: { name: string; caption: string; empty: string },
  now: Date,
): TableDefinition<Finding> {
  return {
    name,
    caption,
    empty,
    columns: [
      {
        name: 'customerId',
        title: 'Customer',
        kind: 'text',
        isRowHeader: true,
        cell: (finding) => html`<a href="${findingPath(finding)}">${nameCell(finding.customerName, 40)}</a>`,
        csv: ({ customerId }) => customerId,
        sortBy: ({ customerName }) => customerName,
      },
      {
        name: 'shape',
        title: 'What',
        kind: 'text',
        cell: (finding) => whatCell(finding),
        csv: ({ shape }) => shape,
      },
      {
        name: 'excess',
        title: 'Too much so far',
        kind: 'number',
        cell: ({ excessPicoUsd }) => dollars(excessPicoUsd),
        csv: ({ excessPicoUsd }) => formatPico(excessPicoUsd),
        sortBy: ({ excessPicoUsd }) => excessPicoUsd,
      },
      {
        name: 'dayAhead',
        title: 'In another day',
        kind: 'number',
        cell: ({ state, dayAheadPicoUsd }) =>
          state === 'open' ? dollars(dayAheadPicoUsd) : html`<span class="muted">–</span>`,
        csv: ({ dayAheadPicoUsd }) => formatPico(dayAheadPicoUsd),
        sortBy: ({ state, dayAheadPicoUsd }) => (state === 'open' ? dayAheadPicoUsd : null),
      },
      instantColumn<Finding>('firstHour', 'Since', ({ firstHour }) => firstHour),
      score('score', 'Score', ({ score: robust }) => robust),
      score('sigmaScore', 'Sigmas', ({ sigmaScore }) => sigmaScore),
      {
        name: 'state',
        title: 'State',
        kind: 'text',
        cell: (finding) => standingInWords(finding, now),
        csv: ({ state }) => state,
        sortBy: ({ state }) => state,
      },
    ],
  };
}

/** The same with what only the CSV has. */
export function exportedFindings(definition: TableDefinition<Finding>): TableDefinition<Finding> {
  return { ...definition, columns: [...definition.columns, ...EXPORTED] };
}

function whatCell(finding: Finding) {
  const [first] = finding.moved;
  const explained = explanationsInWords(finding);
  return html`<span>${shapeInWords(finding)}${first === undefined ? '' : html`: ${partInWords(first)}`}${explained === null ? '' : html` <small class="muted">explained: ${explained}</small>`}</span>`;
}
