import { html } from 'hono/html';
import { formatPico } from '../../../pricing/money.ts';
import type { CostRow } from '../../costs/rollups/cost-rows.ts';
import { knownCostOf } from '../../costs/rollups/show.ts';
import type { Html } from '../../pages/html.ts';
import { ageInWords, countCell, unknownCell } from '../../pages/numbers.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import { nameCell } from '../../pages/texts.ts';
import { dayShort } from '../../pages/words.ts';
import type { CostProjection } from '../../previews/cost-projection.ts';
import { type ConsoleView, definePage } from '../frame/define-page.ts';
import type { FrameFacts } from '../frame/facts.ts';
import { capitalized } from '../invoices/second-person/words.ts';
import { COST, COST_CHANGE, dollarCell } from '../rollups/columns.ts';
import { changeOf, judgedMargin, shownCost } from '../rollups/decide.ts';
import {
  calledIn,
  costChart,
  dollars,
  headline,
  lacking,
  notComparable,
  spanInWords,
} from '../rollups/draw.ts';
import type { RollupBasis } from '../rollups/gather.ts';
import { usageNameCell } from '../usage/name-cell.ts';
import { gatherOverview, type OverviewMaterial } from './gather.ts';
import { drawNeeds } from './needs.ts';

function show(material: OverviewMaterial, view: ConsoleView, facts: FrameFacts) {
  const { basis, drawn, series, names, desk } = material;
  const nameOf = calledIn(names);
  const movers = moversTable(nameOf, basis, view);
  const moved = moversOf(material);
  return {
    title: view.period.words,
    body: html`<p class="lead">${answer(material)}</p>
${headline(basis, endCard(material))}
${lacking(basis)}
${costChart(series, { window: drawn, now: view.now, title: `Cost by day, ${spanInWords(drawn)}, by customer`, nameOf })}
<div class="pair"><section>${desk === null ? '' : drawNeeds(desk, view)}${pulse(material, view, facts)}</section>
<section>${dataTable(movers, moved, view.address)}
${basis.comparison.before === null ? '' : html`<p class="muted">What costs more or less than from ${spanInWords(basis.comparison.before)}.</p>`}</section></div>`,
    csv: {
      movers: () => csvOfTable({ ...movers, columns: [...movers.columns, COST] }, moved, view.address.query),
    },
  };
}

/** What the period will have cost, as a range, or why nobody can say. */
function endCard({ end }: OverviewMaterial): Html | string {
  if (end === null) return '';
  const { total, knownDayCount, periodEnd } = end;
  const last = dayShort(new Date(periodEnd.getTime() - 1));
  const title = `Cost by the end of ${last}`;
  if (total !== null) {
    return html`<div><dt>${title}</dt><dd>${rangeOf(total)}<small>in 8 of 10 cases; ${dollars(total.expected)} expected</small></dd></div>`;
  }
  if (end.reason === 'cost_unknown') {
    return html`<div><dt>${title}</dt><dd>${unknownCell()}<small>too much of the cost so far is</small></dd></div>`;
  }
  const days = `${knownDayCount} whole ${knownDayCount === 1 ? 'day is' : 'days are'} known`;
  return html`<div><dt>${title}</dt><dd><span class="muted">too early to say</span><small>${end.reason === 'period_is_over' ? 'nothing more is to come' : days}</small></dd></div>`;
}

function rangeOf({ p10, p90 }: NonNullable<CostProjection['total']>): string {
  const [low, high] = [dollars(p10), dollars(p90)];
  return low === high ? low : `${low} to ${high}`;
}

/** Whether the month goes well, in a sentence. */
function answer({ basis: { totals, totalsBefore, comparison } }: OverviewMaterial): string {
  if (totals.tokenCount === 0n) return 'Nothing has been used in this period.';
  const known = shownCost(totals);
  if (known === null) return 'What usage has cost is unknown: the price book has no price for any of it.';
  const margin = judgedMargin(totals);
  const share = totalsBefore === null ? null : changeOf(known, shownCost(totalsBefore));
  const cost = dollars(known);
  const moved =
    share === null
      ? ''
      : `, ${Math.abs(share * 100).toFixed(0)} % ${share < 0 ? 'less' : 'more'} than from ${spanInWords(comparison.window)}`;
  const left =
    margin === null
      ? '. What it leaves is not known'
      : margin < 0n
        ? '. It costs more than it brings'
        : `. It leaves ${dollars(margin)}`;
  return `Usage has cost ${cost}${moved}${left}.`;
}

