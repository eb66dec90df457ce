import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommand } from '../e2e/command.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

let ledger: TestLedger;
let directory: string;
beforeEach(async () => {
  ledger = await createTestLedger();
  directory = mkdtempSync(path.join(tmpdir(), 'tallystick-prices-'));
});
afterEach(async () => {
  rmSync(directory, { recursive: true });
  await ledger.close();
});

const run = (...argv: string[]) => runCommand(argv, { DATABASE_URL: ledger.databaseUrl });
const write = (name: string, text: string) => {
  const file = path.join(directory, name);
  writeFileSync(file, text);
  return file;
};

describe('tallystick prices', () => {
  it('adds, lists as of a version, and shows what differs', async () => {
    const price = ['--model', 'o3', '--kind', 'prompt', '--reason', 'New list.'];
    const added = await run('prices', 'add', ...price, '--amount', '1.80', '--from', '2030-01-01');
    expect(added.stdout).toMatch(/^Price book .*\+2: 1 added, 0 superseded, 0 unchanged\.\n$/);
    const listed = await run('prices', 'list', '--model', 'o3', '--at', '2030-01-01');
    expect(listed.stdout).toContain('1.80');
    const before = await run(
      'prices',
      'list',
      '--model',
      'o3',
      '--at',
      '2030-01-01',
      '--as-of-version',
      '1',
      '--json',
    );
    expect((before.json().prices as { amount: string }[]).map(({ amount }) => amount)).not.toContain('1.80');
    const diff = await run('prices', 'diff', '--from', '2029-12-31', '--to', '2030-01-01');
    expect(diff.stdout).toContain('-10.00 %');
    const absurd = await run('prices', 'add', ...price, '--amount', '1800', '--from', '2031-01-01');
    expect([absurd.exitCode, absurd.stderr]).toEqual([1, expect.stringContaining('is absurd')]);
    const typo = await run('prices', 'add', '--model', 'o33', ...price.slice(2), '--amount', '1');
    expect([typo.exitCode, typo.stderr]).toEqual([1, expect.stringContaining('Near names: o3')]);
  });

  it('imports what it exports, and nothing of a file with bad lines', async () => {
    for (const format of ['yaml', 'csv']) {
      const exported = await run('prices', 'export', '--format', format);
      const file = write(`book.${format}`, exported.stdout);
      const imported = await run('prices', 'import', file);
      expect(imported.stdout).toMatch(/^Nothing applied.*: 0 added, 0 superseded, \d{4} unchanged\.\n$/);
    }
    const bad = write('bad.csv', 'model,tokenType,amount\no3,prompt,-1\no3,promt,1\ngpt4o,prompt,1\n');
    const refused = await run('prices', 'import', bad);
    expect(refused.exitCode).toBe(1);
    for (const line of ['line 2: amount', 'line 3: tokenType', 'line 4: model'])
      expect(refused.stderr).toContain(line);
    const missing = await run('prices', 'import', path.join(directory, 'none.csv'));
    expect([missing.exitCode, missing.stderr]).toEqual([1, expect.stringContaining('ENOENT')]);
  });

  it('imports a table by model as a program has it, and shows first what it would change', async () => {
    const table = write('table.py', 'PRICING = {"gpt-4o": {"prompt": 5.0e-6}, "o3": {"prompt": 2.0e-6}}\n');
    const dry = await run('prices', 'import', table, '--from', '2030-01-01', '--dry-run');
    expect(dry.stdout).toMatch(
      /^Read as model-table\.\nNothing applied.*: 1 added, 0 superseded, 1 unchanged/,
    );
    expect(dry.stdout).toMatch(
      /gpt-4o .* prompt .* 2\.50 \/ million_tokens .* 5\.00 \/ million_tokens .* 2030-01-01/,
    );
    const past = await run('prices', 'import', table, '--dry-run');
    expect([past.exitCode, past.stderr]).toEqual([1, expect.stringContaining('overlaps')]);
    const wrong = await run('prices', 'import', table, '--format', 'csv');
    expect([wrong.exitCode, wrong.stderr]).toEqual([
      1,
      expect.stringContaining('is no column of the header'),
    ]);
    const done = await run('prices', 'import', table, '--from', '2030-01-01', '--json');
    expect(done.json()).toMatchObject({ applied: true, addedCount: 1, notTakenCount: 0 });
    const sheet = write(
      'sheet.csv',
      'MeterId,MeterName,UnitOfMeasure,UnitPrice,CurrencyCode,EffectiveStartDate\n' +
        '5a17b0c5-0000-4000-8000-000000000001,gpt-4o-0806-Inp-glbl Tokens,1K,0.0024,USD,2031-01-01\n' +
        '00000000-0000-4000-8000-000000000009,gpt 9 Inp,1K,0.0024,USD,2031-01-01\n',
    );
    const paid = await run('prices', 'import', sheet);
    expect(paid.stdout).toMatch(
      /Price book .*: 1 added.*Not understood: 1\n.*00000000-0000-4000-8000-000000000009/s,
    );
  });

  it('maps deployments', async () => {
    const none = await run('deployments', 'list');
    expect(none.stdout).toContain('Nothing is said');
    const mapped = await run(
      'deployments',
      'map',
      'chat-*',
      '--model',
      'gpt-4o',
      '--type',
      'data_zone',
      '--reason',
      'Ours.',
    );
    expect([mapped.exitCode, mapped.stdout]).toEqual([0, expect.stringContaining('1 added')]);
    const found = await run('deployments', 'list', '--deployment', 'chat-prod', '--json');
    expect(found.json().deployments).toMatchObject([{ deployment: 'chat-*', model: 'gpt-4o' }]);
  });
});
