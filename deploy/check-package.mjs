/**
 * Whether the package works for who installs it: packs it, installs the result into an empty folder, and runs it there
 * with nothing of this checkout: a migration and the status on the embedded Postgres, two days of the demo, and, once
 * the sandbox is taken away, everything but that. `npm run package:check`; about two minutes.
 */
import { execFile } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const ROOT = path.resolve(import.meta.dirname, '..');
const COMMAND_LIMIT_MS = 600_000;
const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));

const directory = mkdtempSync(path.join(tmpdir(), 'tallystick-package-'));
// The embedded Postgres is not run by root, and passes through.
chmodSync(directory, 0o711);
const installed = path.join(directory, 'installed');
const home = path.join(installed, 'node_modules/tallystick');
/** Node as it runs this script, and nothing of the caller's configuration. */
const environment = {
  PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env.PATH}`,
  HOME: process.env.HOME,
  TALLYSTICK_DATA_DIR: path.join(directory, 'data'),
};

// A build of before must not travel along.
mkdirSync(path.join(ROOT, 'dist'), { recursive: true });
writeFileSync(path.join(ROOT, 'dist/left-behind.js'), '');

try {
  await run('npm', ['pack', '--pack-destination', directory], { cwd: ROOT, env: process.env });
  const [tarball] = readdirSync(directory).filter((name) => name.endsWith('.tgz'));
  mkdirSync(installed);
  writeFileSync(path.join(installed, 'package.json'), '{ "private": true }\n');
  await run('npm', ['install', path.join(directory, tarball)], { cwd: installed, env: process.env });

  demand(!existsSync(path.join(home, 'dist/left-behind.js')), 'what was built before travels along');
  const said = await tallystick('--version');
  demand(said.stdout.trim() === version, `the package says ${said.stdout.trim()} and not ${version}`);
  demand((await tallystick('--help')).stdout.includes('reconcile'), '--help lists no commands');
  await useLedger();
  const { stdout } = await tallystick('demo', '--days', '2', '--once', '--json');
  const report = JSON.parse(stdout.trimEnd().split('\n').at(-1));
  demand(BigInt(report.sourceTokens ?? 0) > 0n, `the demo played nothing: ${JSON.stringify(report)}`);

  for (const folder of ['sandbox', 'dist/sandbox']) {
    rmSync(path.join(home, folder), { recursive: true });
  }
  const refusal = await tallystick('demo', '--once').catch((error) => error);
  demand(
    refusal.code === 1 && refusal.stderr.startsWith('CONFIG:'),
    `no sandbox, and yet: ${refusal.stderr}`,
  );
  await useLedger();
  console.log(`${tarball} is sound: installed into an empty folder, run with and without its sandbox.`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function useLedger() {
  const migrated = JSON.parse((await tallystick('migrate', '--json')).stdout);
  demand(migrated.applied.length + migrated.alreadyApplied > 20, 'too few migrations travel along');
  demand(
    'watermarks' in JSON.parse((await tallystick('status', '--json')).stdout),
    'the status lacks watermarks',
  );
}

function tallystick(...argv) {
  return run(path.join(installed, 'node_modules/.bin/tallystick'), argv, {
    cwd: installed,
    env: environment,
  });
}

async function run(command, argv, options) {
  const began = Date.now();
  console.log(`$ ${path.basename(command)} ${argv.map((argument) => path.basename(argument)).join(' ')}`);
  const result = await promisify(execFile)(command, argv, {
    ...options,
    timeout: COMMAND_LIMIT_MS,
    maxBuffer: 2 ** 26,
  });
  console.log(`  ${((Date.now() - began) / 1000).toFixed(1)} s`);
  return result;
}

function demand(isMet, complaint) {
  if (!isMet) throw new Error(complaint);
}
