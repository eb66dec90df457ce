import { rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { type SandboxHandle, startSandboxThread } from '../../sandbox/start-thread.ts';
import { DAY_MS } from '../../src/platform/clock.ts';
import { makeTemporaryDirectory } from '../setup/data-directory.ts';
import { type RunningCommand, runCommand, startCommand } from './command.ts';

/** Ends a wait for what never comes; the schedules need half a minute on an idle machine. */
const PATIENCE_MS = 170_000;

let directory: string;
let sandbox: SandboxHandle;
let environment: Record<string, string>;
let service: RunningCommand;
let url: string;

/** A sandbox that lives in the present, as an outside world would, and the service pointed at it by environment. */
beforeAll(async () => {
  directory = makeTemporaryDirectory('service');
  const startMs = Math.floor(Date.now() / DAY_MS) * DAY_MS - 2 * DAY_MS;
  sandbox = await startSandboxThread({
    scenario: { seed: 5, dayCount: 3, customerCount: 4, userCount: 10, startMs },
    stateDirectory: null,
    latencyMs: 0,
    gracePeriodHours: 72,
  });
  await sandbox.advanceTo(Date.now());
  await sandbox.runWithRealTime();
  environment = {
    TALLYSTICK_DATA_DIR: directory,
    PORT: '0',
    AZURE_LOGS_WORKSPACE_ID: sandbox.addresses.workspaceId,
    AZURE_LOGS_ENDPOINT: sandbox.addresses.azureUrl,
    AZURE_RETAIL_PRICES_URL: sandbox.addresses.retailPricesUrl,
    OPENMETER_URL: sandbox.addresses.openMeterUrl,
    STRIPE_API_BASE: sandbox.addresses.stripeUrl,
    STRIPE_API_KEY: sandbox.addresses.stripeApiKey,
    COLLECT_START: new Date(startMs).toISOString(),
    SETTLE_LAG_SECONDS: '5',
  };
  service = startCommand(['up'], environment);
  url = JSON.parse((await service.untilSaid(/\{[^\n]*"msg":"ready"\}/)) as string).url;
});

afterAll(async () => {
  service.child.kill('SIGKILL');
  await service.done;
  await sandbox.close();
  rmSync(directory, { recursive: true, force: true });
});

const command = async (...argv: string[]) => {
  const result = await runCommand([...argv, '--json'], environment);
  return { exitCode: result.exitCode, body: result.json(), stderr: result.stderr };
};

test('says the version of the package', async () => {
  expect(await (await fetch(`${url}/openapi.json`)).json()).toMatchObject({
    info: { version: manifest.version },
  });
});

test('configured by environment alone, usage travels to Stripe on the schedules', async () => {
  await expect
    .poll(async () => BigInt((await sandbox.readTotals()).billedTokens), {
      timeout: PATIENCE_MS,
      interval: 500,
    })
    .toBeGreaterThan(0n);
});

test('short commands work beside the running service', async () => {
  const status = await command('status');
  expect(status.exitCode, status.stderr).toBe(0);
  expect(status.body).toMatchObject({ openDriftCount: '0' });
  const key = await command('keys', 'create', '--name', 'crm', '--scope', 'sales');
  const headers = { Authorization: `Bearer ${key.body.key}` };
  const preview = await fetch(`${url}/v1/customers/northwind/invoice-preview`, { headers });
  expect(preview.status).toBe(200);
  expect((await command('preview', 'northwind')).body).toMatchObject({ customerId: 'northwind' });
  expect((await fetch(`${url}/v1/status`, { headers })).status).toBe(403);
  const quote = await command('quote', '--usage', 'gpt-4o:1000000:200000');
  expect(quote.body).toMatchObject({ totals: { cost: { amount: '4.50' } } });
});

test('doctor finds nothing bad, names every system, and prints no secret', async () => {
  const doctor = await command('doctor');
  expect(doctor.exitCode, JSON.stringify(doctor.body)).toBe(0);
  const systems = (doctor.body.findings as { system: string }[]).map((finding) => finding.system);
  expect(new Set(systems)).toEqual(
    new Set(['configuration', 'ledger', 'queue', 'azure', 'openmeter', 'stripe']),
  );
  expect(JSON.stringify(doctor.body)).not.toContain(environment.STRIPE_API_KEY);
});

test('doctor names a dead system and its fix, and still looks at the others', async () => {
  const result = await runCommand(['doctor', '--json'], {
    ...environment,
    OPENMETER_URL: 'http://127.0.0.1:9',
  });
  expect(result.exitCode).toBe(1);
  const { findings } = result.json() as { findings: { system: string; verdict: string; fix?: string }[] };
  const bad = findings.filter((finding) => finding.verdict === 'bad');
  expect(bad).toMatchObject([{ system: 'openmeter', fix: expect.stringMatching(/OPENMETER_URL/) }]);
  expect(
    findings.filter((finding) => finding.system === 'stripe' && finding.verdict === 'good').length,
  ).toBeGreaterThan(0);
});

test('a missing environment is reported in one piece', async () => {
  const result = await runCommand(['up'], {
    TALLYSTICK_DATA_DIR: path.join(directory, 'other'),
    PORT: 'x',
    OPENMETER_URL: 'ftp://x',
  });
  expect(result.exitCode).toBe(1);
  expect(result.stderr).toMatch(/PORT: must be a whole number/);
  expect(result.stderr).toMatch(/OPENMETER_URL: must be an https address/);
});

test('SIGTERM ends it cleanly, with nothing left running', async () => {
  const own = { ...environment, TALLYSTICK_DATA_DIR: path.join(directory, 'stopped') };
  const running = startCommand(['up'], own);
  onTestFinished(() => void running.child.kill('SIGKILL'));
  await running.untilSaid(/"msg":"ready"/);
  running.child.kill('SIGTERM');
  const result = await running.done;
  // Past its limit it would have ended itself with status 1.
  expect(result.exitCode, result.stderr).toBe(0);
  expect(result.stderr).toContain('"msg":"stopped"');
  const status = await runCommand(['status', '--json'], own);
  expect(status.exitCode, status.stderr).toBe(0);
});
