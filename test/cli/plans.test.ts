import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand, startCommand } from '../e2e/command.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';
import { openAccount, type TestAccount } from '../stripe/account.ts';

let ledger: TestLedger;
let account: TestAccount;
let directory: string;
beforeAll(async () => {
  ledger = await createTestLedger();
  account = await openAccount();
  directory = mkdtempSync(path.join(tmpdir(), 'tallystick-plans-'));
});
afterAll(async () => {
  await account.close();
  await ledger.close();
  rmSync(directory, { recursive: true });
});

const environment = () => ({
  DATABASE_URL: ledger.databaseUrl,
  STRIPE_API_KEY: account.standIn.apiKey,
  STRIPE_API_BASE: account.url,
});
const run = (...argv: string[]) => runCommand(['plans', ...argv], environment());
const isCostPlus = (object: { metadata: Record<string, string> }) =>
  object.metadata.tallystick_plan === 'cost-plus';

describe('tallystick plans', () => {
  it('lists plans and shows what one charges', async () => {
    expect((await run('list')).stdout).toMatch(/standard.*USD.*2024-01-01-[0-9a-f]{8}/);
    const shown = await run('show', 'scale', '--at', '2026-01-01');
    expect(shown.stdout).toMatch(/gpt-4o.*prompt.*graduated up to 100,000,000.*2\.95/);
    expect(shown.stdout).toContain('A billing period costs at least 500.00 USD.');
    const missing = await run('show', 'standart');
    expect([missing.exitCode, missing.stderr]).toEqual([1, expect.stringContaining('There is standard')]);
  });

  it('checks a file and tells every problem', async () => {
    const file = path.join(directory, 'gold.yaml');
    const source = (model: string, amount: string) =>
      `{ plan: gold, name: Gold, currency: usd, versions: [{ effectiveFrom: 2026-01-01, rates: [{ model: ${model}, tokenType: prompt, perMillion: ${amount} }] }] }`;
    writeFileSync(file, source('gpt-4o', '3'));
    expect(await run('check', file)).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('is right'),
    });
    writeFileSync(file, source('gpt-4q', '-3'));
    const wrong = await run('check', file);
    expect(wrong.exitCode).toBe(1);
    expect(wrong.stderr).toMatch(/rates\[0\]\.model: "gpt-4q".*\n.*rates\[0\]\.perMillion: -3 is negative/);
    expect((await run('check', path.join(directory, 'none'))).stderr).toContain('ENOENT');
  });

  it('shows what Stripe lacks, writes it with --yes alone, and then has nothing to do', async () => {
    const diff = await run('diff', 'standard');
    expect(diff.stdout).toContain('+ price    tallystick/standard/gpt-4o/prompt/*: 3.00 USD a million');
    expect(diff.stdout).toContain('20 changes');
    const dry = await run('apply', 'standard', '--json');
    expect(dry.json()).toMatchObject({ applied: false, changeCount: 20 });
    expect(
      (await account.sdk.prices.list({ lookup_keys: ['tallystick/standard/o4-mini/prompt/*'] })).data,
    ).toEqual([]);
    expect((await run('apply', 'standard', 'scale', '--yes', '--json')).json()).toMatchObject({
      applied: true,
      changeCount: 40,
    });
    const [price] = (await account.sdk.prices.list({ lookup_keys: ['tallystick/standard/o4-mini/prompt/*'] }))
      .data;
    expect(price?.unit_amount_decimal?.toString()).toBe('0.00014');
    const again = await run('apply', 'standard', 'scale', '--yes');
    expect(again.stdout).toContain('Stripe has it all: no change.');
    expect(again.stdout).toContain('The minimum is no price');
  });

  it('goes on where a kill -9 stopped it, and makes nothing twice', async () => {
    const running = startCommand(['plans', 'apply', 'cost-plus', '--yes'], environment());
    await running.untilSaid(/cost-plus, version/);
    const made = async () => (await account.sdk.products.list({ limit: 100 })).data.filter(isCostPlus).length;
    while ((await made()) < 3) await sleep(20);
    running.child.kill('SIGKILL');
    expect((await running.done).signal).toBe('SIGKILL');
    expect(await made()).toBeLessThan(10);
    const next = await run('apply', 'cost-plus', '--yes');
    expect(next.exitCode).toBe(0);
    expect(await made()).toBe(10);
    const prices = (await account.sdk.prices.list({ limit: 100 })).data.filter(isCostPlus);
    expect(prices.map((price) => price.active)).toEqual(Array(10).fill(true));
    expect((await run('apply', 'cost-plus', '--yes')).stdout).toContain('no change');
  });
});
