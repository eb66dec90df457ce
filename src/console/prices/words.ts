import { html } from 'hono/html';
import { formatDecimal, PICO_DIGITS } from '../../../pricing/money.ts';
import type { DeploymentType, PriceRow, PriceUnit } from '../../../pricing/prices/rows.ts';
import { picoPerUnitOf } from '../../../pricing/prices/rows.ts';
import type { Html } from '../../pages/html.ts';
import { dayInWords, groupDigits, moneyInWords, tokenTypeInWords } from '../../pages/words.ts';
import type { PlanDetailBody } from '../../plans/schemas.ts';

/** Of one; of what is tiny, a million. */
const UNIT_WORDS: Partial<Record<PriceUnit, string>> = {
  image: 'an image',
  second: 'a second',
  minute: 'a minute',
  hour: 'an hour',
  page: 'a page',
  thousand_pages: 'a page',
  character: 'a million characters',
  thousand_characters: 'a million characters',
  million_characters: 'a million characters',
  search: 'a search',
  thousand_searches: 'a search',
  session: 'a session',
};

export const typeInWords = (type: DeploymentType | string): string => type.replaceAll('_', ' ');

/** What of a price's key is not its place: `input`, `input, priority, above 272,000 input tokens a request`. */
export function kindInWords(
  row: Pick<PriceRow, 'tokenType' | 'variant' | 'serviceTier' | 'aboveInputTokenCount'>,
): string {
  return [tokenTypeInWords(row.tokenType), ...tiersInWords(row)].join(', ');
}

/** What else than place and kind the price depends on; empty: nothing. */
export function tiersInWords(
  row: Pick<PriceRow, 'variant' | 'serviceTier' | 'aboveInputTokenCount'>,
): string[] {
  const { variant, serviceTier, aboveInputTokenCount } = row;
  return [
    ...(variant === '' ? [] : [variant]),
    ...(serviceTier === 'standard' ? [] : [serviceTier]),
    ...(aboveInputTokenCount === 0
      ? []
      : [`above ${groupDigits(String(aboveInputTokenCount))} input tokens a request`]),
  ];
}

/** Of a million tokens or characters, or of one image, second or the like; exact, two decimals or more. Null: it ended. */
export function amountOf(row: Pick<PriceRow, 'amount' | 'unit'>): string | null {
  const pico = picoPerUnitOf(row);
  if (pico === null) return null;
  return formatDecimal(pico, isTiny(row) ? PICO_DIGITS - 6 : PICO_DIGITS, 2);
}

/** For what an amount is. */
export function unitInWords(row: Pick<PriceRow, 'unit'>): string {
  return isByToken(row) ? 'a million' : (UNIT_WORDS[row.unit] ?? row.unit);
}

const isTiny = ({ unit }: Pick<PriceRow, 'unit'>) => unit.includes('token') || unit.includes('character');
const isByToken = ({ unit }: Pick<PriceRow, 'unit'>) => unit.includes('token');

/** An amount of the book as its column has it: of a million tokens, or with what it is for. */
export function amountCell(row: Pick<PriceRow, 'amount' | 'unit' | 'currency'>): Html | string {
  const amount = amountOf(row);
  if (amount === null) return html`<span class="tag warn">ended</span>`;
  const money = moneyInWords(amount, row.currency);
  return isByToken(row) ? money : html`<span>${money} ${unitInWords(row)}</span>`;
}

/** A change in percent, for people. */
export const changeInWords = (change: string): string => change.replace('-', '−');

/** The same for a file: a number, or nothing. */
export const changeInFile = (change: string): string | null => /^\+?(-?[\d.]+) %$/.exec(change)?.[1] ?? null;

export const dayOf = (instant: string): string => instant.slice(0, 10);

/** The day of an instant. @param missing what stands where there is none */
export function dayCell(instant: string | null, missing = '–'): Html {
  if (instant === null) return html`<span class="muted">${missing}</span>`;
  return html`<time datetime="${instant}">${dayInWords(instant)}</time>`;
}

type RateShown = PlanDetailBody['rates'][number];

/** What a rate of a plan charges: `$3.00 a million`, `the first 1,000,000 included, then $3.00 a million up to 50,000,000, …`. */
export function rateInWords({ price }: RateShown, currency: string): string {
  const million = (amount: string) => `${moneyInWords(amount, currency)} a million`;
  if (price.kind === 'per_unit') return million(price.perMillion);
  const parts = price.tiers.map(({ upTo, perMillion, flatAmount }, index) => {
    const end = upTo === null ? '' : ` up to ${groupDigits(upTo)}`;
    const flat = flatAmount === null ? '' : ` and ${moneyInWords(flatAmount, currency)} once`;
    const isFree = /^0(\.0*)?$/.test(perMillion) && flatAmount === null && upTo !== null;
    if (price.mode === 'graduated' && isFree && index === 0) return `the first ${groupDigits(upTo)} included`;
    return `${million(perMillion)}${flat}${end}`;
  });
  return price.mode === 'volume' ? `all of it at ${parts.join(', or ')}` : parts.join(', then ');
}

const NOTE_WORDS: Record<string, string> = {
  markup_rounded_at_12_decimals: 'rounded at the twelfth decimal of a cent',
  no_cost_to_mark_up: 'the book has no price to mark up: usage of it has no rate',
  no_markup_in_force: 'no markup is in force: usage of it has no rate',
  priced_as_global_for_want_of_a_data_zone_price: 'marks up the global price: there is none of a data zone',
  priced_as_global_for_want_of_a_regional_price: 'marks up the global price: there is none of a region',
  priced_as_global_for_want_of_a_batch_price: 'marks up the global price: there is none of batch',
  priced_as_global_for_want_of_a_developer_price: 'marks up the global price: there is none of developer',
};

/** What a rate rests on beside the plan's own words. */
export const noteInWords = (note: string): string => NOTE_WORDS[note] ?? note.replaceAll('_', ' ');

const VERDICT_WORDS: Record<string, string> = {
  large_change: 'a large change',
  new_price: 'a first price',
  unmapped: 'a meter that nobody has named',
  unusable: 'listed in a way the book cannot take',
  disappeared: 'gone from the list; the book keeps it',
  small_change: 'a small change',
};

/** Why a listed price waits for a person. */
export const verdictInWords = (verdict: string): string =>
  VERDICT_WORDS[verdict] ?? verdict.replaceAll('_', ' ');
