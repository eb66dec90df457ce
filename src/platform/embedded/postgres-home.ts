import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { chmod, chown, mkdir, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isReachableByOthers, type PostgresBinaries } from './binaries.ts';
import { lockDataDirectory } from './directory-lock.ts';

/** Says where the server's files are when they are not below the data directory. */
const ELSEWHERE_FILE = 'postgres-is-elsewhere.txt';

/** The folder the server owns: below the data directory, or beside it all where root's own is closed to it. */
export async function preparePostgresHome(
  dataDirectory: string,
  { runAs }: Pick<PostgresBinaries, 'runAs'>,
): Promise<string> {
  let home = path.join(dataDirectory, 'postgres');
  // Root's own directory lets the unprivileged server pass through, though not look around.
  if (runAs !== undefined) await chmod(dataDirectory, ((await stat(dataDirectory)).mode & 0o777) | 0o011);
  if (runAs !== undefined && !(await isReachableByOthers(dataDirectory))) {
    // Never the same twice: a directory that was removed and made again must not find the data of the one before.
    const parent = existsSync('/var/lib') ? '/var/lib' : tmpdir();
    home = readElsewhere(dataDirectory) ?? path.join(parent, `tallystick-${randomBytes(8).toString('hex')}`);
    await writeFile(path.join(dataDirectory, ELSEWHERE_FILE), `${home}\n`);
  }
  await mkdir(home, { recursive: true });
  if (runAs !== undefined) await chown(home, runAs.uid, runAs.gid);
  await chmod(home, 0o700);
  return home;
}

/**
 * Removes a data directory with all that is kept in it, and its server's files wherever they are.
 * @throws TallystickError DATA_DIRECTORY_BUSY when a live process holds it
 */
export function removeDataDirectory(dataDirectory: string): void {
  if (!existsSync(dataDirectory)) return;
  const lock = lockDataDirectory(dataDirectory);
  const elsewhere = readElsewhere(dataDirectory);
  if (elsewhere !== null) rmSync(elsewhere, { recursive: true, force: true });
  rmSync(dataDirectory, { recursive: true, force: true });
  lock.release();
}

function readElsewhere(dataDirectory: string): string | null {
  const file = path.join(dataDirectory, ELSEWHERE_FILE);
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : null;
}
