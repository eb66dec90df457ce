import { html } from 'hono/html';
import { formatPico } from '../../../pricing/money.ts';
import type { DrawnHour } from '../../anomalies/drawn-hours.ts';
import type { Finding } from '../../anomalies/findings.ts';
import type { ChartValue } from '../../pages/charts/figure.ts';
import { lineChart } from '../../pages/charts/lines.ts';
import type { Html } from '../../pages/html.ts';
import { shortened } from '../../pages/texts.ts';
import type { CsvTable } from '../../platform/csv.ts';
import { dollarScale, dollars } from '../rollups/draw.ts';
import { hourShort } from './words.ts';

/** The hours around a finding, against what is usual in those that stand out. */
export function drawHours(
  { customerName }: Finding,
  { hours, isCut }: { hours: readonly DrawnHour[]; isCut: boolean },
): Html {
  const chart = lineChart({
    id: 'hours',
    title: 'Cost by hour against the usual, UTC',
    description: `What ${shortened(customerName)} cost in the hours around it, and what is usual in the hours that stand out, in US dollars.`,
    places: hours.map(({ windowStart }) => hourShort(windowStart)),
    series: [
      { name: 'Cost', values: hours.map(({ costPicoUsd }) => chartValue(costPicoUsd, 'unknown')) },
      {
        name: 'Usual',
        values: hours.map(({ usualPicoUsd }) => chartValue(usualPicoUsd, 'nothing stands out')),
      },
    ],
    scaleText: dollarScale,
    words: {
      asTable: 'The same as a table',
      place: 'Hour (UTC)',
      // Both would not fit a phone.
      placeShort: (place) => place.split(', ')[hours.length > 48 ? 0 : 1] ?? place,
      placeLong: (place) => place,
    },
  });
  const isUnknown = hours.some(({ costPicoUsd }) => costPicoUsd === null);
  return html`${chart}
${isCut ? html`<p class="muted">The first week of it.</p>` : ''}
${isUnknown ? html`<p class="muted">Hours without a line are not collected yet, or older than the sums of hours are kept.</p>` : ''}
<p class="links"><a href="?csv=hours">Hours as CSV</a></p>`;
}

export function csvOfHours(hours: readonly DrawnHour[]): CsvTable {
  const exact = (picoUsd: bigint | null) => (picoUsd === null ? null : formatPico(picoUsd));
  return {
    columns: ['hour', 'cost', 'usual'],
    rows: hours.map(({ windowStart, costPicoUsd, usualPicoUsd }) => [
      windowStart.toISOString(),
      exact(costPicoUsd),
      exact(usualPicoUsd),
    ]),
  };
}

function chartValue(picoUsd: bigint | null, without: string): ChartValue {
  return picoUsd === null
    ? { value: null, text: without }
    : { value: Number(picoUsd) / 1e12, text: dollars(picoUsd) };
}
