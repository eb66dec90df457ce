import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { rateUsage } from '../../jobs/rate-usage.ts';
import { lookAround } from '../../src/command-line/surroundings.ts';
import type { Manifest } from '../../src/exports/warehouse/manifest.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { removeDemoNote, writeDemoNote } from '../../src/platform/embedded/demo-note.ts';
import { lockDataDirectory } from '../../src/platform/embedded/directory-lock.ts';
import { createLogger } from '../../src/platform/log.ts';
import { insertCatalog, insertUsage } from '../api/world.ts';
import { runCommand } from '../e2e/command.ts';
import { makeTemporaryDirectory } from '../setup/data-directory.ts';
import { createTestLedger } from '../setup/ledger.ts';

const NOW = Date.UTC(2026, 10, 2, 12);
const LEDGER = 'postgres://tallystick:secret@127.0.0.1:5999/tallystick';
let server: Server;
let clockUrl: string;
let base: string;
let world: string;

beforeAll(async () => {
  server = createServer((_request, response) => response.end(JSON.stringify({ nowMs: NOW })));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  clockUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/clock`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  base = makeTemporaryDirectory('beside');
  world = path.join(base, 'demo-1-35d-12c-60u');
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
});

/** Takes a directory as a demo does, and notes how commands reach it. */
function startDemo(directory: string, note: { databaseUrl?: string; clockUrl?: string } = {}) {
  const lock = lockDataDirectory(directory);
  onTestFinished(() => lock.release());
  writeDemoNote(directory, {
    databaseUrl: LEDGER,
    clockUrl,
    environment: { STRIPE_API_KEY: 'sk_test_demo', PORT: '9123' },
    ...note,
  });
  return lock;
}

test('a command is about the demo that runs below its data directory, on the clock of that', async () => {
  startDemo(world);
  const { config, clock } = await lookAround({ TALLYSTICK_DATA_DIR: base });
  expect(config).toMatchObject({ DATABASE_URL: LEDGER, STRIPE_API_KEY: 'sk_test_demo', PORT: 9123 });
  const aheadMs = clock.now().getTime() - NOW;
  expect(aheadMs).toBeGreaterThanOrEqual(0);
  expect(aheadMs).toBeLessThan(60_000);
  // The ledger's password is in it.
  expect(statSync(path.join(world, 'demo.json')).mode & 0o077).toBe(0);
});

test('a command that writes down when it did something takes the clock of the demo', async () => {
  const ledger = await createTestLedger();
  const role = `reader_${randomBytes(4).toString('hex')}`;
  await sql`create role ${sql.id(role)}`.execute(ledger.database);
  onTestFinished(async () => {
    await sql`drop owned by ${sql.id(role)}`.execute(ledger.database);
    await sql`drop role ${sql.id(role)}`.execute(ledger.database);
    await ledger.close();
  });
  await insertCatalog(ledger.database);
  await insertUsage(ledger.database, [{ hour: '2026-11-01T05:00:00Z', tokens: 5n }]);
  await rateUsage({
    database: ledger.database,
    clock: { now: () => new Date(NOW) },
    log: createLogger('silent'),
  });
  startDemo(world, { databaseUrl: ledger.databaseUrl });
  const warehouse = path.join(base, 'warehouse');
  for (const argv of [
    ['exports', 'warehouse', '--url', pathToFileURL(warehouse).href],
    ['reporting', 'grant', '--role', role],
    ['reporting', 'revoke', '--role', role],
  ]) {
    expect(await runCommand(argv, { TALLYSTICK_DATA_DIR: base })).toMatchObject({ exitCode: 0 });
  }
  const manifest = JSON.parse(readFileSync(path.join(warehouse, 'manifest.json'), 'utf8')) as Manifest;
  const audits = await ledger.database
    .selectFrom('audit_log')
    .select('created_at')
    .where('action', 'like', 'reporting.%')
    .execute();
  const instants = [
    ...Object.values(manifest.days).map(({ writtenAt }) => new Date(writtenAt)),
    ...audits.map((row) => row.created_at),
  ];
  expect(instants.map((at) => at.toISOString().slice(0, 13))).toEqual(Array(3).fill('2026-11-02T12'));
});

test('and where the data directory is that of the demo itself', async () => {
  startDemo(world);
  const { config } = await lookAround({ TALLYSTICK_DATA_DIR: world });
  expect(config.DATABASE_URL).toBe(LEDGER);
});

test('a demo that was killed left its note, and is not looked for', async () => {
  startDemo(world).release();
  const { config, clock } = await lookAround({ TALLYSTICK_DATA_DIR: base });
  expect(config.DATABASE_URL).toBeUndefined();
  expect(config.STRIPE_API_KEY).toBeUndefined();
  expect(clock).toBe(systemClock);
});

test('the note of a killed demo is not taken for that of one which starts in its place', async () => {
  startDemo(world).release();
  const again = lockDataDirectory(world);
  onTestFinished(() => again.release());
  await expect(lookAround({ TALLYSTICK_DATA_DIR: base })).rejects.toMatchObject({
    code: 'DATA_DIRECTORY_BUSY',
    retry: true,
  });
});

test.each(['', '{"lockId":', '{"databaseUrl":7}', '[]'])('a note that says %j is none', async (text) => {
  startDemo(world);
  writeFileSync(path.join(world, 'demo.json'), text);
  await expect(lookAround({ TALLYSTICK_DATA_DIR: base })).rejects.toMatchObject({
    code: 'DATA_DIRECTORY_BUSY',
  });
});

test('a demo that ends takes its note away', async () => {
  startDemo(world);
  removeDemoNote(world);
  removeDemoNote(world);
  expect(() => readFileSync(path.join(world, 'demo.json'))).toThrow('ENOENT');
});

test.each([
  { STRIPE_API_KEY: 'sk_test_own' },
  { OPENMETER_URL: 'https://openmeter.example' },
  { AZURE_LOGS_WORKSPACE_ID: '11111111-2222-3333-4444-555555555555' },
  { DATABASE_URL: 'postgres://own@127.0.0.1:5432/own' },
])('an installation is not confused by a demo beside it: %o', async (own) => {
  startDemo(world);
  const { config, clock } = await lookAround({ TALLYSTICK_DATA_DIR: base, ...own });
  expect(config).toMatchObject(own);
  expect(config.DATABASE_URL).not.toBe(LEDGER);
  expect(clock).toBe(systemClock);
});

test('a service on the data directory is what is meant, and not a demo below it', async () => {
  startDemo(world);
  const service = lockDataDirectory(base);
  onTestFinished(() => service.release());
  const { config } = await lookAround({ TALLYSTICK_DATA_DIR: base });
  expect(config.DATABASE_URL).toBeUndefined();
});

test('a demo in a named database is found by that name', async () => {
  startDemo(world);
  startDemo(path.join(base, 'demo-2-35d-12c-60u'), { databaseUrl: `${LEDGER}_2` });
  const { config } = await lookAround({ TALLYSTICK_DATA_DIR: base, DATABASE_URL: `${LEDGER}_2` });
  expect(config).toMatchObject({ DATABASE_URL: `${LEDGER}_2`, STRIPE_API_KEY: 'sk_test_demo' });
});

test('of several demos none is guessed', async () => {
  startDemo(world);
  startDemo(path.join(base, 'demo-2-35d-12c-60u'));
  await expect(lookAround({ TALLYSTICK_DATA_DIR: base })).rejects.toMatchObject({
    code: 'CONFIG',
    fix: expect.stringContaining('demo-2-35d-12c-60u'),
  });
});

test('a demo whose clock does not answer is not answered for by the wall clock', async () => {
  startDemo(world, { clockUrl: 'http://127.0.0.1:9/clock' });
  await expect(lookAround({ TALLYSTICK_DATA_DIR: base })).rejects.toMatchObject({
    code: 'DATA_DIRECTORY_BUSY',
    retry: true,
  });
});

test('other folders and files below the data directory are no demos', async () => {
  mkdirSync(path.join(base, 'postgres'));
  writeFileSync(path.join(base, 'demo-notes.txt'), 'none');
  mkdirSync(path.join(base, 'demo-that-never-ran'));
  const { config } = await lookAround({ TALLYSTICK_DATA_DIR: base });
  expect(config.DATABASE_URL).toBeUndefined();
});
