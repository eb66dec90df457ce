import checksums from './migrations/checksums.json' with { type: 'json' };

/**
 * The migrations this version needs, in order, as frozen in `migrations/checksums.json`. Readiness compares them with
 * the ledger; a Worker has no directory to list. A test holds that they are the files in `migrations/`.
 */
export const LEDGER_MIGRATION_NAMES: readonly string[] = Object.keys(checksums);

/**
 * What a migration is known by: its name without the number. A number says only when it runs, and may have been another
 * when a ledger was migrated (0018_operations.sql ran as 0017_operations.sql, its number given twice).
 */
export function migrationSlug(name: string): string {
  return name.replace(/^\d+_/, '').replace(/\.sql$/, '');
}
