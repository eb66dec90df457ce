import { html } from 'hono/html';
import { formatPico } from '../../../pricing/money.ts';
import type { CostFigures, RollupMoney, RollupRow } from '../../costs/rollups/query.ts';
import { knownCostOf, marginOf, showFigures } from '../../costs/rollups/show.ts';
import type { Html } from '../../pages/html.ts';
import { moneyCell, unknownCell } from '../../pages/numbers.ts';
import type { Column } from '../../pages/table/columns.ts';
import { countColumn } from '../../pages/table/made-columns.ts';
import { groupDigits, moneyInWords } from '../../pages/words.ts';
import {
  changeOf,
  costOfEach,
  NEGLIGIBLE,
  shareOf,
  shownCost,
  shownRevenue,
  unknownShare,
  unpricedShare,
  unratedShare,
} from './decide.ts';

/** An amount in US dollars as the API has it, in pico; null: unknown. */
export const dollarCell = (picoUsd: bigint | null): Html | string =>
  moneyCell(picoUsd === null ? null : formatPico(picoUsd), 'usd');

/** The known cost; what of the tokens has none is said beside it. */
export function costCell(figures: CostFigures): Html | string {
  const unknown = unpricedShare(figures);
  if (unknown === 0) return dollarCell(knownCostOf(figures));
  if (unknown === 1) return unknownCell();
  return html`${dollarCell(knownCostOf(figures))} <small class="unknown" title="The price of these tokens is unknown.">+ ${percent(unknown)} unknown</small>`;
}

/** The revenue in dollars; what of the customers' tokens no rate names is said beside it. */
export function revenueCell(figures: RollupMoney): Html | string {
  const revenue = shownRevenue(figures);
  const unknown = unratedShare(figures);
  if (unknown === 0 || revenue === null) return dollarCell(revenue);
  return html`${dollarCell(revenue)} <small class="unknown" title="No rate names these tokens.">+ ${percent(unknown)} unknown</small>`;
}

/** What is left of the revenue; where some of it or of the cost is unknown, of the tokens that are known. */
export function marginCell(figures: RollupMoney): Html {
  const margin = marginOf(figures);
  const unknown = unknownShare(figures);
  const shown = margin ?? figures.knownMarginPicoUsd;
  if (shown === null || unknown === 1) return unknownCell();
  const share = marginShare(figures);
  const ofRevenue = share === null ? '' : html` <small class="muted">${signedPercent(share)}</small>`;
  const note =
    unknown === null
      ? ofRevenue
      : html` <small class="unknown" title="Of tokens whose cost and revenue are known.">${percent(unknown)} unknown</small>`;
  return html`<span class="${shown < 0n ? 'bad' : ''}">${dollarCell(shown)}</span>${note}`;
}

/** The margin as a part of the revenue, where both are known as a whole. */
export function marginShare(figures: RollupMoney): number | null {
  return shareOf(marginOf(figures), figures.revenuePicoUsd);
}

/** A share in a sentence; what is hardly there does not read as nothing. */
export function percent(share: number): string {
  if (share > 0 && share < 0.001) return '< 0.1 %';
  return `${(share * 100).toFixed(1)} %`;
}

/** The same below zero: `−61.0 %`. */
export const signedPercent = (share: number): string =>
  share < 0 ? `−${(-share * 100).toFixed(1)} %` : percent(share);

/** `+18 %` against before. */
export function changeCell(change: number | null): Html | string {
  if (change === null) return html`<span class="muted">–</span>`;
  const rounded = Math.round(change * 100);
  return `${rounded > 0 ? '+' : rounded < 0 ? '−' : ''}${groupDigits(String(Math.abs(rounded)))} %`;
}

/** The columns that every table of rollups can have; each is named as what it sorts by. */
export const COST: Column<CostFigures> = {
  name: 'cost',
  title: 'Cost',
  kind: 'number',
  cell: costCell,
  csv: (row) => (shownCost(row) === null ? null : formatPico(knownCostOf(row))),
  sortBy: knownCostOf,
};

const NOT_COMPARABLE = html`<span class="muted" title="Not comparable: what all of it cost before is not known.">–<span class="unseen"> not comparable</span></span>`;

export const COST_CHANGE: Column<CostFigures> = {
  name: 'costChange',
  title: 'Change',
  kind: 'number',
  cell: (row) => {
    const cost = shownCost(row);
    if (row.costBeforePicoUsd === null) return NOT_COMPARABLE;
    return changeCell(cost === null ? null : changeOf(cost + row.idleCostPicoUsd, row.costBeforePicoUsd));
  },
  sortBy: (row) =>
    row.costBeforePicoUsd === null ? null : knownCostOf(row) + row.idleCostPicoUsd - row.costBeforePicoUsd,
};

export const REVENUE: Column<RollupRow> = {
  name: 'revenue',
  title: 'Revenue',
  kind: 'number',
  cell: revenueCell,
  csv: (row) => (shownRevenue(row) === null ? null : showFigures(row).revenueUsd),
  sortBy: ({ revenuePicoUsd }) => revenuePicoUsd,
};

export const MARGIN: Column<RollupRow> = {
  name: 'margin',
  title: 'Margin',
  kind: 'number',
  cell: marginCell,
  csv: (row) => showFigures(row).marginUsd,
  sortBy: ({ knownMarginPicoUsd }) => knownMarginPicoUsd,
};

export const TOKENS = countColumn('tokens', 'Tokens', ({ tokenCount }: CostFigures) => tokenCount);

export const REQUESTS = countColumn(
  'requests',
  'Requests',
  ({ requestCount }: { requestCount: bigint }) => requestCount,
);

export const ACTIVE_USERS = countColumn(
  'activeUsers',
  'Users',
  ({ activeUserCount }: RollupRow) => activeUserCount,
);

/** Tokens without a known cost, beside the cost of the others. */
export const UNPRICED = countColumn(
  'unpriced',
  'Unpriced tokens',
  ({ unpricedTokenCount }: CostFigures) => unpricedTokenCount,
);

/** The cost of one of so many, e.g. of a request; unknown where too many tokens have none. */
export function unitCost<Row extends CostFigures>(
  name: string,
  title: string,
  countOf: (row: Row) => bigint,
  { per = 1n, digits }: { per?: bigint; digits: number },
): Column<Row> {
  const isJudged = (row: Row) => unpricedShare(row) <= NEGLIGIBLE;
  const read = (row: Row) =>
    isJudged(row) ? costOfEach(knownCostOf(row) * per, countOf(row), digits) : null;
  return {
    name,
    title,
    kind: 'number',
    cell: (row) => {
      const amount = read(row);
      if (amount !== null) return moneyInWords(amount, 'usd');
      return isJudged(row) ? html`<span class="muted">–</span>` : unknownCell();
    },
    csv: read,
    sortBy: (row) => (read(row) === null ? null : (knownCostOf(row) * per * 1_000_000n) / countOf(row)),
  };
}
