import { html } from 'hono/html';
import { formatPico } from '../../../pricing/money.ts';
import type { Comparison } from '../../costs/rollups/comparison.ts';
import type { CostCell, CostSeries } from '../../costs/rollups/cost-series.ts';
import type { CostFigures, RollupMoney } from '../../costs/rollups/query.ts';
import type { DailyCell } from '../../costs/rollups/series.ts';
import { knownCostOf, marginOf } from '../../costs/rollups/show.ts';
import type { ChartValue } from '../../pages/charts/figure.ts';
import { lineChart } from '../../pages/charts/lines.ts';
import { sparkline } from '../../pages/charts/sparkline.ts';
import { stackedBars } from '../../pages/charts/stacked-bars.ts';
import type { Html } from '../../pages/html.ts';
import { unknownCell } from '../../pages/numbers.ts';
import { nameCell } from '../../pages/texts.ts';
import { dayShort, moneyInWords, twoDecimals } from '../../pages/words.ts';
import type { TimeWindow } from '../../platform/clock.ts';
import {
  changeCell,
  costCell,
  dollarCell,
  marginCell,
  marginShare,
  percent,
  revenueCell,
} from './columns.ts';
import {
  changeOf,
  daysIn,
  dearestFirst,
  passedEnd,
  shareOf,
  shownCost,
  shownDayCost,
  shownRevenue,
  type Trend,
  unknownShare,
  unpricedShare,
} from './decide.ts';
import type { RollupBasis } from './gather.ts';

/** `$1,250.50`. */
export function dollars(picoUsd: bigint): string {
  return moneyInWords(twoDecimals(formatPico(picoUsd)), 'usd');
}

/** How a drawing calls a customer; empty: usage that is nobody's. */
export function calledIn(names: ReadonlyMap<string, string>): (customerId: string) => string {
  return (customerId) => (customerId === '' ? 'nobody’s' : (names.get(customerId) ?? customerId));
}

/** `1 Oct to 21 Oct`. */
export function spanInWords({ start, end }: TimeWindow): string {
  return `${dayShort(start)} to ${dayShort(new Date(end.getTime() - 1))}`;
}

/** Why nothing is said of growth: more than a part of something would be. */
export function notComparable({ window, collectedFrom }: Comparison): string {
  const since = collectedFrom === null ? '' : `: usage is collected since ${dayShort(collectedFrom)} only`;
  return `not comparable with ${spanInWords(window)}${since}`;
}

/**
 * Cost, revenue and margin of a page, each beside the same days of the period before.
 * @param more what else a page says first, a `div` each
 */
export function headline({ totals, totalsBefore, comparison }: RollupBasis, more: Html | string = ''): Html {
  const against = (read: (figures: RollupMoney) => bigint | null) => {
    if (totalsBefore === null) return html`<small>${notComparable(comparison)}</small>`;
    const then = read(totalsBefore);
    return html`<small>${changeCell(changeOf(read(totals), then))} against ${spanInWords(comparison.window)} (${dollarCell(then)})</small>`;
  };
  const [margin, marginBefore] = [marginShare(totals), totalsBefore && marginShare(totalsBefore)];
  return html`<dl class="figures">
  <div><dt>Cost</dt><dd>${costCell(totals)}${against(shownCost)}</dd></div>
  <div><dt>Revenue</dt><dd>${revenueCell(totals)}${against(shownRevenue)}</dd></div>
  <div><dt>Margin</dt><dd>${marginCell(totals)}<small>${margin === null || marginBefore === null ? '' : `of the revenue, ${points(margin - marginBefore)}`}</small></dd></div>
  ${more}
</dl>`;
}

/** What of a page's rows costs the most, in a sentence. */
export function costsMost<Row extends CostFigures>(
  rows: readonly Row[],
  { totals }: RollupBasis,
  nameOf: (row: Row) => string,
): Html {
  const [first] = dearestFirst(rows);
  if (first === undefined) return html`Nothing has been used in this period.`;
  if (shownCost(totals) === null)
    return html`What it costs is unknown: the price book has no price for any of it.`;
  const share = shareOf(knownCostOf(first), knownCostOf(totals));
  return html`${nameCell(nameOf(first))} costs the most${share === null ? '' : `, ${(share * 100).toFixed(0)} % of all`}.`;
}

function points(change: number): string {
  const rounded = (change * 100).toFixed(1);
  return `${change < 0 ? rounded.replace('-', '−') : `+${rounded}`} points`;
}

/** What the figures of a page still lack, in sentences; nothing where they lack nothing. */
export function lacking({ totals, dueDayCount, dueRevenueCount }: RollupBasis): Html {
  const idle = totals.idleCostPicoUsd;
  const unattributed = shareOf(totals.unattributedTokenCount, totals.tokenCount) ?? 0;
  const unknown = marginOf(totals) === null ? (unknownShare(totals) ?? 0) : 0;
  const sentences = [
    totals.unpricedTokenCount === 0n
      ? ''
      : `The cost of ${percent(unpricedShare(totals))} of the tokens is unknown: the price book has no price for them.`,
    unknown === 0 || totals.revenuePicoUsd === null
      ? ''
      : `The margin is without ${percent(unknown)} of the customers’ tokens, whose cost or revenue is unknown.`,
    totals.revenuePicoUsd === null
      ? 'An exchange rate is missing, so the revenue in dollars is unknown.'
      : '',
    totals.unattributedTokenCount === 0n
      ? ''
      : `Nobody’s are ${percent(unattributed)} of the tokens: they cost, and bring nothing.`,
    idle === 0n ? '' : `Bought capacity that nobody is charged for comes on top: ${dollars(idle)}.`,
    dueDayCount === 0n ? '' : `${countOf(dueDayCount, 'day is', 'days are')} being rated again.`,
    dueRevenueCount === 0n
      ? ''
      : `The revenue of ${countOf(dueRevenueCount, 'month of a customer is', 'months of customers is')} being worked out again.`,
  ].filter((sentence) => sentence !== '');
  return sentences.length === 0 ? html`` : html`<p class="muted">${sentences.join(' ')}</p>`;
}

