import {
  formatDecimal,
  formatMinor,
  minorUnitDigits,
  PICO_DIGITS,
  parseDecimal,
} from '../../../pricing/money.ts';
import { modelInWords } from '../../pages/words.ts';
import type { CountedUsage } from '../../statements/groups.ts';
import { ENGLISH, type PortalWords } from './english.ts';
import { GERMAN } from './german.ts';

const LANGUAGES: Readonly<Record<string, PortalWords>> = { en: ENGLISH, de: GERMAN };

/** How one reader is spoken to: words in a language that there is, counts, amounts and dates as where they live. */
export interface ReaderLocale {
  words: PortalWords;
  /** The last instant of a window is not in it; all days are UTC. */
  day: (day: string | Date) => string;
  dayShort: (day: string | Date) => string;
  /** With its day of the week and without its year, in a list of one period. */
  dayListed: (day: string | Date) => string;
  month: (instant: Date) => string;
  /** With the time, in UTC. */
  instant: (instant: Date) => string;
  /** The time of day in a zone, with the day. */
  hourIn: (zone: string, instant: Date) => string;
  timeIn: (zone: string, instant: Date) => string;
  count: (count: bigint | number) => string;
  /** Few characters, for scales. */
  shortCount: (count: number) => string;
  share: (share: number) => string;
  /** Without decimals. */
  wholeShare: (share: number) => string;
  /** @param amount decimal text; all of its digits are shown */
  money: (amount: string, currency: string) => string;
  minor: (amountMinor: bigint, currency: string) => string;
  /** Of minor units for one token: what a million cost. */
  million: (unitAmountDecimal: string, currency: string) => string;
  /** @param minorDecimal minor units with decimals */
  flat: (minorDecimal: string, currency: string) => string;
  usage: (counted: CountedUsage) => string;
}

/**
 * By the languages that a browser says it reads: formats of the first that is known, words of the first that there are. Whoever
 * reads none of ours gets English.
 */
export function readerLocale(acceptLanguage: string | undefined): ReaderLocale {
  const asked = (acceptLanguage ?? '')
    .slice(0, 1_000)
    .split(',')
    .map((part) => {
      const [tag = '', ...parameters] = part.trim().split(';');
      const quality = parameters
        .map((one) => /^\s*q=([\d.]+)$/.exec(one)?.[1])
        .find((one) => one !== undefined);
      return { tag: tag.trim(), quality: quality === undefined ? 1 : Number(quality) };
    })
    .filter(({ tag, quality }) => quality > 0 && isKnown(tag))
    .sort((one, other) => other.quality - one.quality)
    .map(({ tag }) => tag);
  const language = asked
    .map((tag) => tag.slice(0, 2).toLowerCase())
    .find((one) => Object.hasOwn(LANGUAGES, one));
  return localeOf(asked[0] ?? 'en', LANGUAGES[language ?? 'en'] ?? ENGLISH);
}

function isKnown(tag: string): boolean {
  try {
    return Intl.NumberFormat.supportedLocalesOf([tag]).length > 0;
  } catch {
    return false;
  }
}

/**
 * The same, with the last readers' formats at hand: to make those of one page takes longer than to draw it. What a request may name is
 * without end, so what is kept is not.
 */
export function keptReaderLocales(): typeof readerLocale {
  return kept(MOST_READERS, (asked: string | undefined) => asked ?? '', readerLocale);
}

const MOST_READERS = 50;
/** Of one reader: currencies by their decimals, and time zones. */
const MOST_FORMATS = 100;

/** A function that remembers what it made, until there is too much of it. */
function kept<Asked extends unknown[], Made>(
  most: number,
  keyOf: (...asked: Asked) => string,
  make: (...asked: Asked) => Made,
): (...asked: Asked) => Made {
  const made = new Map<string, Made>();
  return (...asked) => {
    const key = keyOf(...asked);
    const known = made.get(key);
    if (known !== undefined) return known;
    if (made.size >= most) made.clear();
    const fresh = make(...asked);
    made.set(key, fresh);
    return fresh;
  };
}

/** An amount in figures. `Intl` takes decimal text exactly, which its types know as a number's text alone. */
type Decimal = `${number}`;

function localeOf(locale: string, words: PortalWords): ReaderLocale {
  const dates = (form: Intl.DateTimeFormatOptions) => {
    // Billed are months of this calendar, also where another is usual.
    const format = new Intl.DateTimeFormat(locale, { timeZone: 'UTC', calendar: 'gregory', ...form });
    return (day: string | Date) => format.format(new Date(day));
  };
  const counts = new Intl.NumberFormat(locale);
  const short = new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 });
  const shares = new Intl.NumberFormat(locale, {
    style: 'percent',
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
  });
  const wholeShares = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 });
  const moneyFormat = kept(
    MOST_FORMATS,
    (currency: string, digits: number) => `${currency} ${digits}`,
    (currency, digits) =>
      new Intl.NumberFormat(locale, {
        style: 'currency',
        currency,
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
      }),
  );
  const money = (amount: string, currency: string) =>
    moneyFormat(currency, amount.split('.')[1]?.length ?? 0).format(amount as Decimal);
  const inZone = (form: Intl.DateTimeFormatOptions) =>
    kept(
      MOST_FORMATS,
      (timeZone: string) => timeZone,
      (timeZone) => dates({ timeZone, hour: '2-digit', minute: '2-digit', ...form }),
    );
  const hourIn = inZone({ day: 'numeric', month: 'short' });
  const timeIn = inZone({});
  const pico = (amountPico: bigint, currency: string) => {
    const digits = minorUnitDigits(currency);
    return money(formatDecimal(amountPico, PICO_DIGITS + digits, digits), currency);
  };
  const instant = dates({ dateStyle: 'long', timeStyle: 'short' });
  return {
    words,
    day: dates({ dateStyle: 'long' }),
    dayShort: dates({ day: 'numeric', month: 'short' }),
    dayListed: dates({ weekday: 'short', day: 'numeric', month: 'short' }),
    month: dates({ month: 'long', year: 'numeric' }),
    instant: (at) => `${instant(at)} UTC`,
    hourIn: (zone, at) => hourIn(zone)(at),
    timeIn: (zone, at) => timeIn(zone)(at),
    count: (count) => counts.format(count),
    shortCount: (count) => short.format(count),
    share: (share) => shares.format(share),
    wholeShare: (share) => wholeShares.format(share),
    money,
    minor: (amountMinor, currency) => money(formatMinor(amountMinor, currency), currency),
    million: (unit, currency) => pico(parseDecimal(unit, PICO_DIGITS) * 1_000_000n, currency),
    flat: (minor, currency) => pico(parseDecimal(minor, PICO_DIGITS), currency),
    usage: ({ model, tokenType, feature }) => {
      const usage = `${model === '*' ? words.anyModel : modelInWords(model)} ${words.tokens[tokenType]}`;
      return feature === null ? usage : words.forFeature(usage, feature);
    },
  };
}
