import { formatDecimal, PICO_DIGITS } from '../money.ts';
import { completePriceRow, type PriceRow } from '../prices/rows.ts';
import type { RetailTarget } from './meter-map.ts';

/** Key of the source that synchronized rows name. */
export const RETAIL_SOURCE = 'azure-retail-prices';

/** Decimals between a price for one and a price for a million. */
const MILLION_DIGITS = 6;

/** A listed price that the book can take. */
export interface ListedRow {
  target: RetailTarget;
  meterId: string;
  meterName: string;
  /** Of one token, image, second or hour, in pico units of the currency. */
  newPicoPerUnit: bigint;
  currency: string;
  listedFrom: Date;
  effectiveFrom: Date;
}

/** The row as the book writes it: tokens by the million, everything else by one. */
export function rowOfListedPrice(listed: ListedRow, today: string): PriceRow {
  const row = completePriceRow({
    ...listed.target,
    amount: '0',
    currency: listed.currency,
    effectiveFrom: toSecond(listed.effectiveFrom),
    source: RETAIL_SOURCE,
    sourceKey: listed.meterId,
    listedAt: today,
    note: `${listed.meterName}, listed from ${toSecond(listed.listedFrom)}`.slice(0, 1_000),
  });
  const digits = row.unit === 'million_tokens' ? PICO_DIGITS - MILLION_DIGITS : PICO_DIGITS;
  return { ...row, amount: formatDecimal(listed.newPicoPerUnit, digits) };
}

function toSecond(instant: Date): string {
  return `${instant.toISOString().slice(0, 19)}Z`;
}
