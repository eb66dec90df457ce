import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rateUsage } from '../../jobs/rate-usage.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createLogger } from '../../src/platform/log.ts';
import { insertCatalog, insertUsage } from '../api/world.ts';
import { runCommand } from '../e2e/command.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

const HOUR = '2025-10-20T05:00:00Z';
const DAY = ['--from', '2025-10-20', '--to', '2025-10-21'];

let ledger: TestLedger;
const directory = mkdtempSync(path.join(tmpdir(), 'tallystick-costs-'));
const file = path.join(directory, 'scenarios.yaml');

beforeAll(async () => {
  ledger = await createTestLedger();
  await insertCatalog(ledger.database);
  await insertUsage(ledger.database, [
    { hour: HOUR, tokens: 2_000_000n },
    { hour: HOUR, tokens: 5n, model: 'gpt-99', deployment: 'x', feature: 'search' },
  ]);
});
afterAll(async () => {
  await ledger.close();
  rmSync(directory, { recursive: true });
});

const run = (...argv: string[]) =>
  runCommand(argv, {
    DATABASE_URL: ledger.databaseUrl,
    AZURE_LOGS_WORKSPACE_ID: '11111111-2222-3333-4444-555555555555',
    OPENMETER_URL: 'http://127.0.0.1:9',
    STRIPE_API_KEY: 'sk_test_1',
  });
const rate = () => rateUsage({ database: ledger.database, clock: systemClock, log: createLogger('silent') });

describe('costs on the command line', () => {
  it('shows what usage cost, with what is unknown, and what bought capacity leaves idle', async () => {
    const added = await run(
      ...['provisioned', 'add', '--deployment', 'ptu-1', '--from', HOUR, '--until', '2025-10-20T06:00:00Z'],
      ...['--units', '3', '--hourly', '2', '--throughput', '1000', '--completion-weight', '4', '--json'],
    );
    expect(added.json()).toMatchObject({ deployment: 'ptu-1', hourlyCost: '6.00' });
    await rate();
    const shown = await run('costs', ...DAY, '--group-by', 'feature,model');
    expect(shown.stdout).toContain('unknown_model 5');
    expect(shown.stdout).toContain('5.00');
    expect(shown.stdout).toContain('overhead: 6.00 USD of ptu-1');
    expect((await run('provisioned', 'list')).stdout).toContain('ptu-1');
    const status = await run('status');
    expect(status.stdout).toContain('5 tokens of gpt-99: unknown_model');
  });

  it('simulates what a file says, and refuses it in words', async () => {
    writeFileSync(
      file,
      'from: 2025-10-20\nto: 2025-10-21\nscenarios:\n  - name: cheap\n    costPrices: [{ model: gpt-4o, tokenType: prompt, usdPerMillion: 1.10 }]\n',
    );
    const done = await run('simulate', '--file', file, '--json');
    expect(done.json()).toMatchObject({
      result: { totals: [{ currency: 'usd', figures: [{ knownCost: '5.00' }, { knownCost: '2.20' }] }] },
    });
    expect((await run('simulate', '--file', file)).stdout).toContain('cheap');
    writeFileSync(file, 'scenarios: [{ name: a, plan: nowhere }]\nperiod: 2025-10\n');
    const unknown = await run('simulate', '--file', file);
    expect([unknown.exitCode, unknown.stderr]).toEqual([1, expect.stringContaining('nowhere')]);
    const missing = await run('simulate', '--file', path.join(directory, 'none.yaml'));
    expect([missing.exitCode, missing.stderr]).toEqual([1, expect.stringContaining('cannot be read')]);
  });
});
