import { divideHalfUp, formatDecimal, PICO_DIGITS } from '../../../pricing/money.ts';
import type { TimeWindow } from '../../platform/clock.ts';

/** Decimals of tokens in millions, and of what a million costs where a token costs whole pico-dollars. */
const MILLION_DIGITS = 6;

/** How the specification writes an instant. */
export function instantCell(instant: Date): string {
  return instant.toISOString().replace('.000Z', 'Z');
}

/** An amount of pico units; always with a point, so that readers that guess types see a decimal. */
export function picoCell(amountPico: bigint): string {
  return formatDecimal(amountPico, PICO_DIGITS, 1);
}

/** So many tokens, as a decimal. */
export function tokenCell(tokenCount: bigint): string {
  return formatDecimal(tokenCount, 0, 1);
}

/** What a million tokens cost when all of these cost so much, to 18 decimals. */
function unitPriceCell(amountPico: bigint, tokenCount: bigint): string {
  const [amount, tokens] = tokenCount < 0n ? [-amountPico, -tokenCount] : [amountPico, tokenCount];
  return formatDecimal(divideHalfUp(amount * 10n ** 12n, tokens), 18, 1);
}

/** What a charge costs, of which nobody takes anything off. */
export function amountCells(amount: string) {
  return { BilledCost: amount, EffectiveCost: amount, ContractedCost: amount, ListCost: amount };
}

/** Tokens that are sold by the million. @param amountPico what they cost; null: unknown */
export function tokenCells(tokenCount: bigint, amountPico: bigint | null) {
  const price = amountPico === null || tokenCount === 0n ? null : unitPriceCell(amountPico, tokenCount);
  return {
    ...priceCells(price),
    PricingQuantity: formatDecimal(tokenCount, MILLION_DIGITS, 1),
    PricingUnit: '1000000 Tokens',
  };
}

/** The price of a unit, of which nobody takes anything off. */
export function priceCells(price: string | null) {
  return { ListUnitPrice: price, ContractedUnitPrice: price };
}

/** What is sold, whoever sells it. */
export const SERVICE_CELLS = {
  ServiceCategory: 'AI and Machine Learning',
  ServiceSubcategory: 'Generative AI',
} as const;

/** When what is charged was used. */
export function periodCells({ start, end }: TimeWindow) {
  return { ChargePeriodStart: instantCell(start), ChargePeriodEnd: instantCell(end) };
}

/** A key-value column; an object without any entry is null. */
export function keyValueCell(values: Readonly<Record<string, string | null>>): string | null {
  const known = Object.entries(values).filter(([, value]) => value !== null && value !== '');
  return known.length === 0 ? null : JSON.stringify(Object.fromEntries(known));
}
