import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JobDependencies } from '../../jobs/dependencies.ts';
import { runStep, type StepName } from '../../jobs/queue/steps.ts';
import { type SandboxHandle, startSandboxThread } from '../../sandbox/start-thread.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import { loadConfig } from '../../src/platform/config.ts';
import { createLogger } from '../../src/platform/log.ts';
import { createJobDependencies } from '../../src/service/services.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';
import { runCommand } from './command.ts';

let ledger: TestLedger;
let sandbox: SandboxHandle;
let deps: JobDependencies;
let environment: Record<string, string>;
const startedMs = Date.now();
const startMs = Math.floor(startedMs / DAY_MS) * DAY_MS - 2 * DAY_MS;

/** A ledger that was filled some hours ago; the command itself lives in the present. */
beforeAll(async () => {
  ledger = await createTestLedger();
  sandbox = await startSandboxThread({
    scenario: { seed: 5, dayCount: 1, customerCount: 3, userCount: 6, startMs },
    stateDirectory: null,
    latencyMs: 0,
    gracePeriodHours: 72,
  });
  environment = {
    DATABASE_URL: ledger.databaseUrl,
    AZURE_LOGS_WORKSPACE_ID: sandbox.addresses.workspaceId,
    AZURE_LOGS_ENDPOINT: sandbox.addresses.azureUrl,
    AZURE_RETAIL_PRICES_URL: 'off',
    OPENMETER_URL: sandbox.addresses.openMeterUrl,
    STRIPE_API_BASE: sandbox.addresses.stripeUrl,
    STRIPE_API_KEY: sandbox.addresses.stripeApiKey,
    COLLECT_START: new Date(startMs).toISOString(),
  };
  let hoursAgo = 8;
  const clock = { now: () => new Date(startedMs - hoursAgo * HOUR_MS) };
  deps = createJobDependencies(loadConfig(environment), {
    database: ledger.database,
    clock,
    log: createLogger('silent'),
  });
  const run = async (...names: StepName[]) => {
    await sandbox.advanceTo(clock.now().getTime());
    for (const name of names) await runStep(deps, name);
  };
  await run('sync-catalog', 'collect-usage', 'ingest-events');
  hoursAgo = 7;
  await run('aggregate-usage', 'push-usage');
  await sandbox.advanceTo(startedMs);
});

afterAll(async () => {
  await sandbox.close();
  await ledger.close();
});

const reconcile = (...argv: string[]) =>
  runCommand(['reconcile', '--from', new Date(startMs).toISOString(), ...argv], environment);

test('the command holds all three against each other: it ends well when they agree, and with status 1 once something is unexplained', async () => {
  const result = await reconcile('--json');
  expect(result.exitCode, result.stderr).toBe(0);
  const report = result.json() as { checked: Record<string, number>; rows: { driftClass: string }[] };
  expect(report.checked).toMatchObject({ reopenedHourCount: 0, billingDriftCount: 0, unreadPairCount: 0 });
  expect(report.checked.pairCount).toBeGreaterThan(5);
  expect(report.rows.filter((row) => row.driftClass !== 'quarantined')).toEqual([]);

  const push = await ledger.database
    .selectFrom('meter_pushes')
    .selectAll()
    .orderBy('meter_push_id')
    .limit(1)
    .executeTakeFirstOrThrow();
  await deps.billing.sendMeterEvent({
    eventName: push.event_name,
    stripeCustomerId: push.stripe_customer_id,
    value: 12_345n,
    identifier: 'somebody else',
    timestamp: push.event_timestamp,
  });
  await sandbox.advanceTo(startedMs + 5 * MINUTE_MS);
  const unexplained = await reconcile('--customer', push.customer_id);
  expect(unexplained.exitCode, unexplained.stderr).toBe(1);
  expect(unexplained.stdout).toMatch(/12,345 .*unexplained/);
});

test('the command refuses windows and customers that are not there', async () => {
  const inFuture = await runCommand(['reconcile', '--from', '2199-01-01'], environment);
  expect(inFuture.exitCode).toBe(1);
  expect(inFuture.stderr).toMatch(/from: lies in the future|to: must be later/);
  const nobody = await reconcile('--customer', 'nobody');
  expect(nobody.exitCode).toBe(1);
  expect(nobody.stderr).toMatch(/nobody/);
});
