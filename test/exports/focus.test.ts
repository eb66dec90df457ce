import { readFileSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import { parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CostsBody } from '../../src/costs/routes.ts';
import { FOCUS_COLUMNS, FOCUS_VERSIONS, type FocusVersion } from '../../src/exports/focus/columns.ts';
import type { ApiBench } from '../api/setup.ts';
import { createFocusBench, FOCUS_WINDOW } from './focus-world.ts';

let bench: ApiBench;
beforeAll(async () => {
  bench = await createFocusBench();
});
afterAll(() => bench.close());

const ask = (query: string) => bench.call(`/v1/exports/focus?${query}`, { scope: 'finance' });
type Row = Record<string, string>;
async function readCsv(query: string): Promise<Row[]> {
  const response = await ask(query);
  expect(response.status, await response.clone().text()).toBe(200);
  return parse(await response.text(), { columns: true }) as Row[];
}
/** Of decimal text, in pico. */
const pico = (text = '') => BigInt(Math.round(Number(text) * 1e12));
const sumOf = (rows: readonly Row[], column: string) =>
  rows.reduce((sum, row) => sum + pico(row[column]), 0n);

/** Mandatory columns as the specification has them, by the version from which on (and until which) they are. */
const MANDATORY = {
  BilledCost: 'decimal',
  BillingAccountId: 'text',
  BillingAccountName: 'text?',
  BillingCurrency: 'text',
  BillingPeriodEnd: 'instant',
  BillingPeriodStart: 'instant',
  ChargeCategory: 'text',
  ChargeClass: 'text?',
  ChargeDescription: 'text?',
  ChargePeriodEnd: 'instant',
  ChargePeriodStart: 'instant',
  ContractedCost: 'decimal',
  EffectiveCost: 'decimal',
  InvoiceIssuerName: 'text',
  ListCost: 'decimal',
  PricingQuantity: 'decimal?',
  PricingUnit: 'text?',
  ServiceCategory: 'text',
  ServiceName: 'text',
} as const;
const MANDATORY_SINCE: Partial<Record<FocusVersion, Record<string, string>>> = {
  '1.3': { HostProviderName: 'text', ServiceProviderName: 'text' },
};
const MANDATORY_BEFORE_1_4 = { ProviderName: 'text', PublisherName: 'text' };
/** Conditional and recommended ones that came later, where their condition holds. */
const ADDED: Partial<Record<FocusVersion, string[]>> = {
  '1.1': [
    ...['CapacityReservationId', 'CapacityReservationStatus', 'ServiceSubcategory', 'SkuMeter'],
    'SkuPriceDetails',
  ],
  '1.2': ['BillingAccountType', 'InvoiceId', 'SubAccountType'],
  '1.4': ['InvoiceDetailId'],
};

function mandatoryOf(version: FocusVersion): Record<string, string> {
  const upTo = FOCUS_VERSIONS.slice(0, FOCUS_VERSIONS.indexOf(version) + 1);
  return Object.assign(
    { ...MANDATORY },
    ...upTo.map((one) => MANDATORY_SINCE[one] ?? {}),
    version === '1.4' ? {} : MANDATORY_BEFORE_1_4,
  );
}

describe('GET /v1/exports/focus', () => {
  it.each(FOCUS_VERSIONS)('has every column of %s, each in its format', async (version) => {
    const rows = await readCsv(`${FOCUS_WINDOW}&version=${version}`);
    expect(rows.length).toBe(6);
    const names = Object.keys(rows[0] ?? {});
    for (const [name, format] of Object.entries(mandatoryOf(version))) {
      expect(names).toContain(name);
      for (const { [name]: value = '' } of rows) {
        if (value === '' && format.endsWith('?')) continue;
        const pattern = {
          decimal: /^-?\d+\.\d+$/,
          instant: /^\d{4}-\d\d-\d\dT\d\d:00:00Z$/,
          text: /^.+$/s,
        }[format.replace('?', '') as 'decimal' | 'instant' | 'text'];
        expect(value, name).toMatch(pattern);
      }
    }
    for (const one of FOCUS_VERSIONS) {
      const isLater = FOCUS_VERSIONS.indexOf(one) > FOCUS_VERSIONS.indexOf(version);
      for (const name of ADDED[one] ?? []) expect([name, names.includes(name)]).toEqual([name, !isLater]);
    }
    expect(names.includes('ProviderName')).toBe(version !== '1.4');
    // Ours last, with their prefix; the specification's in the order of their names, in its case.
    const own = names.filter((name) => name.startsWith('x_'));
    const theirs = names.slice(0, names.length - own.length);
    expect(names).toEqual([...theirs, ...own]);
    expect(theirs).toEqual([...theirs].sort());
    for (const name of theirs) expect(name).toMatch(/^[A-Z][A-Za-z]{1,49}$/);
  });

  it('names every column in the docs', async () => {
    const docs = readFileSync(new URL('../../docs/exports.md', import.meta.url), 'utf8');
    expect(Object.keys(FOCUS_COLUMNS).filter((name) => !docs.includes(`\`${name}\``))).toEqual([]);
  });

  it('keeps the rules between columns', async () => {
    for (const row of await readCsv(FOCUS_WINDOW)) {
      const [quantity, price] = [Number(row.PricingQuantity), Number(row.ListUnitPrice)];
      if (row.ListUnitPrice !== '') expect(quantity * price).toBeCloseTo(Number(row.ListCost), 9);
      else expect(row.x_CostUnknownReason).toBe('unknown_model');
      expect(row.CapacityReservationStatus === '').toBe(row.CapacityReservationId === '');
      expect(row.SubAccountName === '').toBe(row.SubAccountId === '');
      expect(row.ChargeCategory).toBe('Usage');
      expect(row.BillingCurrency).toBe('USD');
      expect([row.BillingPeriodStart, row.BillingPeriodEnd]).toEqual([
        '2026-11-01T00:00:00Z',
        '2026-12-01T00:00:00Z',
      ]);
      expect([row.ChargePeriodStart, row.ChargePeriodEnd]).toEqual([
        '2026-11-20T00:00:00Z',
        '2026-11-21T00:00:00Z',
      ]);
      if (row.SkuPriceDetails !== '') {
        for (const key of Object.keys(JSON.parse(row.SkuPriceDetails ?? '') as object)) {
          expect(key).toMatch(/^x_/);
        }
      }
      if (row.Tags !== '') expect(JSON.parse(row.Tags ?? '')).toMatchObject({});
    }
  });

  it("costs what /v1/costs says, by customer and with nobody's capacity", async () => {
    const rows = await readCsv(FOCUS_WINDOW);
    const costs = (await (
      await bench.call(`/v1/costs?${FOCUS_WINDOW}&groupBy=customer`)
    ).json()) as CostsBody;
    for (const column of ['BilledCost', 'EffectiveCost', 'ContractedCost', 'ListCost']) {
      expect(sumOf(rows, column)).toBe(pico(costs.totals.knownCost) + pico(costs.totals.overhead));
      for (const { customerId, knownCost } of costs.rows) {
        const own = rows.filter(({ SubAccountId }) => SubAccountId === customerId);
        expect(sumOf(own, column)).toBe(pico(knownCost));
      }
    }
    const tokens = rows.reduce((sum, row) => sum + Number(row.ConsumedQuantity), 0);
    expect(String(tokens)).toBe(costs.totals.tokenCount);
    const idle = rows.filter(({ CapacityReservationStatus }) => CapacityReservationStatus === 'Unused');
    expect(idle).toMatchObject([{ BilledCost: '19.0', SubAccountId: '', ResourceId: 'ptu-1' }]);
  });

  it('has the revenue and the margin of the tokens that have a rate', async () => {
    const rows = await readCsv(FOCUS_WINDOW);
    const costs = (await (
      await bench.call(`/v1/costs?${FOCUS_WINDOW}&groupBy=customer`)
    ).json()) as CostsBody;
    const million = rows.filter(({ ConsumedQuantity }) => ConsumedQuantity === '1000000.0');
    expect(million).toMatchObject([{ BilledCost: '2.5', x_Revenue: '3.0', x_Margin: '0.5' }]);
    for (const { customerId, revenue } of costs.rows) {
      const own = rows.filter(
        ({ SubAccountId, x_Revenue }) => SubAccountId === customerId && x_Revenue !== '',
      );
      const [sum] = revenue;
      expect(sumOf(own, 'x_Revenue')).toBe(pico(sum?.amount));
      expect(new Set(own.map(({ x_RevenueCurrency }) => x_RevenueCurrency?.toLowerCase()))).toEqual(
        new Set([sum?.currency]),
      );
      for (const row of own) {
        // Nobody published a rate for euros.
        if (row.x_RevenueCurrency === 'EUR') expect(row.x_Margin).toBe('');
        else expect(pico(row.x_Margin)).toBe(pico(row.x_Revenue) - pico(row.BilledCost));
      }
    }
    expect(
      rows.filter(({ SubAccountId, x_Model }) => SubAccountId === '' || x_Model === 'gpt-99'),
    ).toMatchObject([
      { x_Revenue: '', x_Margin: '' },
      { x_Revenue: '', x_Margin: '' },
    ]);
  });

  it('says which tokens have no known cost', async () => {
    const response = await ask(FOCUS_WINDOW);
    expect(response.headers.get('tallystick-unknown-cost-tokens')).toBe('11');
    expect(response.headers.get('tallystick-due-days')).toBe('0');
    await response.body?.cancel();
    const unknown = (await readCsv(FOCUS_WINDOW)).filter((row) => row.x_CostUnknownReason !== '');
    expect(unknown).toMatchObject([
      { BilledCost: '0.0', ListUnitPrice: '', ConsumedQuantity: '11.0', x_Model: 'gpt-99' },
    ]);
    expect(unknown[0]?.ChargeDescription).toContain('unknown (unknown_model)');
  });

  it('keeps texts as they are told, but what a spreadsheet would run', async () => {
    const rows = await readCsv(FOCUS_WINDOW);
    const feature = '=chat "ü", the first';
    const told = rows.find(({ x_Feature }) => x_Feature === `'${feature}`);
    expect(JSON.parse(told?.Tags ?? '')).toMatchObject({ feature });
  });

  it('is the same in Parquet, to the last decimal', async () => {
    const response = await ask(`${FOCUS_WINDOW}&format=parquet`);
    expect(response.headers.get('content-type')).toBe('application/vnd.apache.parquet');
    expect(response.headers.get('content-disposition')).toContain(
      'focus-costs-2026-11-20-2026-11-21.parquet',
    );
    const file = await response.arrayBuffer();
    const found = (await parquetReadObjects({ file })) as Record<string, unknown>[];
    const rows = await readCsv(FOCUS_WINDOW);
    expect(found.length).toBe(rows.length);
    for (const [index, row] of rows.entries()) {
      for (const [name, text] of Object.entries(row)) {
        const value = found[index]?.[name];
        if (text === '') expect([name, value ?? null]).toEqual([name, null]);
        else if (value instanceof Date) expect(value.toISOString()).toBe(text.replace('Z', '.000Z'));
        else if (typeof value === 'number') expect(value).toBeCloseTo(Number(text), 9);
        else expect(String(value)).toBe(text.replace(/^'/, ''));
      }
    }
  });

  it('narrows to a customer, and an empty window has its header alone', async () => {
    const rows = await readCsv(`${FOCUS_WINDOW}&customerId=adatum`);
    expect(rows).toMatchObject([{ SubAccountId: 'adatum', SubAccountName: 'ADATUM', BilledCost: '1.25' }]);
    const empty = await ask('period=2025-01');
    expect((await empty.text()).split('\r\n').length).toBe(2);
    const file = await (await ask('period=2025-01&format=parquet')).arrayBuffer();
    expect(await parquetReadObjects({ file })).toEqual([]);
  });

  it('refuses what is no whole day, no version, no format and no key', async () => {
    for (const query of [
      'from=2026-11-20T05:00:00Z&to=2026-11-21',
      `${FOCUS_WINDOW}&version=2.0`,
      `${FOCUS_WINDOW}&format=xlsx`,
      `${FOCUS_WINDOW}&limit=5`,
      '',
    ]) {
      expect((await ask(query)).status, query).toBe(400);
    }
    expect((await bench.call(`/v1/exports/focus?${FOCUS_WINDOW}`, { scope: null })).status).toBe(401);
  });
});
