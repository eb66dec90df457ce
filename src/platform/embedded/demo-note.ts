import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { holderOfDataDirectory, isDataDirectoryLocked } from './directory-lock.ts';

/** What a process that plays on a clock of its own tells the commands beside it; readable by its owner only. */
const FILE = 'demo.json';
/** Each world has a directory of its own below the data directory. */
const DIRECTORY_PREFIX = 'demo-';

const noteSchema = z.object({
  /** Of the lock that the process holds: a note that an earlier one left names another. */
  lockId: z.string(),
  databaseUrl: z.string(),
  /** Answers `{ nowMs }`, the instant of its clock. */
  clockUrl: z.string(),
  /** What the process works with in place of the environment's own. */
  environment: z.record(z.string(), z.string()),
});
export type DemoNote = Omit<z.output<typeof noteSchema>, 'lockId'>;

export interface RunningDemo extends DemoNote {
  directory: string;
}

/** Notes how commands reach this process's demo. It holds the directory's lock. */
export function writeDemoNote(directory: string, note: DemoNote): void {
  const lockId = holderOfDataDirectory(directory)?.lockId ?? '';
  const file = path.join(directory, FILE);
  // Renamed into its place: nobody reads half a note.
  writeFileSync(`${file}.new`, JSON.stringify({ lockId, ...note }), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function removeDemoNote(directory: string): void {
  rmSync(path.join(directory, FILE), { force: true });
}

/**
 * The demos that run on this data directory or below it, and directories in which one is about to start or to end. One that was
 * killed holds no lock, whatever it noted.
 */
export function findRunningDemos(dataDirectory: string): { running: RunningDemo[]; unready: string[] } {
  const base = path.resolve(dataDirectory);
  if (isDataDirectoryLocked(base)) {
    // A service's own, which notes nothing, or the very directory of a demo.
    const own = readNote(base);
    return { running: own === null ? [] : [own], unready: [] };
  }
  const locked = listDemoDirectories(base).filter((directory) => isDataDirectoryLocked(directory));
  const running = locked.map(readNote).filter((demo) => demo !== null);
  const unready = locked.filter((directory) => !running.some((demo) => demo.directory === directory));
  return { running, unready };
}

/** Directories of worlds that were ever begun below a data directory, whether they run or not. */
export function listDemoDirectories(dataDirectory: string): string[] {
  const base = path.resolve(dataDirectory);
  try {
    return readdirSync(base, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name.startsWith(DIRECTORY_PREFIX))
      .map(({ name }) => path.join(base, name));
  } catch {
    return [];
  }
}

function readNote(directory: string): RunningDemo | null {
  try {
    const note = noteSchema.parse(JSON.parse(readFileSync(path.join(directory, FILE), 'utf8')));
    if (note.lockId !== holderOfDataDirectory(directory)?.lockId) return null;
    return { ...note, directory };
  } catch {
    return null;
  }
}
