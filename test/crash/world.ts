import { type SandboxHandle, startSandboxThread } from '../../sandbox/start-thread.ts';
import { DAY_MS } from '../../src/platform/clock.ts';
import { type LedgerDatabase, openLedger } from '../../src/platform/database/database.ts';
import { clearAbandonedClaims } from '../../src/platform/database/leases.ts';
import { migrateLedger } from '../../src/platform/database/migrate.ts';
import { readTokenTotals } from '../../src/status/totals.ts';
import type { Servers } from './outside.ts';

export interface CrashWorld {
  sandbox: SandboxHandle;
  database: LedgerDatabase;
  environment: Record<string, string>;
  /** Everything travelled: nothing due, and source = billed + quarantined. */
  isFinished(): Promise<boolean>;
  countRemaining(): Promise<number>;
  /** What time would do to the leases and claims of the dead; the harness does not wait for it. */
  expireClaimsOfTheDead(): Promise<void>;
  close(): Promise<void>;
}

/** Three days of usage up to the present, all of it to do, for a hundred customers. */
export async function openCrashWorld(
  servers: Servers,
  world: { seed: number; queue: 'redis' | 'postgres' },
): Promise<CrashWorld> {
  const databaseUrl = await servers.createDatabase(`crash_${world.seed}`);
  await migrateLedger(databaseUrl);
  const startMs = Math.floor(Date.now() / DAY_MS) * DAY_MS - 4 * DAY_MS;
  const sandbox = await startSandboxThread({
    scenario: { seed: world.seed, dayCount: 3, customerCount: 100, userCount: 400, startMs },
    stateDirectory: null,
    latencyMs: 1,
    gracePeriodHours: 72,
  });
  await sandbox.advanceTo(Date.now());
  await sandbox.runWithRealTime();
  const { sourceTokens } = await sandbox.readTotals();
  const database = openLedger({ databaseUrl, maxConnectionCount: 3 });
  return {
    sandbox,
    database,
    environment: {
      DATABASE_URL: databaseUrl,
      LOG_LEVEL: 'info',
      ...(world.queue === 'redis' ? { REDIS_URL: servers.redis.url } : {}),
      AZURE_LOGS_WORKSPACE_ID: sandbox.addresses.workspaceId,
      AZURE_LOGS_ENDPOINT: sandbox.addresses.azureUrl,
      AZURE_RETAIL_PRICES_URL: 'off',
      OPENMETER_URL: sandbox.addresses.openMeterUrl,
      STRIPE_API_BASE: sandbox.addresses.stripeUrl,
      STRIPE_API_KEY: sandbox.addresses.stripeApiKey,
      STRIPE_CALLS_PER_SECOND: '900',
      COLLECT_START: new Date(startMs).toISOString(),
      SETTLE_LAG_SECONDS: '5',
    },
    isFinished: async () => {
      const totals = await readTokenTotals(database);
      return totals.dueTokenCount === 0n && totals.collectedTokenCount === BigInt(sourceTokens);
    },
    countRemaining: async () => {
      const row = await database
        .selectFrom('meter_pushes')
        .select((expression) => expression.fn.countAll<bigint>().as('count'))
        .where('status', '=', 'pending')
        .executeTakeFirstOrThrow();
      return Number(row.count);
    },
    expireClaimsOfTheDead: () => clearAbandonedClaims(database),
    close: async () => {
      await database.destroy();
      await sandbox.close();
    },
  };
}
