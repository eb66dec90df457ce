import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parquetReadObjects } from 'hyparquet';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { rateUsage } from '../../jobs/rate-usage.ts';
import { completePriceRow } from '../../pricing/prices/rows.ts';
import type { CostsBody } from '../../src/costs/routes.ts';
import { exportWarehouse } from '../../src/exports/warehouse/export-warehouse.ts';
import type { Manifest } from '../../src/exports/warehouse/manifest.ts';
import { openStore } from '../../src/exports/warehouse/open-store.ts';
import type { ObjectStore } from '../../src/exports/warehouse/store.ts';
import { type Config, loadConfig } from '../../src/platform/config.ts';
import { createLogger } from '../../src/platform/log.ts';
import { changePriceBook } from '../../src/prices/book-changes.ts';
import type { ApiBench } from '../api/setup.ts';
import { insertUsage } from '../api/world.ts';
import { makeTemporaryDirectory } from '../setup/data-directory.ts';
import {
  hasWarehouseServers,
  S3_KEY,
  startAzurite,
  startS3,
  type WarehouseServer,
} from '../setup/warehouse-servers.ts';
import { createFocusBench } from './focus-world.ts';

const account = { id: 'azure', name: null };
const PLAIN = loadConfig({});
let bench: ApiBench;
beforeEach(async () => {
  bench = await createFocusBench();
  await insertUsage(bench.ledger.database, [{ hour: '2026-11-19T05:00:00Z', tokens: 2_000_000n }]);
  await rate();
});
afterEach(() => bench.close());

const rate = () =>
  rateUsage({ database: bench.ledger.database, clock: bench.clock, log: createLogger('silent') });
const write = (store: ObjectStore, more: { isForced?: boolean } = {}) =>
  exportWarehouse({ database: bench.ledger.database, clock: bench.clock }, { store, account, ...more });

function folderStore(): { folder: string; open: () => Promise<ObjectStore> } {
  const folder = makeTemporaryDirectory('warehouse');
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return { folder, open: () => openStore(pathToFileURL(folder).href, PLAIN) };
}

async function correctPrice(): Promise<void> {
  await changePriceBook(bench.ledger.database, {
    change: {
      rows: [
        completePriceRow({
          model: 'gpt-4o',
          tokenType: 'prompt',
          amount: '9.99',
          effectiveFrom: '2026-11-20T00:00:00Z',
        }),
      ],
      supersede: true,
    },
    kind: 'add',
    reason: 'test',
    actor: 'test',
    now: bench.clock.now(),
  });
  await rate();
}

function objectsOf(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(parquet|json|unfinished)$/.test(name),
  );
  return Object.fromEntries(
    names.sort().map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(path.join(folder, name)))
        .digest('hex'),
    ]),
  );
}

describe('a warehouse in a folder', () => {
  it('has every rated day in both tables, as the ledger has it', async () => {
    const { folder, open } = folderStore();
    expect(await write(await open())).toEqual({ writtenDayCount: 2, unchangedDayCount: 0 });
    const manifest = JSON.parse(readFileSync(path.join(folder, 'manifest.json'), 'utf8')) as Manifest;
    expect(Object.keys(manifest.days)).toEqual(['2026-11-19', '2026-11-20']);
    for (const [day, { tables }] of Object.entries(manifest.days)) {
      const next = `2026-11-${Number(day.slice(-2)) + 1}`;
      const costs = (await (await bench.call(`/v1/costs?from=${day}&to=${next}`)).json()) as CostsBody;
      expect(Object.keys(tables)).toEqual(['daily_costs', 'focus']);
      for (const table of Object.values(tables)) {
        expect(table.path).toContain(`usage_date=${day}/`);
        const bytes = readFileSync(path.join(folder, table.path));
        expect(bytes.byteLength).toBe(table.byteCount);
        expect(createHash('sha256').update(bytes).digest('hex')).toBe(table.sha256);
        const file = new Uint8Array(bytes).buffer;
        const rows = (await parquetReadObjects({ file })) as Record<string, number | null>[];
        expect(rows.length).toBe(table.rowCount);
        const sum = rows.reduce((total, row) => total + (row.cost_usd ?? row.BilledCost ?? 0), 0);
        expect(sum).toBeCloseTo(Number(costs.totals.knownCost) + Number(costs.totals.overhead), 9);
      }
    }
  });

  it('writes nothing twice, a day that was rated again in place of what is there, and all when told to', async () => {
    const { folder, open } = folderStore();
    await write(await open());
    const before = objectsOf(folder);
    expect(await write(await open())).toEqual({ writtenDayCount: 0, unchangedDayCount: 2 });
    expect(objectsOf(folder)).toEqual(before);
    await correctPrice();
    expect(await write(await open())).toEqual({ writtenDayCount: 1, unchangedDayCount: 1 });
    const after = objectsOf(folder);
    expect(Object.keys(after)).toEqual(Object.keys(before));
    for (const [name, hash] of Object.entries(before)) {
      expect([name, after[name] === hash]).toEqual([name, name.includes('=2026-11-19')]);
    }
    expect(await write(await open(), { isForced: true })).toEqual({
      writtenDayCount: 2,
      unchangedDayCount: 0,
    });
    expect(objectsOf(folder)).toEqual(after);
  });

  it('ends in the same objects wherever it is killed', async () => {
    const whole = folderStore();
    await write(await whole.open());
    const expected = objectsOf(whole.folder);
    for (let death = 1; death <= 6; death += 1) {
      const { folder, open } = folderStore();
      const store = await open();
      let putCount = 0;
      const dying: ObjectStore = {
        ...store,
        async put(name, body) {
          putCount += 1;
          if (putCount === death) throw new Error('killed');
          await store.put(name, body);
        },
      };
      await expect(write(dying)).rejects.toThrow('killed');
      await write(store);
      expect(objectsOf(folder)).toEqual(expected);
    }
  });

  it('leaves a manifest alone that is not ours, and refuses addresses that mean nothing', async () => {
    const { folder, open } = folderStore();
    writeFileSync(path.join(folder, 'manifest.json'), '{"name":"another"}');
    await expect(write(await open())).rejects.toMatchObject({ code: 'CONFLICT', retry: false });
    expect(Object.keys(objectsOf(folder))).toEqual(['manifest.json']);
    for (const address of ['/data', 'ftp://host/x', 'http://example.com/container', '']) {
      await expect(openStore(address, PLAIN)).rejects.toMatchObject({ code: 'VALIDATION' });
    }
    await expect(openStore('s3://bucket/x', PLAIN)).rejects.toMatchObject({ code: 'CONFIG' });
  });
});

