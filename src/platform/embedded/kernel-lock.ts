import { type BigIntStats, statSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { TallystickError } from '../errors.ts';

const SQLITE_BUSY = 5;

/** A lock that the kernel keeps for this process; it ends with the process, however that ends. */
export interface KernelLock {
  /** Harmless when repeated. */
  release(): void;
}

/**
 * The kernel's own lock on a file, exclusive; null when any process has it, this one included. Node has no call for it,
 * but its SQLite takes one (fcntl, or LockFileEx), and knows of those this process took before. A kernel keeps it for
 * no dead process and asks no process number, so there is nothing to take over and nothing to mistake, among other
 * process numbers too; over a network as far as the file system keeps locks.
 * The file stays for ever: who removes it parts those who hold the old one from those who make a new one.
 * @throws TallystickError CONFIG where the file system keeps no locks
 */
export function tryKernelLock(file: string): KernelLock | null {
  for (;;) {
    makeFile(file);
    const before = statSync(file, { bigint: true, throwIfNoEntry: false });
    const database = openAndLock(file, 'begin exclusive');
    if (database === null) return null;
    const after = statSync(file, { bigint: true, throwIfNoEntry: false });
    if (isSameFile(before, after)) return { release: () => void (database.isOpen && database.close()) };
    // The directory was removed, or made anew, since: a lock on a file that nobody finds any more keeps nobody out.
    database.close();
  }
}

/** Whether a live process has the kernel's lock on the file; changes nothing. */
export function isKernelLocked(file: string): boolean {
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return false;
  const database = openAndLock(file, 'select 1 from sqlite_schema', { readOnly: true });
  database?.close();
  return database === null;
}

/** Never by opening what is there: closing any descriptor of the file would end a lock that this process has on it. */
function makeFile(file: string): void {
  try {
    writeFileSync(file, '', { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Null when another has the lock. Rolling back is not needed: closing does. */
function openAndLock(
  file: string,
  statement: string,
  options: { readOnly?: boolean } = {},
): DatabaseSync | null {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, options);
    database.exec(statement);
    return database;
  } catch (error) {
    database?.close();
    const { errcode } = error as { errcode?: number };
    // The lower byte is the kind, the rest its variety.
    if (errcode !== undefined && (errcode & 0xff) === SQLITE_BUSY) return null;
    throw new TallystickError(`${file} cannot be locked.`, {
      code: 'CONFIG',
      retry: false,
      cause: error,
      fix: 'Set TALLYSTICK_DATA_DIR to a directory on a file system that keeps locks, such as a local disk.',
    });
  }
}

function isSameFile(one: BigIntStats | undefined, other: BigIntStats | undefined): boolean {
  return one !== undefined && other !== undefined && one.ino === other.ino && one.dev === other.dev;
}
