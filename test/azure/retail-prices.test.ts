import { afterEach, describe, expect, it } from 'vitest';
import { sandboxMeterId } from '../../sandbox/azure/retail-catalog.ts';
import type { RetailFault } from '../../sandbox/azure/retail-faults.ts';
import { compileRetailFilter } from '../../sandbox/azure/retail-filter.ts';
import { createRetailStandIn } from '../../sandbox/azure/retail-stand-in.ts';
import { serviceLiteral } from '../../sandbox/azure/retail-wire.ts';
import { listen } from '../../sandbox/sandbox.ts';
import { VirtualClock } from '../../sandbox/virtual-clock.ts';
import { parseExactJson } from '../../src/azure/exact-json.ts';
import { createRetailPrices, type RetailPricesOptions } from '../../src/azure/retail-prices.ts';
import { DAY_MS } from '../../src/platform/clock.ts';

const START_MS = Date.UTC(2026, 9, 1);
const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function open(options: Partial<RetailPricesOptions> = {}) {
  const clock = new VirtualClock(START_MS);
  const context = { clock, seed: 1, stateDirectory: null, latencyMs: 0 };
  const standIn = createRetailStandIn(context, { startMs: START_MS });
  const server = await listen(standIn.app.fetch);
  closers.push(server.close);
  const pauses: number[] = [];
  const source = createRetailPrices({
    baseUrl: server.url,
    timeoutMs: 60_000,
    retryTools: {
      random: () => 0,
      sleep: async (milliseconds) => void pauses.push(milliseconds),
    },
    ...options,
  });
  return { clock, standIn, source, pauses, url: server.url };
}

/** Plays faults, the given page first, and gives what reading the list came to. */
async function readUnder(faults: (RetailFault | null)[], options: Partial<RetailPricesOptions> = {}) {
  const world = await open(options);
  world.standIn.setFaults({ next: faults });
  return { ...world, result: world.source.readPrices().catch((error) => error) };
}

/** A server that answers each request with the next body. */
async function answering(...bodies: string[]) {
  const server = await listen(() => new Response(bodies.length > 1 ? bodies.shift() : bodies[0]));
  closers.push(server.close);
  return createRetailPrices({ baseUrl: server.url, retryPolicy: { attemptCount: 1 } });
}

const row = (fields: string) =>
  `{"meterId":"m","meterName":"n","skuName":"s","productName":"p","serviceName":"v","armRegionName":"r",
    "currencyCode":"USD","unitOfMeasure":"1K","type":"Consumption","tierMinimumUnits":0.0,
    "effectiveStartDate":"2026-01-01T00:00:00Z",${fields}}`;
const page = (rows: string[], more = '"NextPageLink":null') =>
  `{"Items":[${rows.join(',')}],${more},"Count":${rows.length}}`;

describe('the retail price list', () => {
  it('is read over all its pages, in the order of the service', async () => {
    const { source, standIn } = await open();
    const list = await source.readPrices();
    expect(list.pageCount).toBe(2);
    expect(standIn.pageCount()).toBe(2);
    expect(list.items.length).toBeGreaterThan(100);
    expect(new Set(list.items.map(({ serviceName }) => serviceName))).toEqual(new Set(['Foundry Models']));
    expect(list.items.every(({ productName }) => productName.includes('OpenAI'))).toBe(true);
  });

  it('keeps every digit of a price, also where a float or an exponent would not', async () => {
    const source = await answering(
      page([
        row('"retailPrice":0.30000000000000004'),
        row('"retailPrice":8.8E-05'),
        row('"retailPrice":2652.00'),
        row('"retailPrice":0.123456789012345678901'),
        row('"retailPrice":2e+3'),
      ]),
    );
    const { items } = await source.readPrices();
    expect(items.map(({ retailPrice }) => retailPrice)).toEqual([
      '0.30000000000000004',
      '0.000088',
      '2652',
      '0.123456789012345678901',
      '2000',
    ]);
  });

  it('comes with exponents from the stand-in, and is the same price', async () => {
    expect([serviceLiteral('0.00002'), serviceLiteral('0.000075'), serviceLiteral('0.0025')]).toEqual([
      '2E-05',
      '7.5E-05',
      '0.0025',
    ]);
    const { source } = await open();
    const { items } = await source.readPrices();
    const small = items.find(({ meterId }) => meterId === sandboxMeterId(22));
    expect([small?.retailPrice, small?.unitOfMeasure]).toEqual(['0.00002', '1K']);
  });

  it('changes in virtual time, from the date that it says', async () => {
    const { source, clock, standIn } = await open();
    const priceOf = async (number: number) =>
      (await source.readPrices()).items
        .filter(
          ({ meterId, armRegionName }) => meterId === sandboxMeterId(number) && armRegionName === 'eastus2',
        )
        .map(({ retailPrice, effectiveStartDate }) => [retailPrice, effectiveStartDate.toISOString()]);
    expect(await priceOf(11)).toEqual([['0.0006', '2024-08-01T00:00:00.000Z']]);
    clock.advanceTo(START_MS + 7 * DAY_MS);
    expect(await priceOf(11)).toEqual([['0.00064', '2026-10-08T00:00:00.000Z']]);
    standIn.schedule({
      meterId: sandboxMeterId(1),
      retailPrice: '0.0026',
      effectiveMs: START_MS + 9 * DAY_MS,
      publishedMs: START_MS + 7 * DAY_MS,
    });
    expect((await priceOf(1)).map(([price]) => price)).toEqual(['0.0025', '0.0026']);
    clock.advanceTo(START_MS + 21 * DAY_MS);
    expect(await priceOf(1)).toEqual([['0.0026', '2026-10-10T00:00:00.000Z']]);
    expect(await priceOf(45)).toEqual([]);
  });
});