/** Zero where nobody knows what it cost before: that has not become dearer. */
const change = (row: CostRow) => knownCostOf(row) - (row.costBeforePicoUsd ?? knownCostOf(row));

/** What moved at all, whatever its direction. */
function moversOf({ risen, fallen }: OverviewMaterial): CostRow[] {
  return [
    ...risen.filter((row) => change(row) > 0n),
    ...fallen.filter((row) => change(row) < 0n).toReversed(),
  ];
}

function moversTable(
  nameOf: (customerId: string) => string,
  { comparison }: RollupBasis,
  view: ConsoleView,
): TableDefinition<CostRow> {
  return {
    name: 'movers',
    caption: 'Movers',
    empty:
      comparison.before === null
        ? `${capitalized(notComparable(comparison))}.`
        : 'Nothing costs more or less than before.',
    columns: [
      {
        name: 'customer',
        title: 'Customer',
        kind: 'text',
        isRowHeader: true,
        cell: ({ dimensions: { customer = '' } }) => {
          const name = nameCell(nameOf(customer), 40);
          return customer === '' || !view.hasPage('/console/customers/:customerId')
            ? name
            : html`<a href="/console/customers/${encodeURIComponent(customer)}">${name}</a>`;
        },
        csv: ({ dimensions }) => dimensions.customer || null,
        sortBy: ({ dimensions }) => nameOf(dimensions.customer ?? ''),
      },
      {
        name: 'feature',
        title: 'Feature on model',
        kind: 'text',
        cell: ({ dimensions: { feature = '', model = '' } }) =>
          html`<span>${usageNameCell(view, 'feature', feature)} <small class="muted">on ${usageNameCell(view, 'model', model)}</small></span>`,
        csv: ({ dimensions: { feature = '', model = '' } }) => `${feature} on ${model}`,
      },
      {
        name: 'moved',
        title: 'Moved',
        kind: 'number',
        // What had a price before and has none now has not become cheaper.
        cell: (row) =>
          shownCost(row) === null
            ? unknownCell()
            : html`${change(row) > 0n ? '+' : ''}${dollarCell(change(row))}`,
        csv: (row) => formatPico(change(row)),
        sortBy: change,
      },
      { ...COST_CHANGE, sortBy: change },
    ],
  };
}

/** How fresh the figures are, and what is on its way. */
function pulse({ basis, desk }: OverviewMaterial, view: ConsoleView, { dataAsOf }: FrameFacts): Html {
  const waiting = desk?.waiting.reduce((sum, { tokenCount }) => sum + tokenCount, 0n) ?? null;
  const collected =
    dataAsOf === null
      ? html`<span class="muted">nothing yet</span>`
      : html`${ageInWords(view.now.getTime() - dataAsOf.getTime())} ago`;
  const title = view.hasPage('/console/pipeline')
    ? html`<a href="/console/pipeline">Pipeline</a>`
    : 'Pipeline';
  return html`<h2>${title}</h2><dl class="facts">
  <dt>Collected up to</dt><dd>${collected}</dd>
  ${desk === null ? '' : html`<dt>Sums that differ</dt><dd>${countCell(BigInt(desk.drifts.length))}</dd>`}
  ${waiting === null ? '' : html`<dt>In quarantine</dt><dd>${countCell(waiting)} tokens</dd>`}
  <dt>Days to be rated again</dt><dd>${countCell(basis.dueDayCount)}</dd>
</dl>`;
}

export const overviewPage = definePage<OverviewMaterial>({
  path: '/console/overview',
  title: 'Overview',
  scopes: ['sales', 'finance'],
  rail: { title: 'Overview', key: 'o' },
  choices: ['period'],
  gather: gatherOverview,
  show,
});
