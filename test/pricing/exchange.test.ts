import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkRates } from '../../pricing/exchange/check.ts';
import { parseRateCsv } from '../../pricing/exchange/csv.ts';
import { conversionAt, convertPicoUsd, type ExchangeRate } from '../../pricing/exchange/rates.ts';
import { divideHalfUp, formatDecimal, parseDecimal } from '../../pricing/money.ts';

const of = (day: string, currency: string, rate: string, base = 'eur'): ExchangeRate => ({
  day,
  base,
  currency,
  rate,
  source: 'ECB',
});
const RATES = [
  of('2026-11-26', 'usd', '1.0800'),
  of('2026-11-27', 'usd', '1.2500'),
  of('2026-11-27', 'gbp', '0.8000'),
  of('2026-11-27', 'jpy', '160'),
];
const at = (to: string, day: string, rates = RATES) => conversionAt(rates, { from: 'usd', to, day });
const rateOf = (found: ReturnType<typeof at>) =>
  typeof found === 'string' ? found : [found.rate, found.day];

describe('the conversion of a day', () => {
  it.each([
    ['to the base', 'eur', '2026-11-27', ['0.8', '2026-11-27']],
    ['between two others', 'gbp', '2026-11-27', ['0.64', '2026-11-27']],
    ['over a weekend', 'eur', '2026-11-29', ['0.8', '2026-11-27']],
    ['of a day before the newest', 'eur', '2026-11-26', ['0.92592593', '2026-11-26']],
    ['where only one of two is published that day', 'gbp', '2026-11-26', 'no_exchange_rate'],
    ['of long ago', 'eur', '2026-12-08', 'exchange_rate_too_old'],
    ['of before all of them', 'eur', '2026-11-25', 'no_exchange_rate'],
    ['of a currency that nobody published', 'sek', '2026-11-27', 'no_exchange_rate'],
  ])('%s', (_, to, day, expected) => {
    expect(rateOf(at(to, day))).toEqual(expected);
  });

  it('takes rates whose base is the dollar as well', () => {
    expect(rateOf(at('eur', '2026-11-27', [of('2026-11-27', 'eur', '0.9', 'usd')]))).toEqual([
      '0.9',
      '2026-11-27',
    ]);
  });

  it('converts by what was published, rounded once, and names it', () => {
    fc.assert(
      fc.property(
        fc.bigInt(-(10n ** 20n), 10n ** 20n),
        fc.bigInt(1n, 10n ** 7n),
        fc.bigInt(1n, 10n ** 7n),
        (picoUsd, usd, gbp) => {
          const rates = [
            of('2026-11-27', 'usd', formatDecimal(usd, 4)),
            of('2026-11-27', 'gbp', formatDecimal(gbp, 4)),
          ];
          const found = at('gbp', '2026-11-27', rates);
          if (typeof found === 'string') throw new Error(found);
          expect(convertPicoUsd(picoUsd, found)).toBe(divideHalfUp(picoUsd * 100n * gbp, usd));
          const [source, target] = found.published.map(({ rate }) => parseDecimal(rate, 4));
          expect([source, target]).toEqual([usd, gbp]);
        },
      ),
    );
  });
});

describe('a file of exchange rates', () => {
  const daily = 'Date, USD, JPY, GBP, \n27 November 2026, 1.2500, 160.00, 0.8000, \n';
  const history =
    'Date,USD,JPY,GBP,ISK,\n2026-11-27,1.2500,160.00,0.8000,N/A,\n2026-11-26,1.0800,159.1,0.8100,,\n';
  const plain = 'day,base,currency,rate\n2026-11-27,EUR,USD,1.25\n\n2026-11-27,eur,jpy,1.6e2\n';

  it.each([
    ['of the ECB, daily', daily, ['2026-11-27 usd 1.2500', '2026-11-27 jpy 160.00', '2026-11-27 gbp 0.8000']],
    ['of our own form', plain, ['2026-11-27 usd 1.25', '2026-11-27 jpy 160']],
    [
      'with semicolons and a mark',
      `\uFEFF${plain.replaceAll(',', ';')}`,
      ['2026-11-27 usd 1.25', '2026-11-27 jpy 160'],
    ],
  ])('%s', (_, text, expected) => {
    const { rates, problems } = parseRateCsv(text);
    expect(problems).toEqual([]);
    expect(rates.map(({ day, currency, rate }) => `${day} ${currency} ${rate}`)).toEqual(expected);
    expect(checkRates(rates, [], { today: '2026-11-30', supersede: false, allowAbsurd: false })).toEqual([]);
  });

  it('of the ECB, all of its history', () => {
    expect(parseRateCsv(history).rates).toHaveLength(6);
  });

  it('is refused line by line', () => {
    const known = [of('2026-11-26', 'usd', '1.08'), of('2026-11-25', 'gbp', '0.8')];
    const { rates } = parseRateCsv(
      [
        'day,base,currency,rate',
        '2026-11-27,eur,usd,10.8',
        '2026-11-26,eur,usd,1.09',
        '2026-12-01,eur,gbp,0.8',
        '2026-02-30,eur,gbp,0.8',
        '2026-11-27,eur,eur,1',
        '2026-11-27,eur,gbp,0',
        '2026-11-27,eur,gbp,"0,8"',
        '2026-11-27,euro,gbp,0.8',
        '2026-11-27,eur,jpy,160',
        '2026-11-27,eur,jpy,161',
      ].join('\n'),
    );
    const limits = { today: '2026-11-30', supersede: false, allowAbsurd: false };
    expect(checkRates(rates, known, limits).map(({ line, field }) => `${line} ${field}`)).toEqual([
      '2 rate',
      '3 rate',
      '4 day',
      '5 day',
      '6 currency',
      '7 rate',
      '8 rate',
      '9 base',
      '11 rate',
    ]);
    const forced = checkRates(rates.slice(0, 2), known, { ...limits, supersede: true, allowAbsurd: true });
    expect(forced).toEqual([]);
  });
});
