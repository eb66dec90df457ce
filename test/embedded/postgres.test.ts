import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { startEmbeddedPostgres } from '../../src/platform/embedded/postgres.ts';
import { removeDataDirectory } from '../../src/platform/embedded/postgres-home.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tallystick-embedded-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function query(databaseUrl: string, text: string) {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  return (await client.query(text).finally(() => client.end())).rows;
}

test('data outlives a clean stop, and no server is left', async () => {
  const first = await startEmbeddedPostgres({ dataDirectory: directory });
  await query(first.databaseUrl, 'create table notches as select 42 as depth');
  const pid = Number(
    readFileSync(path.join(directory, 'postgres/cluster/postmaster.pid'), 'utf8').split('\n')[0],
  );
  await first.stop();
  expect(() => process.kill(pid, 0)).toThrow();
  const second = await startEmbeddedPostgres({ dataDirectory: directory });
  expect(await query(second.databaseUrl, 'select depth from notches')).toEqual([{ depth: 42 }]);
  await second.stop();
});

test('a second start on one data directory is refused by name', async () => {
  const first = await startEmbeddedPostgres({ dataDirectory: directory });
  await expect(startEmbeddedPostgres({ dataDirectory: directory })).rejects.toMatchObject({
    code: 'DATA_DIRECTORY_BUSY',
    context: { pid: process.pid },
  });
  await first.stop();
});

test('a data directory that cannot be one is refused with what to do', async () => {
  const file = path.join(directory, 'file');
  writeFileSync(file, '');
  await expect(startEmbeddedPostgres({ dataDirectory: path.join(file, 'data') })).rejects.toMatchObject({
    code: 'CONFIG',
    fix: expect.stringContaining('TALLYSTICK_DATA_DIR'),
  });
});

test('after a kill -9 the next start ends the orphaned server and keeps its data', async () => {
  const script = `
    import { startEmbeddedPostgres } from ${JSON.stringify(new URL('../../src/platform/embedded/postgres.ts', import.meta.url).href)};
    import pg from ${JSON.stringify(pathToFileURL(createRequire(import.meta.url).resolve('pg')).href)};
    const server = await startEmbeddedPostgres({ dataDirectory: ${JSON.stringify(directory)} });
    const client = new pg.Client({ connectionString: server.databaseUrl });
    await client.connect();
    await client.query('create table notches as select 7 as depth');
    console.log(server.databaseUrl);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const orphanUrl = await new Promise<string>((resolve) =>
    child.stdout.on('data', (chunk) => resolve(String(chunk).trim())),
  );
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
  expect(await query(orphanUrl, 'select 1 as alive')).toEqual([{ alive: 1 }]);
  const next = await startEmbeddedPostgres({ dataDirectory: directory });
  await expect(query(orphanUrl, 'select 1')).rejects.toThrow(/ECONNREFUSED/);
  expect(await query(next.databaseUrl, 'select depth from notches')).toEqual([{ depth: 7 }]);
  await next.stop();
});

// Only root's server runs as another user.
if (process.getuid?.() === 0) {
  test('as root in a directory closed to others its files are elsewhere, and go with it', async () => {
    const dataDirectory = path.join(directory, 'closed', 'data');
    mkdirSync(dataDirectory, { recursive: true });
    chmodSync(path.join(directory, 'closed'), 0o700);
    const start = async () => {
      const server = await startEmbeddedPostgres({ dataDirectory });
      onTestFinished(() => server.stop());
      return server;
    };
    const homeOf = () => readFileSync(path.join(dataDirectory, 'postgres-is-elsewhere.txt'), 'utf8').trim();
    const first = await start();
    await query(first.databaseUrl, 'create table notches as select 42 as depth');
    expect(() => removeDataDirectory(dataDirectory)).toThrow('in use by Tallystick process');
    await first.stop();
    const home = homeOf();
    onTestFinished(() => rmSync(home, { recursive: true, force: true }));
    const second = await start();
    expect(await query(second.databaseUrl, 'select depth from notches')).toEqual([{ depth: 42 }]);
    await second.stop();
    // Removed by hand, as people do: what was in it does not come back.
    rmSync(dataDirectory, { recursive: true });
    const third = await start();
    expect(await query(third.databaseUrl, "select to_regclass('notches') as found")).toEqual([
      { found: null },
    ]);
    await third.stop();
    const newHome = homeOf();
    expect(newHome).not.toBe(home);
    removeDataDirectory(dataDirectory);
    expect([existsSync(newHome), existsSync(dataDirectory)]).toEqual([false, false]);
  });
}
