import pg from 'pg';
import { TallystickError } from '../errors.ts';
import { findLackingStatements } from './migration-drafts.ts';
import { type MigrationFile, readMigrationFiles } from './migration-files.ts';
import { migrationSlug } from './migration-names.ts';

/** Any fixed number; one migration runs at a time across all processes. */
const ADVISORY_LOCK_KEY = 7_411_957;

export interface MigrationResult {
  /** What ran, or ran with what an earlier text of it lacked. */
  applied: string[];
  alreadyApplied: number;
}

/** A migration as the ledger recorded it. */
interface AppliedMigration {
  name: string;
  checksum: string;
}

/**
 * Brings the ledger to this version's schema: numbered SQL files, each once, all in one transaction, so that a kill
 * half-way leaves the ledger as it was. What was applied is known by its name without the number.
 * @throws TallystickError LEDGER_TOO_NEW when the database was migrated by a version that knows more,
 *   CONFLICT when what was applied is not what the file says today
 */
export async function migrateLedger(databaseUrl: string): Promise<MigrationResult> {
  const files = await readMigrationFiles();
  const client = new pg.Client({ connectionString: databaseUrl });
  // A connection that is cut fails its query; unheard, the event would end the process.
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query('begin');
    await client.query('select pg_advisory_xact_lock($1)', [ADVISORY_LOCK_KEY]);
    const recorded = await readApplied(client);
    refuseUnknown([...recorded.values()], files);
    const applied: string[] = [];
    for (const file of files) {
      const before = recorded.get(file.slug);
      if (before?.checksum === file.checksum) continue;
      if (before === undefined) await apply(client, file);
      else await complete(client, file, before);
      applied.push(file.name);
    }
    await client.query('commit');
    return { applied, alreadyApplied: files.length - applied.length };
  } catch (error) {
    await client.query('rollback').catch(() => {});
    throw error;
  } finally {
    await client.end();
  }
}

async function readApplied(client: pg.Client): Promise<Map<string, AppliedMigration>> {
  await client.query(
    `create table if not exists ledger_migrations (
       name text primary key, checksum text not null, applied_at timestamptz not null default now())`,
  );
  const { rows } = await client.query<AppliedMigration>('select name, checksum from ledger_migrations');
  return new Map(rows.map((row) => [migrationSlug(row.name), row]));
}

function refuseUnknown(recorded: AppliedMigration[], files: MigrationFile[]): void {
  const slugs = new Set(files.map((file) => file.slug));
  const unknown = recorded.map((row) => row.name).filter((name) => !slugs.has(migrationSlug(name)));
  if (unknown.length === 0) return;
  throw new TallystickError(
    `The ledger was migrated by a newer Tallystick: it holds ${unknown.sort().join(', ')}, which this version does not know.`,
    {
      code: 'LEDGER_TOO_NEW',
      retry: false,
      fix: 'Nothing was changed. Run the version that migrated it (a newer one, or a build of another branch), or restore a dump from before.',
    },
  );
}

async function apply(client: pg.Client, file: MigrationFile): Promise<void> {
  await client.query(file.text);
  await client.query('insert into ledger_migrations (name, checksum) values ($1, $2)', [
    file.name,
    file.checksum,
  ]);
}

/** Brings a migration that ran with an earlier text to what it says now. @throws TallystickError CONFLICT */
async function complete(client: pg.Client, file: MigrationFile, before: AppliedMigration): Promise<void> {
  const statements = findLackingStatements(file, before.checksum);
  if (statements === undefined) throw unknownText(file, before);
  await client.query(statements);
  await client.query('update ledger_migrations set checksum = $2 where name = $1', [
    before.name,
    file.checksum,
  ]);
}

function unknownText(file: MigrationFile, before: AppliedMigration): TallystickError {
  return new TallystickError(
    `The ledger holds migration ${before.name} with another text than this version's ${file.name}: a build migrated it that lies between two commits, or on another branch.`,
    {
      code: 'CONFLICT',
      retry: false,
      context: { migration: before.name, recordedChecksum: before.checksum, checksum: file.checksum },
      fix: `Nothing was changed. If the file was edited here, undo that and put the change into a new migration. Else compare \`pg_dump --schema-only\` of this ledger with that of an empty database that this version has migrated, alter what differs, then run: update ledger_migrations set checksum = '${file.checksum}' where name = '${before.name}'; See docs/operations.md, "Migrations".`,
    },
  );
}
