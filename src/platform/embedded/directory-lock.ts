import { accessSync, constants, mkdirSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { TallystickError } from '../errors.ts';
import { isKernelLocked, type KernelLock, tryKernelLock } from './kernel-lock.ts';
import {
  describeHolder,
  type Holder,
  isLiveHolderOfBefore,
  isRunning,
  readHolder,
  thisHolder,
} from './lock-holder.ts';

/** What counts: whoever has the kernel's lock on it holds the directory. */
const LOCK_FILE = 'tallystick.lock.sqlite';
/** Who that is, for people, and for versions that know this file alone. */
const NOTE_FILE = 'tallystick.lock';
/** Several who start in one instant may each find the lock touched by another; one of them has it soon. */
const PATIENCE_MS = 500;

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
 * One process per data directory. The lock is the kernel's and ends with its process, so nobody takes over a stale one.
 * @throws TallystickError DATA_DIRECTORY_BUSY naming the process that holds it; CONFIG
 */
export function lockDataDirectory(directory: string): KernelLock {
  makeDataDirectory(directory);
  const noteFile = path.join(directory, NOTE_FILE);
  const lock = waitForLock(directory, noteFile);
  try {
    const holder = readHolder(noteFile);
    if (holder !== null && isLiveHolderOfBefore(holder)) throw busy(directory, holder);
    const mine = thisHolder();
    // Renamed into its place: nobody reads half a note.
    writeFileSync(`${noteFile}.new`, JSON.stringify(mine));
    renameSync(`${noteFile}.new`, noteFile);
    return {
      release: () => {
        try {
          if (readHolder(noteFile)?.lockId === mine.lockId) unlinkSync(noteFile);
        } finally {
          lock.release();
        }
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Whether a live process holds the directory. */
export function isDataDirectoryLocked(directory: string): boolean {
  if (isKernelLocked(path.join(directory, LOCK_FILE))) return true;
  const holder = readHolder(path.join(directory, NOTE_FILE));
  return holder !== null && isLiveHolderOfBefore(holder);
}

/** Who noted last that they hold it; null where nobody did. */
export function holderOfDataDirectory(directory: string): Holder | null {
  return readHolder(path.join(directory, NOTE_FILE));
}

function waitForLock(directory: string, noteFile: string): KernelLock {
  const startMs = performance.now();
  for (;;) {
    const lock = tryKernelLock(path.join(directory, LOCK_FILE));
    if (lock !== null) return lock;
    const holder = readHolder(noteFile);
    const isNoted = holder !== null && isRunning(holder);
    if (isNoted || performance.now() - startMs > PATIENCE_MS) throw busy(directory, holder);
    // Of different length for each, or they meet again and again.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1 + (process.pid % 7));
  }
}

function busy(directory: string, holder: Holder | null): TallystickError {
  return new TallystickError(`The data directory ${directory} is in use by ${describeHolder(holder)}.`, {
    code: 'DATA_DIRECTORY_BUSY',
    retry: false,
    context: { directory, ...(holder === null ? {} : { pid: holder.pid, host: holder.host }) },
    fix: 'Stop that process, or set TALLYSTICK_DATA_DIR to another directory.',
  });
}