describe('a price list that does not come whole', () => {
  it.each<[string, (RetailFault | null)[]]>([
    ['breaks off after its first page', [null, ...Array<RetailFault>(5).fill('failed')]],
    ['leaves out the link to its second page', ['no_next_link']],
    ['holds fewer prices than it counts', ['half_page']],
    ['holds fewer prices than it counts on its last page', [null, 'half_page']],
    ['skips a page', ['skipping_link']],
    ['is cut in mid-body on its last page', [null, 'cut_body']],
    ['hangs on its second page', [null, ...Array<RetailFault>(5).fill('hang')]],
  ])('is not used at all when it %s', async (_, faults) => {
    const { result } = await readUnder(faults, faults.includes('hang') ? { timeoutMs: 500 } : {});
    expect(await result).toMatchObject({ code: 'PARTIAL_RESULT' });
  });

  it('is asked again after 429 and 500, and waits as long as it was told', async () => {
    const { result, pauses, standIn } = await readUnder([
      'throttled_with_retry_after',
      'failed',
      null,
      'throttled',
    ]);
    expect((await result).items.length).toBeGreaterThan(100);
    expect(pauses).toEqual([1_000, 0, 0]);
    expect(standIn.pageCount()).toBe(5);
  });

  it('says that it is throttled when it stays so', async () => {
    const { standIn, source } = await open();
    standIn.setFaults({ always: 'throttled' });
    await expect(source.readPrices()).rejects.toMatchObject({ code: 'UPSTREAM_THROTTLED', retry: true });
  });

  it('is never followed to another host', async () => {
    const { result, standIn } = await readUnder(['foreign_link']);
    expect(await result).toMatchObject({ code: 'UPSTREAM_REJECTED', retry: false });
    expect(standIn.pageCount()).toBe(1);
  });

  it('is never followed to another path, with other credentials, or in a circle', async () => {
    for (const link of [
      '"http://user:pass@127.0.0.1/api/retail/prices?$skip=1"',
      '"/elsewhere?$skip=1"',
      '"http://["',
      '"?$skip=0"',
      '"/api/retail/prices"',
    ]) {
      const source = await answering(page([row('"retailPrice":1')], `"NextPageLink":${link}`));
      const error = await source.readPrices().catch((caught) => caught);
      expect(['UPSTREAM_REJECTED', 'PARTIAL_RESULT']).toContain(error.code);
    }
  });

  it('is proven to have ended when its last page is full', async () => {
    const rows = Array.from({ length: 100 }, () => row('"retailPrice":1'));
    const whole = await answering(page(rows), page([]));
    expect((await whole.readPrices()).items.length).toBe(100);
    const cut = await answering(page(rows), page([row('"retailPrice":1')]));
    await expect(cut.readPrices()).rejects.toMatchObject({ code: 'PARTIAL_RESULT' });
  });

  it('is refused when one price cannot be read, with the place named', async () => {
    for (const [body, at] of [
      [page([row('"retailPrice":null')]), 'Items.0.retailPrice'],
      [page([row('"retailPrice":1,"currencyCode":"dollars"')]), 'Items.0.currencyCode'],
      [page([row('"retailPrice":1,"effectiveStartDate":"soon"')]), 'Items.0.effectiveStartDate'],
      ['[]', ''],
      ['not JSON', ''],
    ] as const) {
      const source = await answering(body);
      await expect(source.readPrices()).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED', context: { at } });
    }
  });

  it('is refused when a page is too large or there are too many', async () => {
    const { source } = await open({ pageByteLimit: 1_000 });
    await expect(source.readPrices()).rejects.toMatchObject({ code: 'UPSTREAM_REJECTED' });
    const few = await open({ pageLimit: 1 });
    await expect(few.source.readPrices()).rejects.toMatchObject({ code: 'PARTIAL_RESULT' });
  });

  it('is given up at once when asked to stop', async () => {
    const { standIn, source } = await open();
    standIn.setFaults({ always: 'hang' });
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error('stopped')), 50);
    await expect(source.readPrices(stop.signal)).rejects.toThrow('stopped');
  });
});

describe('numbers of a JSON body', () => {
  it('stay the text that they were, at any depth', () => {
    expect(parseExactJson('{"a":[1.10,{"b":-0.0}],"c":"2","d":null,"e":true}')).toEqual({
      a: ['1.10', { b: '-0.0' }],
      c: '2',
      d: null,
      e: true,
    });
  });
});

describe("the stand-in's filter", () => {
  const fields = { productName: "Azure 'Open' AI", type: 'Consumption', isPrimaryMeterRegion: true };
  it.each([
    ["productName eq 'Azure ''Open'' AI'", true],
    ["contains(productName, 'Open') and priceType eq 'Consumption'", true],
    ["contains(productName,'open')", false],
    ['isPrimaryMeterRegion eq true', true],
    ["type eq 'consumption'", false],
  ])('%s', (text, expected) => {
    expect(compileRetailFilter(text)?.(fields)).toBe(expected);
  });

  it.each(["type ne 'x'", "type eq 'x' or type eq 'y'", '', "type eq 'x' and", "startswith(type,'x')"])(
    'does not understand %s',
    (text) => expect(compileRetailFilter(text)).toBeNull(),
  );
});
