import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, inject, test } from 'vitest';
import type { SandboxFaultSettings } from '../../sandbox/fault-settings.ts';
import { type SandboxHandle, startSandboxThread } from '../../sandbox/start-thread.ts';
import { DAY_MS } from '../../src/platform/clock.ts';
import { readPipelineStatus } from '../../src/status/status.ts';
import { readTokenTotals } from '../../src/status/totals.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';
import { hasRedisServer, startTestRedis, type TestRedis } from '../setup/redis.ts';
import { type CommandResult, type RunningCommand, runCommand, startCommand } from './command.ts';

/** The slowest schedule that the rest can wait for, and then some. */
const PATIENCE_MS = 200_000;
const SETTLE_LAG_MS = 5_000;
const HANGS: SandboxFaultSettings['stripe'] = {
  network: { percent: { 'hang-after': 4, 'hang-before': 4 }, appliesTo: 'writes' },
};

let ledger: TestLedger;
let sandbox: SandboxHandle;
let redis: TestRedis | undefined;
let service: RunningCommand | undefined;
let environment: Record<string, string>;

afterEach(async () => {
  service?.child.kill('SIGKILL');
  await service?.done;
  await sandbox?.close();
  await redis?.stop();
  redis = undefined;
  await ledger?.close();
});

/** Two days of usage up to the present, all of it still to do. */
async function openBacklog(queue: 'redis' | 'postgres'): Promise<void> {
  expect(inject('postgresUrl')).toBeTruthy();
  ledger = await createTestLedger();
  const startMs = Math.floor(Date.now() / DAY_MS) * DAY_MS - 3 * DAY_MS;
  sandbox = await startSandboxThread({
    scenario: { seed: 11, dayCount: 2, customerCount: 60, userCount: 240, startMs },
    stateDirectory: null,
    latencyMs: 5,
    gracePeriodHours: 72,
  });
  await sandbox.advanceTo(Date.now());
  await sandbox.runWithRealTime();
  if (queue === 'redis') redis = await startTestRedis();
  environment = {
    DATABASE_URL: ledger.databaseUrl,
    PORT: '0',
    ...(redis === undefined ? {} : { REDIS_URL: redis.url }),
    AZURE_LOGS_WORKSPACE_ID: sandbox.addresses.workspaceId,
    AZURE_LOGS_ENDPOINT: sandbox.addresses.azureUrl,
    OPENMETER_URL: sandbox.addresses.openMeterUrl,
    STRIPE_API_BASE: sandbox.addresses.stripeUrl,
    STRIPE_API_KEY: sandbox.addresses.stripeApiKey,
    AZURE_RETAIL_PRICES_URL: sandbox.addresses.retailPricesUrl,
    STRIPE_CALLS_PER_SECOND: '200',
    COLLECT_START: new Date(startMs).toISOString(),
    SETTLE_LAG_SECONDS: String(SETTLE_LAG_MS / 1_000),
  };
}

async function start(): Promise<void> {
  service = startCommand(['up'], environment);
  await service.untilSaid(/"msg":"ready"/);
}

/** Sends SIGTERM and waits for the end, which must come by itself and in time, whatever is under way. */
async function stop(): Promise<CommandResult> {
  service?.child.kill('SIGTERM');
  const result = await service?.done;
  service = undefined;
  if (result === undefined) throw new Error('nothing ran');
  // Past its limit of 20 s it would have ended itself with status 1.
  expect([result.exitCode, result.signal], result.stderr.slice(-2_000)).toEqual([0, null]);
  expect(result.stderr).toContain('"msg":"stopped"');
  return result;
}

const status = () => readPipelineStatus(ledger.database);
const until = (what: () => Promise<boolean>) =>
  expect.poll(what, { timeout: PATIENCE_MS, interval: 50 }).toBe(true);

describe.each(['postgres' as const, ...(hasRedisServer() ? (['redis'] as const) : [])])(
  'a service stopped in the middle of a backlog, its queue in %s',
  (queue) => {
    test('while every outside system hangs in turn, ends in time, and the next one finishes the rest', async () => {
      await openBacklog(queue);

      // A query may take minutes: what comes of it is far behind the stop.
      await sandbox.setFaults({
        azure: { network: { next: [null, null, 'hang-after', 'drip', 'hang-before'] } },
      });
      await start();
      await until(async () => (await sandbox.readCalls()).azureQueryCount >= 3);
      await stop();

      await sandbox.clearFaults();
      await sandbox.setFaults({
        openMeter: { network: { percent: { 'hang-after': 20, 'hang-before': 20 }, appliesTo: 'writes' } },
      });
      await start();
      await until(async () => (await status()).usageEvents.sent > 0n);
      await stop();

      await sandbox.clearFaults();
      await sandbox.setFaults({ stripe: HANGS });
      // A start looks at everything; what was sent settles so long after, and is then pushed at once.
      await sleep(SETTLE_LAG_MS + 1_000);
      await start();
      await until(async () => (await status()).meterPushes.delivered > 20n);
      const cut = await stop();
      expect(cut.stderr).toContain('"msg":"stopping"');
      expect((await readTokenTotals(ledger.database)).dueTokenCount).toBeGreaterThan(0n);
      // Nobody holds a step any more: the next process need not wait for a lease to lapse.
      expect((await status()).leases).toEqual([]);

      await sandbox.clearFaults();
      await start();
      const { sourceTokens } = await sandbox.readTotals();
      await until(async () => {
        const totals = await readTokenTotals(ledger.database);
        return totals.dueTokenCount === 0n && totals.collectedTokenCount === BigInt(sourceTokens);
      });
      await stop();

      const [outside, known] = [await sandbox.readTotals(), await readTokenTotals(ledger.database)];
      expect(outside.meteredTokens).toBe(sourceTokens);
      expect(BigInt(outside.billedTokens) + known.quarantinedTokenCount).toBe(BigInt(sourceTokens));
      expect(known.deliveredTokenCount).toBe(BigInt(outside.billedTokens));
      for (const customer of outside.customers) {
        expect(BigInt(customer.billedTokens) <= BigInt(customer.sourceTokens), customer.name).toBe(true);
      }
      const shown = await runCommand(['status'], environment);
      expect(shown.stdout).toMatch(new RegExp(`^queue +${queue}: \\d+ waiting`, 'm'));
    });
  },
);
