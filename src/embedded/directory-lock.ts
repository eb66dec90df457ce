import { accessSync, constants, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { TallystickError } from '../errors.ts';

const LOCK_FILE = 'tallystick.lock';

interface Holder {
  pid: number;
  /** Start time of that process as the kernel counts it, so that a re-used pid is not taken for the holder. */
  startTicks: string | null;
}

/**
 * Makes a directory below, or as, the data directory.
 * @throws TallystickError CONFIG when it cannot be made, or not be written to
 */
export function makeDataDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
    accessSync(directory, constants.W_OK);
  } catch (error) {
    throw new TallystickError(
      `The data directory ${directory} cannot be written to (${(error as NodeJS.ErrnoException).code}).`,
      {
        code: 'CONFIG',
        retry: false,
        cause: error,
        fix: 'Set TALLYSTICK_DATA_DIR to a directory that this user may write to.',
      },
    );
  }
}

/**
 * One process per data directory. The lock of a process that died is taken over.
 * @throws TallystickError DATA_DIRECTORY_BUSY naming the process that holds it; CONFIG
 */
export function lockDataDirectory(directory: string): { release(): void } {
  makeDataDirectory(directory);
  const file = path.join(directory, LOCK_FILE);
  const mine = JSON.stringify({ pid: process.pid, startTicks: readStartTicks(process.pid) } satisfies Holder);
  for (let attempt = 0; attempt < 5; attempt += 1) {
    try {
      writeFileSync(file, mine, { flag: 'wx' });
      return {
        release: () => {
          try {
            if (readFileSync(file, 'utf8') === mine) unlinkSync(file);
          } catch {
            // Gone already: somebody removed the directory.
          }
        },
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = readHolder(file);
    if (holder !== null && isAlive(holder)) {
      throw new TallystickError(
        `The data directory ${directory} is in use by Tallystick process ${holder.pid}.`,
        {
          code: 'DATA_DIRECTORY_BUSY',
          retry: false,
          context: { directory, pid: holder.pid },
          fix: 'Stop that process, or set TALLYSTICK_DATA_DIR to another directory.',
        },
      );
    }
    try {
      unlinkSync(file);
    } catch {
      // Another starter was quicker; the next attempt sees its lock.
    }
  }
  throw new TallystickError(`The lock of ${directory} keeps changing hands.`, {
    code: 'DATA_DIRECTORY_BUSY',
    retry: true,
  });
}

/** Whether a live process holds the directory. */
export function isDataDirectoryLocked(directory: string): boolean {
  const holder = readHolder(path.join(directory, LOCK_FILE));
  return holder !== null && isAlive(holder);
}

function readHolder(file: string): Holder | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Holder;
  } catch {
    return null;
  }
}

function isAlive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const ticks = readStartTicks(holder.pid);
  return ticks === null || holder.startTicks === null || ticks === holder.startTicks;
}

/** Field 22 of /proc/PID/stat; null where there is no /proc. */
function readStartTicks(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
