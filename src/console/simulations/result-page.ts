import { html } from 'hono/html';
import { addressWith } from '../../pages/address.ts';
import { divergingBars } from '../../pages/charts/diverging-bars.ts';
import type { Html } from '../../pages/html.ts';
import { instantCell } from '../../pages/numbers.ts';
import { csvCells, csvColumns, readTableQuery } from '../../pages/table/page-of-rows.ts';
import { pagedTable } from '../../pages/table/table.ts';
import { actorInWords, nameCell } from '../../pages/texts.ts';
import { dayInWords, moneyInWords, twoDecimals } from '../../pages/words.ts';
import { DAY_MS } from '../../platform/clock.ts';
import {
  type ChangeOrder,
  listSimulatedChanges,
  type Measure,
  type SimulatedChange,
} from '../../simulations/changes.ts';
import {
  type SimulationBody,
  type SimulationRequest,
  SimulationRequestSchema,
} from '../../simulations/schemas.ts';
import { type ConsoleView, definePage, type PageContent, type WholeCsv } from '../frame/define-page.ts';
import { SIMULATIONS_PATH } from './address.ts';
import { signedText } from './amounts.ts';
import { changeQueryOf, gatherResult, type ResultMaterial } from './gather-result.ts';
import { CHANGES_NAME, changesExport, changesTable } from './result-tables.ts';
import { answerOf, sumsOf } from './sums.ts';
import { customersInWords, scenarioInWords } from './words.ts';

const MEASURE_WORDS: Record<Measure, string> = {
  margin: 'our margin',
  revenue: 'what they pay',
  cost: 'what it costs us',
};

function show(material: ResultMaterial, view: ConsoleView): PageContent {
  const { simulation, scenarioIndex } = material;
  const request = askedOf(simulation);
  const scenarios = request?.scenarios ?? [];
  const scenario = scenarios[scenarioIndex];
  const title = scenario?.name ?? 'A simulation';
  const answer =
    simulation.result === null || scenario === undefined ? '' : answerOf(simulation.result, scenario.name);
  const head = html`${answer === '' ? '' : html`<p class="lead">${answer}</p>`}
<p class="muted">${about(simulation, request)}</p>
${scenario === undefined ? '' : html`<ul class="reasons">${scenarioInWords(scenario).map((change) => html`<li>${nameCell(change, 300)}</li>`)}</ul>`}
${scenarios.length < 2 ? '' : html`<p class="links">${scenarios.map(({ name }, index) => (index === scenarioIndex ? html`<strong>${nameCell(name)}</strong>` : html`<a href="${addressWith(view.address, { scenario: String(index), [`${CHANGES_NAME}-page`]: null })}">${nameCell(name)}</a>`))}</p>`}
<p class="links"><a href="${SIMULATIONS_PATH}?again=${simulation.simulationId}&scenario=${scenarioIndex}">Change it and try again</a> <a href="${SIMULATIONS_PATH}">All simulations</a></p>`;
  const { result } = simulation;
  if (result === null || scenario === undefined) {
    return { title, body: standing(simulation, html`${head}${unfinished(simulation)}`) };
  }
  const definition = tableOf(material, view);
  return {
    title,
    body: standing(
      simulation,
      html`${head}
${sumsOf(result, scenario.name)}
${scenario.modelSwaps.length === 0 ? '' : html`<p class="muted">The same number of tokens on the other model; whether its answers are as good is not measured.</p>`}
${notes(result)}
${winnersAndLosers(material, view)}
${pagedTable(definition, material.page, view.address)}
<p class="muted">A change stands only where as many tokens are unknown after as before; else the difference would be one of knowing.</p>`,
    ),
  };
}

/** What was asked, with what has no say left out; null: by a version whose words are no longer known. */
function askedOf({ request }: SimulationBody): SimulationRequest | null {
  return SimulationRequestSchema.safeParse(request).data ?? null;
}

function about(
  { from, to, createdAt, createdBy, priceBookVersion }: SimulationBody,
  request: SimulationRequest | null,
): Html {
  const last = new Date(Date.parse(to) - DAY_MS).toISOString();
  return html`Usage of ${nameCell(request === null ? 'customers' : customersInWords(request))} from ${dayInWords(from)} to ${dayInWords(last)}, rated again by ${nameCell(actorInWords(createdBy))} on ${instantCell(new Date(createdAt))}, with the price book ${priceBookVersion}.`;
}

/** While it runs, the page looks by itself whether it still does. */
function standing({ status }: SimulationBody, body: Html): Html {
  return html`<div id="standing"${status === 'running' ? html` data-refresh="2"` : ''}>${body}</div>`;
}

