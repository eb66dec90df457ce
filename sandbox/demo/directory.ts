import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeDataDirectory } from '../../src/platform/embedded/directory-lock.ts';
import { removeDataDirectory } from '../../src/platform/embedded/postgres-home.ts';

/** What decides what a journal of the stand-ins means. */
const SANDBOX = fileURLToPath(new URL('..', import.meta.url));
const SETTINGS = fileURLToPath(new URL(`./settings${path.extname(import.meta.url)}`, import.meta.url));

export interface DemoDirectory {
  /** Where the stand-ins keep their journals. */
  stateDirectory: string;
  /** Nothing was played here yet. */
  isNew: boolean;
  /** Something was, by stand-ins of another version, and is forgotten. */
  wasForgotten: boolean;
}

/**
 * Makes the directory of a demo ready. What stand-ins of another version left in it they alone could read: it is
 * forgotten, as everything is when that is asked for.
 * @throws TallystickError DATA_DIRECTORY_BUSY when a running demo's data would have to go; CONFIG when the directory
 *   cannot be written to
 */
export function prepareDemoDirectory(directory: string, options: { fresh: boolean }): DemoDirectory {
  const stateDirectory = path.join(directory, 'sandbox');
  const marker = path.join(stateDirectory, 'made-by');
  const madeBy = digestOfStandIns();
  const wasPlayed = existsSync(path.join(stateDirectory, 'clock.journal.jsonl'));
  const isReadable = existsSync(marker) && readFileSync(marker, 'utf8') === madeBy;
  const mustGo = options.fresh || (wasPlayed && !isReadable);
  if (mustGo) removeDataDirectory(directory);
  makeDataDirectory(stateDirectory);
  writeFileSync(marker, madeBy);
  return { stateDirectory, isNew: mustGo || !wasPlayed, wasForgotten: mustGo && !options.fresh };
}

function digestOfStandIns(): string {
  const digest = createHash('sha256');
  const names = readdirSync(SANDBOX, { recursive: true, encoding: 'utf8' });
  const files = names
    .filter((name) => /\.[jt]s$/.test(name) && !name.startsWith('demo'))
    .map((name) => path.join(SANDBOX, name));
  for (const file of [...files.sort(), SETTINGS]) digest.update(readFileSync(file));
  return digest.digest('hex');
}
