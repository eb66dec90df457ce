import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readShippedMeterFile } from '../../jobs/prices/read-meter-file.ts';
import { formatDecimal, parseDecimal } from '../../pricing/money.ts';
import { azureOpenAiPriceBook } from '../../pricing/prices/azure-openai.ts';
import { diffRetailPrices } from '../../pricing/retail/diff.ts';
import { plainDecimal, type RetailItem } from '../../pricing/retail/item.ts';
import { createMeterMap, readMeterFile } from '../../pricing/retail/meter-map.ts';
import { rowOfListedPrice } from '../../pricing/retail/row.ts';
import { fitsKind, parseRetailUnit, picoPerOne } from '../../pricing/retail/unit.ts';

const NOW = new Date('2026-10-15T10:30:00Z');
const NEXT_HOUR = new Date('2026-10-15T11:00:00Z');
const METER = '00000000-0000-4000-8000-00000000000a';
const OTHER = '00000000-0000-4000-8000-00000000000b';

function item(changes: Partial<RetailItem> = {}): RetailItem {
  return {
    meterId: METER,
    meterName: 'gpt-4o-0806-Inp-glbl Tokens',
    skuName: 'gpt-4o-0806-Inp-glbl',
    productName: 'Azure OpenAI',
    serviceName: 'Foundry Models',
    armRegionName: 'eastus2',
    currency: 'usd',
    retailPrice: '0.0025',
    unitOfMeasure: '1K',
    type: 'Consumption',
    tierMinimumUnits: '0',
    effectiveStartDate: new Date('2024-08-01T00:00:00Z'),
    effectiveEndDate: null,
    ...changes,
  };
}

const target = { model: 'gpt-4o', deploymentType: 'global', region: '*', tokenType: 'prompt' };
const map = createMeterMap(
  readMeterFile({
    meters: [
      { meterId: METER, ...target },
      { meterId: OTHER.toUpperCase(), ...target },
    ],
  }),
);

function diff(items: RetailItem[], options: { percent?: number; known?: string[] } = {}) {
  return diffRetailPrices(items, map, azureOpenAiPriceBook, {
    now: NOW,
    smallChangePercent: options.percent ?? 20,
    knownMeters: (options.known ?? []).map((meterId) => ({ meterId, meterName: 'as it was called' })),
  });
}
const judge = (...items: RetailItem[]) =>
  diff(items).findings.map(({ verdict, reason }) => reason ?? verdict);

