import { describe, expect, it } from 'vitest';
import { accentFor } from '../../src/portal/frame/accent.ts';
import { PORTAL_SCRIPT } from '../../src/portal/frame/script.ts';
import { portalStyle } from '../../src/portal/frame/style.ts';
import { ENGLISH } from '../../src/portal/words/english.ts';
import { GERMAN } from '../../src/portal/words/german.ts';
import { keptReaderLocales, readerLocale } from '../../src/portal/words/reader.ts';

const AMOUNT = '12345678901234567.89';

describe('how a reader is spoken to', () => {
  it.each([
    [undefined, 'en', '$12,345,678,901,234,567.89'],
    ['de-DE,de;q=0.9,en;q=0.8', 'de', '12.345.678.901.234.567,89 $'],
    ['de-AT', 'de', '$ 12.345.678.901.234.567,89'],
    ['fr-FR,fr;q=0.9', 'en', '12 345 678 901 234 567,89 $US'],
    ['fr;q=0.4, de;q=0.9', 'de', '12.345.678.901.234.567,89 $'],
    ['fr, de;q=0.5', 'de', '12 345 678 901 234 567,89 $US'],
    ['en-IN', 'en', '$12,34,56,78,90,12,34,567.89'],
    ['xx-nonsense, *;q=0.5, -, ;;,,', 'en', '$12,345,678,901,234,567.89'],
    [`${'de,'.repeat(5_000)}`, 'de', '12.345.678.901.234.567,89 $'],
  ])('%s', (asked, language, amount) => {
    const locale = readerLocale(asked);
    expect(locale.words.language).toBe(language);
    expect(locale.money(AMOUNT, 'usd').replaceAll(/\s/g, ' ')).toBe(amount);
  });

  it('knows what a currency has of decimals, and shows all digits of a price', () => {
    const { minor, million, flat } = readerLocale('en');
    expect(minor(1_234n, 'jpy')).toBe('¥1,234');
    expect(minor(-5n, 'eur')).toBe('-€0.05');
    expect(million('0.0000375', 'usd')).toBe('$0.375');
    expect(flat('150.5', 'eur')).toBe('€1.505');
  });

  it('keeps formats of readers at hand, each their own, and not without end', () => {
    const localeOf = keptReaderLocales();
    const german = localeOf('de');
    expect(localeOf('de')).toBe(german);
    expect(localeOf(undefined).minor(150n, 'usd')).toBe('$1.50');
    for (const currency of ['usd', 'eur', 'usd'])
      expect(german.minor(150n, currency)).toContain(currency === 'usd' ? '$' : '€');
    const at = new Date('2026-11-21T23:59:00Z');
    expect(['UTC', 'Asia/Kathmandu', 'UTC'].map((zone) => german.timeIn(zone, at))).toEqual([
      '23:59',
      '05:44',
      '23:59',
    ]);
    for (let index = 0; index < 60; index += 1) localeOf(`de;q=0.${index}`);
    expect(localeOf('de')).not.toBe(german);
  });

  it('says days in UTC, whatever zone the machine is in', () => {
    expect(readerLocale('de').day('2026-11-21')).toBe('21. November 2026');
    expect(readerLocale('en-GB').instant(new Date('2026-11-21T23:59:00Z'))).toContain('23:59');
  });

  it.each(['fa-IR', 'ar-SA', 'th-TH', 'ja-JP-u-ca-japanese'])(
    'says the months that are billed to %s',
    (tag) => {
      const day = readerLocale(tag).day('2026-11-21');
      expect(day).toBe(
        new Intl.DateTimeFormat(`${tag.replace(/-u-.*/, '')}-u-ca-gregory`, {
          timeZone: 'UTC',
          dateStyle: 'long',
        }).format(new Date('2026-11-21')),
      );
    },
  );

  it('says everything in German that it says in English, and not in English', () => {
    const sentences = (words: object): [string, unknown][] =>
      Object.entries(words).flatMap(([name, value]: [string, unknown]) =>
        typeof value === 'object' && value !== null
          ? sentences(value).map(([inner, one]): [string, unknown] => [`${name}.${inner}`, one])
          : [[name, value]],
      );
    const german = new Map(sentences(GERMAN));
    const same = sentences(ENGLISH).filter(
      ([name, value]) => typeof value === 'string' && german.get(name) === value,
    );
    expect(same.map(([name]) => name)).toEqual([]);
  });
});

describe("the seller's colour", () => {
  it.each(['#ffffff', '#000000', '#ffff00', '#7a3ff2', '#0b5c74', '#ff8800'])('%s can be read', (color) => {
    for (const theme of ['light', 'dark'] as const)
      expect(accentFor(color, theme).accent).toMatch(/^#[0-9a-f]{6}$/);
    expect(accentFor('#0b5c74', 'light')).toEqual({ accent: '#0b5c74', onAccent: '#ffffff' });
    expect(accentFor('#ffffff', 'dark').accent).toBe('#ffffff');
    expect(accentFor('#ffff00', 'light').accent).not.toBe('#ffff00');
  });
});

it('keeps style and script small', () => {
  expect(portalStyle(null).length).toBeLessThan(30_000);
  expect(PORTAL_SCRIPT.length).toBeLessThan(30_000);
});
