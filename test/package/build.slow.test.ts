import { execFile } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const directory = mkdtempSync(path.join(tmpdir(), 'tallystick-build-'));
const dist = path.join(directory, 'dist');
const run = promisify(execFile);
let ledger: TestLedger;

beforeAll(async () => {
  ledger = await createTestLedger();
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(directory, 'node_modules'));
  const compiler = path.join(ROOT, 'node_modules/.bin/tsc');
  await run(compiler, ['-p', 'tsconfig.build.json', '--outDir', dist], { cwd: ROOT });
  await run(process.execPath, ['deploy/copy-data-files.mjs', dist], { cwd: ROOT });
});
afterAll(async () => {
  await ledger.close();
  rmSync(directory, { recursive: true });
});

const tallystick = (...argv: string[]) =>
  run(process.execPath, [path.join(dist, 'src/main.js'), ...argv], {
    cwd: directory,
    env: { ...process.env, DATABASE_URL: ledger.databaseUrl },
  });

it('finds its migrations and plans when it runs as a package, where Node strips no types', async () => {
  expect((await tallystick('migrate')).stdout).toMatch(/up to date|already/i);
  expect((await tallystick('plans', 'list')).stdout).toContain('standard');
});

it('runs everything but the demo without the sandbox, and says so', async () => {
  renameSync(path.join(dist, 'sandbox'), path.join(directory, 'taken-away'));
  onTestFinished(() => renameSync(path.join(directory, 'taken-away'), path.join(dist, 'sandbox')));
  await expect(tallystick('demo', '--once', '--json')).rejects.toMatchObject({
    code: 1,
    stdout: expect.stringContaining('"code":"CONFIG"'),
    stderr: expect.stringMatching(/^CONFIG: .*without the sandbox[\s\S]*\nFix: /),
  });
  expect((await tallystick('demo', '--help')).stdout).toContain('35 virtual days');
  expect(JSON.parse((await tallystick('status', '--json')).stdout)).toHaveProperty('watermarks');
});

it('takes a package that the sandbox lacks for what it is', async () => {
  const demo = path.join(dist, 'sandbox/demo/run.js');
  renameSync(demo, `${demo}.kept`);
  onTestFinished(() => renameSync(`${demo}.kept`, demo));
  writeFileSync(demo, "import 'a-package-that-nobody-installed';\n");
  await expect(tallystick('demo', '--once')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^INTERNAL: [\s\S]*a-package-that-nobody-installed/),
  });
});
