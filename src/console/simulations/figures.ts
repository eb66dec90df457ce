import { html } from 'hono/html';
import type { Html } from '../../pages/html.ts';
import { moneyCell, unknownCell } from '../../pages/numbers.ts';
import type { SimulatedFigures } from '../../simulations/schemas.ts';

type Cell = Html | string;

/** A figure before and after: what is known of it, and how much of the tokens is not in it. */
export interface ShownFigure {
  amount: (figures: SimulatedFigures) => Cell;
  /** Null: nothing is unknown. */
  unknown: (figures: SimulatedFigures) => Html | null;
}

/** What customers pay, of what has a rate. */
export const REVENUE: ShownFigure = {
  amount: ({ currency, revenue, ratedRevenue, unratedTokenCount, tokenCount }) =>
    currency === null || ratedRevenue === null
      ? NOBODY
      : partly(revenue.amount, ratedRevenue, currency, unratedTokenCount === tokenCount),
  unknown: ({ unratedTokenCount, tokenCount, currency }) =>
    currency === null ? null : shareUnknown(unratedTokenCount, tokenCount, 'Tokens without a rate.'),
};

/** What it costs us, in US dollars. */
export const COST: ShownFigure = {
  amount: ({ cost, knownCost, unknownCostTokenCount, tokenCount }) =>
    partly(cost.amount, knownCost, 'usd', unknownCostTokenCount === tokenCount),
  unknown: ({ unknownCostTokenCount, tokenCount }) =>
    shareUnknown(unknownCostTokenCount, tokenCount, 'Tokens without a price.'),
};

/** What is left; where something is unknown, of the tokens with rate and price and before any minimum. */
export const MARGIN: ShownFigure = {
  amount: ({ currency, margin, knownMargin, unknownTokenPercent }) => {
    if (currency === null) return NOBODY;
    const isUnknown = unknownTokenPercent !== null && Number(unknownTokenPercent) >= 100;
    return moneyCell(margin.amount ?? (isUnknown ? null : knownMargin.amount), currency);
  },
  unknown: ({ currency, margin, knownMargin, unknownTokenPercent }) => {
    const isPart = margin.amount === null && knownMargin.amount !== null && unknownTokenPercent !== null;
    if (currency === null || !isPart || Number(unknownTokenPercent) >= 100) return null;
    return unknownPart(
      Number(unknownTokenPercent),
      'It is of the tokens with a rate and a price, before any minimum.',
    );
  },
};

const NOBODY = html`<span class="muted">–</span>`;

function partly(amount: string | null, known: string, currency: string, isAllUnknown: boolean): Cell {
  if (amount !== null) return moneyCell(amount, currency);
  return isAllUnknown ? unknownCell() : moneyCell(known, currency);
}

function shareUnknown(unknown: string, all: string, title: string): Html | null {
  return unknown === '0' || unknown === all
    ? null
    : unknownPart((Number(unknown) / Number(all)) * 100, title);
}

function unknownPart(percent: number, title: string): Html {
  const said = percent < 0.1 ? '< 0.1' : percent.toFixed(1);
  return html`<small class="unknown" title="${title}">+ ${said} % unknown</small>`;
}