describe('a listed price', () => {
  it.each([
    ['0.0025', 'unchanged'],
    ['0.003', 'small_change'],
    ['0.0030000000000001', 'not_exact'],
    ['0.003000001', 'large_change'],
    ['0.002', 'small_change'],
    ['0.001999999', 'large_change'],
    ['0', 'not_positive'],
    ['-0.0025', 'not_positive'],
  ])('of %s against 0.0025 is %s', (retailPrice, expected) => {
    expect(judge(item({ retailPrice }))).toEqual([expected]);
  });

  it.each<[string, Partial<RetailItem>, string]>([
    ['in an unknown unit', { unitOfMeasure: '1 Blob' }, 'unknown_unit'],
    ['by the hour', { unitOfMeasure: '1 Hour' }, 'unit_does_not_fit'],
    ['in another currency', { currency: 'eur' }, 'other_currency'],
    ['from a number of units on', { tierMinimumUnits: '1000' }, 'tiered'],
    ['of a meter that nobody named', { meterId: 'ffffffff-0000-4000-8000-000000000000' }, 'unmapped'],
  ])('%s waits', (_, changes, expected) => {
    expect(judge(item(changes))).toEqual([expected]);
  });

  it('is no price when it is a reservation, an offer for developers, or ended', () => {
    const { findings, ignoredCount } = diff([
      item({ type: 'Reservation' }),
      item({ type: 'DevTestConsumption' }),
      item({ effectiveEndDate: NOW }),
    ]);
    expect([findings, ignoredCount]).toEqual([[], 3]);
  });

  it('is one in all regions and of all meters that are it, or waits', () => {
    const elsewhere = item({ armRegionName: 'westeurope', meterId: OTHER });
    expect(judge(item(), elsewhere)).toEqual(['unchanged']);
    expect(judge(item(), { ...elsewhere, retailPrice: '0.0026' })).toEqual(['prices_disagree']);
    const [finding] = diff([item(), { ...elsewhere, retailPrice: '0.0026' }]).findings;
    expect(finding?.retailPrice).toBe('0.0025 | 0.0026');
  });

  it('is the last one to have begun', () => {
    const newer = item({ retailPrice: '0.0026', effectiveStartDate: new Date('2026-10-01T00:00:00Z') });
    const { findings } = diff([newer, item()]);
    expect(findings).toMatchObject([
      { verdict: 'small_change', newPicoPerUnit: 2_600_000n, effectiveFrom: NEXT_HOUR, isRetroactive: true },
    ]);
  });

  it('that is announced is a matter of its own, held against what holds until then', () => {
    const now = item({ retailPrice: '0.0029', effectiveStartDate: new Date('2026-10-01T00:00:00Z') });
    const announcedFor = new Date('2026-11-01T00:00:00Z');
    const announced = item({ retailPrice: '0.0033', effectiveStartDate: announcedFor });
    const { findings } = diff([announced, now]);
    expect(findings).toMatchObject([
      { verdict: 'small_change', oldPicoPerUnit: 2_500_000n, effectiveFrom: NEXT_HOUR },
      {
        verdict: 'small_change',
        oldPicoPerUnit: 2_900_000n,
        effectiveFrom: announcedFor,
        isRetroactive: false,
      },
    ]);
    expect(new Set(findings.map(({ subject }) => subject)).size).toBe(2);
  });

  it('that went is reported when its meter has a meaning, and only then', () => {
    expect(diff([], { known: [METER, 'ffffffff-0000-4000-8000-000000000000'] }).findings).toMatchObject([
      { verdict: 'disappeared', meterId: METER, meterName: 'as it was called' },
    ]);
    expect(diff([item()], { known: [METER] }).findings).toMatchObject([{ verdict: 'unchanged' }]);
  });

  it('is small or large as the configuration says', () => {
    const verdictAt = (percent: number) =>
      diff([item({ retailPrice: '0.00275' })], { percent }).findings[0]?.verdict;
    expect([verdictAt(9), verdictAt(10), verdictAt(0)]).toEqual([
      'large_change',
      'small_change',
      'large_change',
    ]);
  });

  it('becomes a row of the book as the book writes it', () => {
    const listed = {
      meterId: METER,
      meterName: 'x',
      currency: 'usd',
      listedFrom: new Date('2026-10-01T00:00:00Z'),
      effectiveFrom: NEXT_HOUR,
    };
    const row = map.get(METER);
    if (row === undefined) throw new Error('the map of this test is empty');
    const { meterId: _, note: __, ...prompt } = row;
    expect(
      rowOfListedPrice({ ...listed, target: prompt, newPicoPerUnit: 2_600_000n }, '2026-10-15'),
    ).toMatchObject({
      amount: '2.6',
      unit: 'million_tokens',
      effectiveFrom: '2026-10-15T11:00:00Z',
      sourceKey: METER,
    });
    const hour = { ...prompt, deploymentType: 'provisioned', tokenType: 'provisioned_unit_hour' } as const;
    expect(
      rowOfListedPrice({ ...listed, target: hour, newPicoPerUnit: 10n ** 12n }, '2026-10-15'),
    ).toMatchObject({ amount: '1', unit: 'hour' });
  });
});

describe('a unit of measure', () => {
  it.each([
    ['1', 1n, null],
    ['100', 100n, null],
    ['1K', 1_000n, null],
    ['1M', 1_000_000n, null],
    ['1K Tokens', 1_000n, 'token'],
    ['1M Tokens', 1_000_000n, 'token'],
    ['1 Hour', 1n, 'hour'],
    ['1/Hour', 1n, 'hour'],
    ['1 Second', 1n, 'second'],
    ['10 Images', 10n, 'image'],
  ])('%s', (text, count, noun) => expect(parseRetailUnit(text)).toEqual({ count, noun }));

  it.each(['', 'K', '1 GB', '1 Month', '1m', '1k', '0', '1 GB/Hour', '1.5K', '-1', '1M per hour'])(
    '%j is not guessed',
    (text) => expect(parseRetailUnit(text)).toBeNull(),
  );

  it('goes with some kinds of price only', () => {
    const fits = (text: string, kind: Parameters<typeof fitsKind>[1]) => {
      const unit = parseRetailUnit(text);
      return unit !== null && fitsKind(unit, kind);
    };
    expect([fits('1K', 'completion'), fits('1M Tokens', 'embedding'), fits('1/Hour', 'prompt')]).toEqual([
      true,
      true,
      false,
    ]);
    expect([fits('1 Hour', 'provisioned_unit_hour'), fits('1', 'provisioned_unit_hour')]).toEqual([
      true,
      false,
    ]);
    expect([fits('100', 'image'), fits('1 Second', 'second'), fits('1 Image', 'second')]).toEqual([
      true,
      true,
      false,
    ]);
  });
});

