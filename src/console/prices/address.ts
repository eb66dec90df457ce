import type { PriceRow } from '../../../pricing/prices/rows.ts';

export const PRICES_PATH = '/console/prices';
export const HISTORY_PATH = `${PRICES_PATH}/history`;

/** Where the history of a price is drawn. */
export function historyAddress({ model, tokenType }: Pick<PriceRow, 'model' | 'tokenType'>): string {
  return `${HISTORY_PATH}?${new URLSearchParams({ model, tokenType })}`;
}

export const planAddress = (planId: string): string => `${PRICES_PATH}/plans/${encodeURIComponent(planId)}`;
