import { parseDecimal } from '../money.ts';
import type { LineProblem } from '../prices/file.ts';
import { type ExchangeRate, RATE_DIGITS } from './rates.ts';

export type RateLine = ExchangeRate & { line: number };

/** No currency of the world moves farther from one published day to the next; a slip of the decimal point does. */
const ABSURD_FACTOR = 2n;
const CURRENCY = /^[a-z]{3}$/;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

/**
 * Everything that speaks against taking rates.
 * @param known what is stored already, of the same currencies
 * @param today no rate is of a day to come
 */
export function checkRates(
  rates: readonly RateLine[],
  known: readonly ExchangeRate[],
  { today, supersede, allowAbsurd }: { today: string; supersede: boolean; allowAbsurd: boolean },
): LineProblem[] {
  const wellFormed = rates.map((rate) => ({ rate, problems: judgeForm(rate, today) }));
  const problems = wellFormed.flatMap(({ problems }) => problems);
  const sound = wellFormed.filter(({ problems }) => problems.length === 0).map(({ rate }) => rate);
  const byPair = Map.groupBy([...known, ...sound], ({ base, currency }) => `${base} ${currency}`);
  for (const pair of byPair.values()) problems.push(...judgePair(pair, { supersede, allowAbsurd }));
  return problems.sort((left, right) => left.line - right.line);
}

function judgeForm({ line, day, base, currency, rate }: RateLine, today: string): LineProblem[] {
  const problems: LineProblem[] = [];
  const add = (field: string, message: string, fix?: string) =>
    problems.push({ line, field, message, ...(fix === undefined ? {} : { fix }) });
  if (!DAY.test(day) || Number.isNaN(Date.parse(day)) || new Date(day).toISOString().slice(0, 10) !== day) {
    add('day', `${JSON.stringify(day)} is no day`, 'Write it like 2026-11-27.');
  } else if (day > today) add('day', `${day} is yet to come`);
  for (const [field, text] of [
    ['base', base],
    ['currency', currency],
  ] as const) {
    if (!CURRENCY.test(text)) add(field, `${JSON.stringify(text)} is no currency`, 'Write it like eur.');
  }
  if (base === currency) add('currency', 'is the base itself');
  try {
    if (parseDecimal(rate, RATE_DIGITS) <= 0n) add('rate', `${rate} is not above zero`);
  } catch {
    const fix = rate.includes(',') ? 'Write 1.0842 with a point.' : `At most ${RATE_DIGITS} decimals.`;
    add('rate', `${JSON.stringify(rate)} is no plain decimal number`, fix);
  }
  return problems;
}

function judgePair(
  pair: readonly (ExchangeRate | RateLine)[],
  { supersede, allowAbsurd }: { supersede: boolean; allowAbsurd: boolean },
): LineProblem[] {
  const problems: LineProblem[] = [];
  const days = [...Map.groupBy(pair, ({ day }) => day)].sort(([left], [right]) => (left < right ? -1 : 1));
  let before: ExchangeRate | null = null;
  for (const [, ofDay] of days) {
    const taken = ofDay.filter((rate): rate is RateLine => 'line' in rate);
    const [stored] = ofDay.filter((rate) => !('line' in rate));
    const [first, second] = taken;
    if (second !== undefined && second.rate !== first?.rate) {
      problems.push({ line: second.line, field: 'rate', message: 'is another than above for the same day' });
    }
    if (first !== undefined && stored !== undefined && isOther(first, stored) && !supersede) {
      problems.push({
        line: first.line,
        field: 'rate',
        message: `is stored as ${stored.rate} (${stored.source}) for ${first.day}`,
        fix: 'To correct it, import with supersede.',
      });
    }
    if (first !== undefined && before !== null && isAbsurd(before, first) && !allowAbsurd) {
      problems.push({
        line: first.line,
        field: 'rate',
        message: `is absurd: ${first.rate} after ${before.rate} on ${before.day}`,
        fix: 'Check the decimal point and which currency is the base; if it is right, import with allowAbsurd.',
      });
    }
    before = first ?? stored ?? before;
  }
  return problems;
}

function isOther(left: ExchangeRate, right: ExchangeRate): boolean {
  return parseDecimal(left.rate, RATE_DIGITS) !== parseDecimal(right.rate, RATE_DIGITS);
}

function isAbsurd(before: ExchangeRate, after: ExchangeRate): boolean {
  const [was, becomes] = [before, after].map(({ rate }) => parseDecimal(rate, RATE_DIGITS)) as [
    bigint,
    bigint,
  ];
  return becomes > was * ABSURD_FACTOR || becomes * ABSURD_FACTOR < was;
}