function unfinished({ simulationId, status, lastError }: SimulationBody): Html {
  if (status === 'running') {
    return html`<p class="notice" role="status">It is being worked out: what it comes to shows here. A year of a thousand customers takes minutes.</p>`;
  }
  return html`<p class="notice danger">It was not worked out: ${lastError === 'ABANDONED' ? 'the service was restarted meanwhile, and nothing of it was kept' : (lastError ?? 'nobody knows why')}. <a href="${SIMULATIONS_PATH}?again=${simulationId}">Begin again</a></p>`;
}

function notes(result: NonNullable<SimulationBody['result']>): Html {
  const { overhead, unratedDayCount } = result;
  return html`${unratedDayCount === 0 ? '' : html`<p class="notice warn">The capacity of ${unratedDayCount} ${unratedDayCount === 1 ? 'day is' : 'days is'} not divided yet: its share is missing in costs.</p>`}
${/^0\.0*$/.test(overhead) ? '' : html`<p class="muted">Bought capacity that nobody used, ${moneyInWords(twoDecimals(overhead), 'usd')}, is in no customer’s cost, before and after.</p>`}`;
}

function winnersAndLosers(material: ResultMaterial, view: ConsoleView): Html {
  const { measure, currency, gaining, losing, counts } = material;
  const choices = (Object.keys(MEASURE_WORDS) as Measure[]).map((each) =>
    each === measure
      ? html`<strong>${MEASURE_WORDS[each]}</strong>`
      : html`<a href="${addressWith(view.address, { by: each, csv: null })}#winners">${MEASURE_WORDS[each]}</a>`,
  );
  const chosen = html`<p class="links" id="measure">By ${choices}</p>`;
  const bars = [...gaining, ...losing.toReversed()].flatMap((change) => barOf(change, material, view));
  if (currency === null || bars.length === 0) {
    const why =
      counts.unknown > 0
        ? `of ${counts.unknown} ${counts.unknown === 1 ? 'customer' : 'customers'} nobody knows it`
        : 'it stays as it is';
    return html`<h2 id="winners">Winners and losers</h2>${chosen}<p class="muted">Nothing to draw: ${why}.</p>`;
  }
  const rest = counts.up + counts.down - bars.length;
  const unknown = counts.unknown === 0 ? '' : `; unknown for ${counts.unknown}`;
  return html`<h2 id="winners">Winners and losers</h2>${chosen}
${divergingBars({
  id: 'change',
  title: `Change of ${MEASURE_WORDS[measure]}`,
  description: `billed in ${currency.toUpperCase()}; it rises for ${counts.up} and falls for ${counts.down}${unknown}${rest > 0 ? `; those that move farthest are drawn, the table has all` : ''}`,
  bars,
})}`;
}

function barOf(change: SimulatedChange, { measure, currency }: ResultMaterial, view: ConsoleView) {
  const delta = { margin: change.marginDelta, revenue: change.revenueDelta, cost: change.costDelta }[measure];
  if (delta === null || currency === null) return [];
  const value = Number(delta);
  const href = change.customerId === null ? null : customerAddress(view)(change.customerId);
  const called =
    change.customerId === null ? 'nobody’s usage' : nameCell(change.name ?? change.customerId, 30);
  return [
    {
      label: href === null ? called : html`<a href="${href}">${called}</a>`,
      value,
      text: signedText(twoDecimals(delta), measure === 'cost' ? 'usd' : currency),
      isGood: measure === 'cost' ? value < 0 : value > 0,
    },
  ];
}

function customerAddress(view: ConsoleView) {
  const leads = view.hasPage('/console/customers/:customerId');
  return (customerId: string) => (leads ? `/console/customers/${encodeURIComponent(customerId)}` : null);
}

function tableOf({ simulation }: ResultMaterial, view: ConsoleView) {
  const currencies = (simulation.result?.totals ?? []).flatMap(({ currency }) => currency ?? []);
  return changesTable({ currencies, addressOf: customerAddress(view) });
}

export const simulationPage = definePage<ResultMaterial>({
  path: `${SIMULATIONS_PATH}/:simulationId`,
  title: 'A simulation',
  scopes: ['sales', 'finance'],
  gather: gatherResult,
  show,
  wholeCsv: (view) => {
    const definition = changesTable({ currencies: [], addressOf: () => null });
    const whole = changesExport(definition);
    const { sort } = readTableQuery(definition, view.address.query);
    const order = (sort?.column ?? 'margin') as ChangeOrder;
    let offset = 0;
    const changes: WholeCsv<SimulatedChange> = {
      columns: csvColumns(whole),
      read: async (snapshot, after, limit) => {
        if (after === null) offset = 0;
        const isDescending = sort?.isDescending ?? true;
        const rows = await listSimulatedChanges(snapshot, changeQueryOf(view), {
          order,
          isDescending,
          limit,
          offset,
        });
        offset += rows.length;
        return rows;
      },
      toCells: (change) => csvCells(whole, change),
    };
    return { [CHANGES_NAME]: changes };
  },
});