const countOf = (count: bigint, one: string, more: string) => `${count} ${count === 1n ? one : more}`;

/** Known cost by day, stacked by what stands in the series. */
export function costChart(
  series: readonly CostSeries[],
  chart: { window: TimeWindow; now: Date; title: string; nameOf: (value: string) => string },
): Html {
  const { window, now, title, nameOf } = chart;
  // A drawing of nothing is a scale without a size.
  if (series.length === 0) return html`<p class="notice">Nothing was used from ${spanInWords(window)}.</p>`;
  const days = daysIn({ start: window.start, end: passedEnd(window, now) });
  const bands = series.map(({ value, days: cells }) => {
    const cellOf = new Map(cells.map((cell) => [cell.day, cell]));
    return {
      name: value === null ? 'all others' : nameOf(value),
      isRest: value === null,
      values: days.map((day) => costValue(cellOf.get(day))),
    };
  });
  return stackedBars({
    id: 'daily-cost',
    title,
    description: `One bar a day, from ${spanInWords(window)}; ${bands[0]?.name} costs the most.`,
    places: days,
    series: bands,
    scaleText: dollarScale,
  });
}

/** A size of a scale in dollars, in the unit and with the decimals that all of the axis need. */
export function dollarScale(value: number, axis: readonly number[]): string {
  const isThousands = Math.max(...axis.map(Math.abs)) >= 1_000;
  const inUnit = (each: number) => Number((Math.abs(each) / (isThousands ? 1_000 : 1)).toPrecision(3));
  const decimals = Math.max(...axis.map((each) => String(inUnit(each)).split('.')[1]?.length ?? 0));
  // Cents are two digits.
  const shownDecimals = decimals === 1 && !isThousands ? 2 : decimals;
  const text = value === 0 ? '0' : `${inUnit(value).toFixed(shownDecimals)}${isThousands ? ' k' : ''}`;
  return `${value < 0 ? '−' : ''}$${text}`;
}

/** What a day cost, as far as it is known; a day of which nothing is known is a gap, and no zero. */
function costValue(cell: Omit<CostCell, 'day'> | undefined): ChartValue {
  return dollarValue(cell?.knownCostPicoUsd ?? 0n, cell?.unpricedTokenCount ?? 0n, cell?.tokenCount ?? 0n);
}

function revenueValue(cell: DailyCell | undefined): ChartValue {
  return dollarValue(
    cell === undefined ? 0n : cell.revenuePicoUsd,
    cell?.unratedTokenCount ?? 0n,
    cell?.tokenCount ?? 0n,
  );
}

function dollarValue(picoUsd: bigint | null, unknownTokenCount: bigint, tokenCount: bigint): ChartValue {
  const unknown = shareOf(unknownTokenCount, tokenCount) ?? 0;
  if (picoUsd === null || unknown === 1) return { value: null, text: 'unknown' };
  const text = unknown === 0 ? dollars(picoUsd) : `${dollars(picoUsd)} and ${percent(unknown)} unknown`;
  return { value: Number(picoUsd) / 1e12, text };
}

/** What each day cost against what it brings, as lines. */
export function balanceChart(cells: readonly DailyCell[], window: TimeWindow): Html {
  const cellOf = new Map(cells.map((cell) => [cell.day, cell]));
  const days = daysIn(window);
  return lineChart({
    id: 'daily-balance',
    title: `Cost against revenue by day, ${spanInWords(window)}`,
    description:
      cells.length === 0
        ? 'Nothing was used in these days.'
        : 'A line for the known cost and one for the revenue, in US dollars; what is unknown is a gap.',
    places: days,
    series: [
      { name: 'Cost', values: days.map((day) => costValue(cellOf.get(day))) },
      { name: 'Revenue', values: days.map((day) => revenueValue(cellOf.get(day))) },
    ],
    scaleText: dollarScale,
  });
}

/** The cost of the last days as a line, with the last one in words. */
export function trendCell(figures: Trend | undefined, window: TimeWindow): Html {
  if (figures !== undefined && unpricedShare(figures) === 1) return unknownCell();
  const costs = new Map(figures?.days.map((day) => [day.day, shownDayCost(day)]));
  const values = daysIn(window).map((day) => (costs.has(day) ? (costs.get(day) ?? null) : 0n));
  if (values.every((value) => value === 0n)) return html`<span class="muted">–</span>`;
  const inWords = (value: bigint | null | undefined) => (value == null ? 'an unknown cost' : dollars(value));
  const label = `${spanInWords(window)}: from ${inWords(values[0])} to ${inWords(values.at(-1))} a day`;
  return sparkline(
    values.map((value) => (value === null ? null : Number(value) / 1e12)),
    label,
  );
}

/** Of what a cost is made up, the largest part first: `chat 62 %`. */
export function mixInWords(parts: readonly { name: string; figures: CostFigures }[]): string[] {
  const whole = parts.reduce((sum, { figures }) => sum + knownCostOf(figures), 0n);
  return parts.flatMap(({ name, figures }) => {
    const share = shareOf(knownCostOf(figures), whole);
    return share === null || share === 0 ? [] : [`${name} ${(share * 100).toFixed(0)} %`];
  });
}
