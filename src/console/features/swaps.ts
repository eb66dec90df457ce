import { html } from 'hono/html';
import { formatPico } from '../../../pricing/money.ts';
import type { FeatureSwaps, SwapCandidate } from '../../../pricing/simulations/swaps.ts';
import type { FoundSwaps } from '../../costs/swaps/gather.ts';
import { hasScope } from '../../identity/require-scope.ts';
import type { Html } from '../../pages/html.ts';
import { shareCell } from '../../pages/numbers.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { dataTable } from '../../pages/table/table.ts';
import { nameCell } from '../../pages/texts.ts';
import { groupDigits } from '../../pages/words.ts';
import type { ConsoleView } from '../frame/define-page.ts';
import { NEW_QUOTE_PATH } from '../quotes/form/draw.ts';
import { dollarCell } from '../rollups/columns.ts';
import { shareOf } from '../rollups/decide.ts';
import { dollars } from '../rollups/draw.ts';
import { SIMULATIONS_PATH } from '../simulations/address.ts';
import { recordHref } from './address.ts';

/** A feature on a model, and one that would have cost less: people see the best, the CSV has each. */
interface SwapRow extends FeatureSwaps {
  candidate: SwapCandidate;
}

/** Beyond these the CSV tells. */
const MOST_OTHERS = 8;

function swapsTable(found: FoundSwaps, view: ConsoleView): TableDefinition<SwapRow> {
  const inUse = (model: string) =>
    found.usedModels.has(model) ? html` <small class="muted">in use</small>` : '';
  return {
    name: 'swaps',
    caption: 'What a model swap would save',
    sort: '-saving',
    pageSize: 20,
    empty: 'No other model in the price book would have cost less.',
    columns: [
      {
        name: 'on_feature',
        title: 'Feature',
        kind: 'text',
        isRowHeader: true,
        cell: ({ feature }) =>
          feature === '' ? html`<span class="muted">no feature</span>` : nameCell(feature),
        csv: ({ feature }) => feature,
        sortBy: ({ feature }) => feature,
      },
      {
        name: 'from',
        title: 'Runs on',
        kind: 'text',
        cell: ({ model }) => nameCell(model),
        csv: ({ model }) => model,
        sortBy: ({ model }) => model,
      },
      {
        name: 'cost',
        title: 'Cost',
        kind: 'number',
        cell: ({ costPicoUsd }) => dollarCell(costPicoUsd),
        csv: ({ costPicoUsd }) => formatPico(costPicoUsd),
        sortBy: ({ costPicoUsd }) => costPicoUsd,
      },
      {
        name: 'to',
        title: 'Least on',
        kind: 'text',
        cell: ({ candidate }) => html`${nameCell(candidate.model)}${inUse(candidate.model)}`,
        csv: ({ candidate }) => candidate.model,
      },
      {
        name: 'cost_after',
        title: 'Cost there',
        kind: 'number',
        cell: ({ candidate }) => dollarCell(candidate.costPicoUsd),
        csv: ({ candidate }) => formatPico(candidate.costPicoUsd),
      },
      {
        name: 'saving',
        title: 'Saving',
        kind: 'number',
        cell: ({ candidate, costPicoUsd }) =>
          html`${dollarCell(candidate.savingPicoUsd)} <small class="muted">${shareCell(shareOf(candidate.savingPicoUsd, costPicoUsd))}</small>`,
        csv: ({ candidate }) => formatPico(candidate.savingPicoUsd),
        sortBy: ({ candidate }) => candidate.savingPicoUsd,
      },
      {
        name: 'others',
        title: 'Or on',
        kind: 'text',
        cell: (row) => othersCell(row, inUse),
      },
      { name: 'try', title: 'Try it', kind: 'text', cell: (row) => tryCell(row, row.candidate.model, view) },
    ],
  };
}

/** The other models that would have cost less, each with what it would have saved. */
function othersCell({ candidates }: SwapRow, inUse: (model: string) => Html | string): Html | string {
  const others = candidates.slice(1, 1 + MOST_OTHERS);
  if (others.length === 0) return html`<span class="muted">–</span>`;
  const more = candidates.length - 1 - others.length;
  return html`<details><summary>${candidates.length - 1} more</summary>${others.map(({ model, savingPicoUsd }) => html`<div>${nameCell(model)}${inUse(model)}: ${dollars(savingPicoUsd)}</div>`)}${more === 0 ? '' : html`<div class="muted">and ${more} in the CSV</div>`}</details>`;
}

function tryCell(row: SwapRow, to: string, view: ConsoleView): Html | string {
  const made = hasScope(view.caller, ['finance'])
    ? html` <a href="${recordHref({ kind: 'swap', feature: row.feature, fromModel: row.model, toModel: to })}">Made<span class="unseen"> of ${row.feature} from ${row.model} to ${to}: record it</span></a>`
    : '';
  return html`${tryLink(row, to, view)}${made}`;
}

function tryLink(row: SwapRow, to: string, view: ConsoleView): Html | string {
  const unseen = html`<span class="unseen"> of ${row.feature} from ${row.model} to ${to}</span>`;
  if (view.hasPage(SIMULATIONS_PATH) && row.feature !== '') {
    return html`<a href="${simulationAddress(row, to, view)}">Simulate${unseen}</a>`;
  }
  const quote = quoteAddress(row, to);
  return quote === null || !view.hasPage(NEW_QUOTE_PATH) ? '' : html`<a href="${quote}">Quote${unseen}</a>`;
}

function simulationAddress({ feature, model }: SwapRow, to: string, { address }: ConsoleView): string {
  const query = new URLSearchParams({ feature, fromModel: model, toModel: to });
  for (const name of ['period', 'from', 'to']) {
    const value = address.query.get(name);
    if (value) query.set(name, value);
  }
  return `${SIMULATIONS_PATH}?${query}`;
}

/** The form of a quote for the same usage on the other model; null: the form has no fields for some of it. */
function quoteAddress({ feature, model, tokenCounts }: SwapRow, to: string): string | null {
  const {
    prompt = 0n,
    prompt_cached: cached = 0n,
    completion = 0n,
    ...others
  } = Object.fromEntries(tokenCounts);
  if (Object.keys(others).length > 0) return null;
  const query = new URLSearchParams({
    basis: 'usage',
    model,
    feature: feature || '*',
    prompt: String(prompt + cached),
    cached: String(cached),
    completion: String(completion),
    requests: '',
    also: '',
    swapFrom: model,
    swapTo: to,
  });
  return `${NEW_QUOTE_PATH}?${query}`;
}

const best = ({ features }: FoundSwaps): SwapRow[] =>
  features.flatMap((row) => row.candidates.slice(0, 1).map((candidate) => ({ ...row, candidate })));

/** What each feature would have saved on another model, and what that does not say. */
export function drawSwaps(found: FoundSwaps, view: ConsoleView): Html {
  const unknown =
    found.unknownTokenCount === 0n
      ? ''
      : ` ${groupDigits(String(found.unknownTokenCount))} tokens whose cost is unknown are left out.`;
  return html`${dataTable(swapsTable(found, view), best(found), view.address)}
<p class="muted">The tokens of ${view.period.words} at the other model’s prices of the time, as the deployment runs. Whether its answers are as good, or take as many tokens, is not measured; bought capacity costs the same whatever runs elsewhere.${unknown}</p>`;
}

/** Every model that would have cost less, of every feature. */
export function swapsExport(found: FoundSwaps, view: ConsoleView) {
  const rows = found.features.flatMap((row) => row.candidates.map((candidate) => ({ ...row, candidate })));
  return { definition: swapsTable(found, view), rows };
}
