import { readFileSync } from 'node:fs';
import { syncCatalog } from '../../jobs/catalog/sync-catalog.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { openLedger } from '../../src/platform/database/database.ts';
import { createLogger } from '../../src/platform/log.ts';
import { createJobDependencies } from '../../src/service/services.ts';

/** What the process prints as its only line. */
export interface SyncReport {
  problems: string[];
  /** Most memory that was ever resident, from the kernel. */
  peakBytes: number;
  elapsedMs: number;
}

const config = loadConfig(process.env);
const database = openLedger({ databaseUrl: config.DATABASE_URL ?? '', maxConnectionCount: 4 });
const deps = createJobDependencies(config, { database, log: createLogger('silent') });
const startedMs = performance.now();
const { problems } = await syncCatalog(deps);
const elapsedMs = performance.now() - startedMs;
await database.destroy();
const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
const report: SyncReport = { problems, peakBytes: Number(kibibytes) * 1_024, elapsedMs };
process.stdout.write(`${JSON.stringify(report)}\n`);