describe.skipIf(!hasWarehouseServers())('a warehouse that is reached over HTTP', () => {
  let s3: WarehouseServer;
  let azurite: WarehouseServer;
  beforeAll(async () => {
    [s3, azurite] = await Promise.all([startS3(), startAzurite()]);
  });
  afterAll(async () => {
    await Promise.all([s3.stop(), azurite.stop()]);
  });

  const configOf = (more: Record<string, string> = {}): Config =>
    loadConfig({
      WAREHOUSE_S3_ENDPOINT: s3.endpoint,
      AWS_ACCESS_KEY_ID: S3_KEY.id,
      AWS_SECRET_ACCESS_KEY: S3_KEY.secret,
      ...more,
    });
  const openAt = (name: 'S3' | 'Azure Blob Storage', prefix: string) => {
    const { address } = name === 'S3' ? s3 : azurite;
    return openStore(address.replace('/costs', `/${prefix}`), configOf());
  };

  it.each(['S3', 'Azure Blob Storage'] as const)('%s has the same objects as a folder', async (name) => {
    const { folder, open } = folderStore();
    const inFolder = await open();
    await write(inFolder);
    const store = await openAt(name, `same-${Date.now()}`);
    expect(store.description).not.toContain('sig=');
    expect(await write(store)).toEqual({ writtenDayCount: 2, unchangedDayCount: 0 });
    expect(await write(store)).toEqual({ writtenDayCount: 0, unchangedDayCount: 2 });
    for (const object of Object.keys(objectsOf(folder))) {
      expect([object, await store.read(object)]).toEqual([object, await inFolder.read(object)]);
    }
    await correctPrice();
    expect(await write(store)).toEqual({ writtenDayCount: 1, unchangedDayCount: 1 });
    await write(inFolder);
    for (const object of Object.keys(objectsOf(folder))) {
      expect([object, await store.read(object)]).toEqual([object, await inFolder.read(object)]);
    }
  });

  it('says what is wrong with a key, a bucket, a signature or a server, and shows no secret', async () => {
    const wrong = 'a-wrong-secret';
    const stores = [
      await openStore(s3.address, configOf({ AWS_SECRET_ACCESS_KEY: wrong })),
      await openStore('s3://no-such-bucket/x', configOf()),
      await openStore(azurite.address.replace(/sig=[^&]+/, `sig=${wrong}`), configOf()),
      await openStore(azurite.address.replace('/warehouse/', '/missing/'), configOf()),
    ];
    for (const store of stores) {
      const error = await write(store).then(
        () => null,
        (thrown: unknown) => thrown as Error & { code: string; retry: boolean },
      );
      expect(error).toMatchObject({ code: 'UPSTREAM_REJECTED', retry: false, system: 'warehouse' });
      expect(error?.message).not.toContain(wrong);
    }
  });
});
