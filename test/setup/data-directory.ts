import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isDataDirectoryLocked } from '../../src/platform/embedded/directory-lock.ts';

/** Where Linux keeps files in memory. */
const MEMORY = '/dev/shm';
/** `TMPFS_MAGIC` of statfs(2). */
const MEMORY_FILE_SYSTEM = 0x01021994;
/** Far more than a run needs, log included. */
const LEAST_FREE_BYTES = 4 * 1_024 ** 3;
/** No run lasts so long. */
const LEFT_BEHIND_MS = 6 * 3_600_000;

/**
 * A temporary directory for data directories. Whoever runs the server may pass through it, so that the server's files
 * lie in it too, and go with it. In memory where there is plenty: a ledger is some thousand files, and ext4 searches long
 * for a place for each while as many have just been removed.
 */
export function makeTemporaryDirectory(name: string): string {
  const parent = hasPlentyOfMemory() ? MEMORY : tmpdir();
  if (parent === MEMORY) removeLeftBehind();
  const directory = mkdtempSync(path.join(parent, `tallystick-${name}-`));
  chmodSync(directory, 0o711);
  return directory;
}

function hasPlentyOfMemory(): boolean {
  // Whoever names a place for temporary files means it.
  if (process.env.TMPDIR !== undefined || !existsSync(MEMORY)) return false;
  const { type, bavail, bsize } = statfsSync(MEMORY);
  return (
    type === MEMORY_FILE_SYSTEM && Math.min(bavail * bsize, process.availableMemory()) > LEAST_FREE_BYTES
  );
}

/** What runs left that were killed would fill the memory until the machine is started again. */
function removeLeftBehind(): void {
  for (const name of readdirSync(MEMORY).filter((file) => file.startsWith('tallystick-'))) {
    const directory = path.join(MEMORY, name);
    const made = statSync(directory, { throwIfNoEntry: false });
    if (made === undefined || Date.now() - made.mtimeMs < LEFT_BEHIND_MS) continue;
    if (!isDataDirectoryLocked(directory)) rmSync(directory, { recursive: true, force: true });
  }
}
