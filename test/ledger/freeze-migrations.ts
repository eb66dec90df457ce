import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  MIGRATIONS,
  type MigrationFile,
  readMigrationFiles,
} from '../../src/platform/database/migration-files.ts';

/** SHA-256 of each migration's text by file name, in order. */
export type Checksums = Record<string, string>;

/** What is wrong with the folder, held against what is frozen; each with the way out. */
export function findMigrationFaults(files: MigrationFile[], frozen: Checksums): string[] {
  return [
    ...findNameFaults(files, frozen),
    ...findBrokenFreezes(files, frozen),
    ...files
      .filter((file) => frozen[file.name] === undefined)
      .map((file) => `${file.name} is not frozen: npm run migrations:freeze`),
  ];
}

/** Numbers from 0001 on, none twice, none left out; no words twice. What is frozen keeps its number. */
function findNameFaults(files: MigrationFile[], frozen: Checksums): string[] {
  const isFrozen = (file: MigrationFile) => frozen[file.name] !== undefined;
  const ordered = [...files.filter(isFrozen), ...files.filter((file) => !isFrozen(file))];
  const slugs = ordered.map((file) => file.slug);
  return ordered.flatMap(({ name, slug }, index) => {
    const expected = `${String(index + 1).padStart(4, '0')}_${slug}.sql`;
    if (name !== expected) return [`${name}: rename it to ${expected}, so that numbers follow each other`];
    if (slugs.indexOf(slug) !== index)
      return [`${name}: another has the same words, by which ledgers know it; choose others`];
    return [];
  });
}

function findBrokenFreezes(files: MigrationFile[], frozen: Checksums): string[] {
  const checksums = new Map(files.map((file) => [file.name, file.checksum]));
  return Object.entries(frozen).flatMap(([name, checksum]) => {
    const today = checksums.get(name);
    if (today === undefined)
      return [`${name} is frozen and gone: restore it (one of this branch only: npm run migrations:freeze)`];
    if (today !== checksum)
      return [
        `${name} was changed after it was frozen, and ledgers have run it as it was: restore its text, and put the ` +
          'change into a new migration (one of this branch only: npm run migrations:freeze)',
      ];
    return [];
  });
}

/**
 * The checksums of the folder as it is.
 * @param onMain what main has frozen: that keeps its text, its number and its place
 * @throws Error when something of main was changed, moved or is gone, or names are not in order
 */
export function freezeMigrations(files: MigrationFile[], onMain: Checksums): Checksums {
  const faults = [...findNameFaults(files, onMain), ...findBrokenFreezes(files, onMain)];
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return Object.fromEntries(files.map((file) => [file.name, file.checksum]));
}

/** What was frozen where this branch left main; null where that cannot be told. */
export function readMain(): Checksums | null {
  const git = (...words: string[]) =>
    execFileSync('git', words, { cwd: fileURLToPath(MIGRATIONS), stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim();
  for (const branch of ['origin/main', 'main']) {
    try {
      return JSON.parse(git('show', `${git('merge-base', 'HEAD', branch)}:./checksums.json`));
    } catch {
      // No such branch, or no repository.
    }
  }
  return null;
}

if (import.meta.main) {
  const place = new URL('checksums.json', MIGRATIONS);
  const frozen: Checksums = JSON.parse(readFileSync(place, 'utf8'));
  try {
    const now = freezeMigrations(await readMigrationFiles(), readMain() ?? frozen);
    writeFileSync(place, `${JSON.stringify(now, null, 2)}\n`);
    const added = Object.keys(now).filter((name) => frozen[name] !== now[name]);
    console.log(added.length === 0 ? 'Nothing new.' : `Frozen: ${added.join(', ')}`);
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
