import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { migrationSlug } from './migration-names.ts';

/** Numbered SQL files, and `checksums.json`, which freezes them. */
export const MIGRATIONS = new URL('./migrations/', import.meta.url);

export interface MigrationFile {
  name: string;
  slug: string;
  text: string;
  /** SHA-256 of the text, hexadecimal. */
  checksum: string;
}

/** The migrations in the folder, in the order in which they run. */
export async function readMigrationFiles(): Promise<MigrationFile[]> {
  const names = (await readdir(MIGRATIONS)).filter((name) => name.endsWith('.sql')).sort();
  return await Promise.all(
    names.map(async (name) => {
      // A checkout with Windows' line ends is no other migration.
      const text = (await readFile(new URL(name, MIGRATIONS), 'utf8')).replaceAll('\r\n', '\n');
      return { name, slug: migrationSlug(name), text, checksum: checksumOf(text) };
    }),
  );
}

export function checksumOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
