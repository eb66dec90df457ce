import { createHash } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readDailyCostRows } from '../../costs/daily-cost-rows.ts';
import { type RatedDay, readRatedDays } from '../../costs/rated-days.ts';
import { type TimeWindow, windowOfDay } from '../../platform/clock.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { type LedgerSnapshot, readSnapshot } from '../../platform/database/snapshot.ts';
import { toParquet } from '../../platform/parquet.ts';
import type { ManifestDay, ManifestTable } from './manifest.ts';
import type { ObjectStore } from './store.ts';
import type { WarehouseTable } from './tables.ts';

/**
 * Writes every table of a day as it is now, each in place of what is there. What was read is written to a disk first, so
 * that no snapshot waits for the store, and no day must fit into memory.
 * @returns what lies there now; null when the day is not rated (any more)
 */
export async function writeDay(
  database: LedgerDatabase,
  store: ObjectStore,
  day: string,
  { tables, now }: { tables: readonly WarehouseTable[]; now: Date },
): Promise<ManifestDay | null> {
  const window = windowOfDay(day);
  const folder = await mkdtemp(path.join(tmpdir(), 'tallystick-warehouse-'));
  try {
    const read = await readSnapshot(database, async (snapshot) => {
      const [rated] = await readRatedDays(snapshot, window);
      if (rated === undefined) return null;
      const files: WrittenFile[] = [];
      for (const table of tables) files.push(await writeTable(snapshot, window, table, folder));
      return { rated, files };
    });
    if (read === null) return null;
    const written: Record<string, ManifestTable> = {};
    for (const { table, file, ...facts } of read.files) {
      const name = `${table.name}/usage_date=${day}/${table.file}`;
      await store.put(name, { blob: await openAsBlob(file), sha256: facts.sha256 });
      written[table.name] = { path: name, ...facts };
    }
    return { ...factsOf(read.rated), writtenAt: now.toISOString(), tables: written };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface WrittenFile extends Omit<ManifestTable, 'path'> {
  table: WarehouseTable;
  file: string;
}

async function writeTable(
  snapshot: LedgerSnapshot,
  window: TimeWindow,
  table: WarehouseTable,
  folder: string,
): Promise<WrittenFile> {
  const file = path.join(folder, `${table.name}.parquet`);
  const hash = createHash('sha256');
  let [rowCount, byteCount] = [0, 0];
  const rows = (async function* () {
    for await (const costs of readDailyCostRows(snapshot, { window })) {
      rowCount += costs.length;
      yield costs.map((cost) => table.toCells(cost));
    }
  })();
  const handle = await open(file, 'w');
  try {
    for await (const part of toParquet(table.columns, rows)) {
      hash.update(part);
      byteCount += part.byteLength;
      await handle.writeFile(part);
    }
  } finally {
    await handle.close();
  }
  return { table, file, rowCount, byteCount, sha256: hash.digest('hex') };
}

function factsOf({ revision, priceBookVersion, ratedAt }: RatedDay) {
  return { revision: String(revision), priceBookVersion, ratedAt: ratedAt.toISOString() };
}