describe('units come out even, or not at all', () => {
  const units = fc.constantFrom('1', '100', '1K', '1M', '1K Tokens', '1 Hour', '1/Hour', '3', '7K');

  it('whatever the price: count times the price of one is the price, exactly', () => {
    fc.assert(
      fc.property(
        fc.bigInt(1n, 10n ** 15n),
        fc.integer({ min: 0, max: 14 }),
        units,
        (value, digits, text) => {
          const unit = parseRetailUnit(text);
          if (unit === null) throw new Error(`${text} is a unit`);
          const price = formatDecimal(value, digits);
          const one = picoPerOne(price, unit);
          // Both sides in units of 10^-36.
          const whole = parseDecimal(price, 36);
          if (one !== null) expect(one * unit.count * 10n ** 24n).toBe(whole);
          else expect(whole % (unit.count * 10n ** 24n)).not.toBe(0n);
        },
      ),
    );
  });

  it('the same price by the token, thousand and million is the same price', () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 10n ** 12n), (pico) => {
        const by = (text: string, digits: number) => {
          const unit = parseRetailUnit(text);
          return unit === null ? null : picoPerOne(formatDecimal(pico, digits), unit);
        };
        expect([by('1', 12), by('1K', 9), by('1M', 6)]).toEqual([pico, pico, pico]);
      }),
    );
  });
});

describe('a number of the body', () => {
  it('is written plainly without losing or adding a digit', () => {
    fc.assert(
      fc.property(
        fc.bigInt(-(10n ** 20n), 10n ** 20n),
        fc.integer({ min: -15, max: 15 }),
        (mantissa, exponent) => {
          const plain = plainDecimal(`${mantissa}e${exponent}`);
          expect(parseDecimal(plain, 20)).toBe(mantissa * 10n ** BigInt(20 + exponent));
        },
      ),
    );
  });

  it.each([
    ['8.8E-05', '0.000088'],
    ['2e+3', '2000'],
    ['-0.0', '0'],
    ['00.10', '0.1'],
    ['1.50e1', '15'],
  ])('%s is %s', (literal, plain) => expect(plainDecimal(literal)).toBe(plain));

  it.each(['', 'x', '1,5', '.5', '1e999', 'NaN', 'Infinity', '0x10', ' 1'])('%j is none', (literal) => {
    expect(() => plainDecimal(literal)).toThrow(RangeError);
  });
});

describe('the mapping file', () => {
  it('ships sound, names models of the book, and no meter of the real list', async () => {
    const rows = await readShippedMeterFile();
    expect(rows.length).toBeGreaterThan(30);
    for (const row of rows) {
      expect(azureOpenAiPriceBook.models).toContain(row.model);
      expect(row.meterId).toMatch(/^5a17b0c5-0000-/);
    }
  });

  const meter = { meterId: METER, ...target };
  it.each<[string, unknown]>([
    ['no list', { meters: {} }],
    ['a row twice', { meters: [meter, { ...meter, tokenType: 'completion' }] }],
    ['a meter id that is none', { meters: [{ ...meter, meterId: 'gpt-4o-Inp-glbl' }] }],
    ['a type that is none', { meters: [{ ...meter, deploymentType: 'glbl' }] }],
    ['a kind that is none', { meters: [{ ...meter, tokenType: 'Inp' }] }],
    ['a model that is not written as in the book', { meters: [{ ...meter, model: 'GPT-4o' }] }],
    ['a region that is none', { meters: [{ ...meter, region: 'EU West' }] }],
    ['a row that is none', { meters: [null] }],
  ])('with %s is refused', (_, data) => {
    expect(() => readMeterFile(data)).toThrow(RangeError);
  });

  it('is under what people said since', () => {
    const [row] = readMeterFile({ meters: [meter] });
    if (row === undefined) throw new Error('one row was read');
    const merged = createMeterMap([row], [{ ...row, model: 'gpt-4o-mini' }]);
    expect([merged.size, merged.get(METER)?.model]).toEqual([1, 'gpt-4o-mini']);
  });
});
