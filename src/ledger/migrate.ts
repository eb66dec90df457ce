import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import pg from 'pg';
import { TallystickError } from '../errors.ts';

const MIGRATIONS = new URL('./migrations/', import.meta.url);
/** Any fixed number; one migration runs at a time across all processes. */
const ADVISORY_LOCK_KEY = 7_411_957;

export interface MigrationResult {
  applied: string[];
  alreadyApplied: number;
}

/**
 * Brings the ledger to this version's schema: numbered SQL files, each once, each in the one transaction.
 * @throws TallystickError LEDGER_TOO_NEW when the database was migrated by a newer version,
 *   CONFLICT when an applied migration's text has changed since
 */
export async function migrateLedger(databaseUrl: string): Promise<MigrationResult> {
  const files = (await readdir(MIGRATIONS)).filter((name) => name.endsWith('.sql')).sort();
  const client = new pg.Client({ connectionString: databaseUrl });
  // A connection that is cut fails its query; unheard, the event would end the process.
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query('begin');
    await client.query('select pg_advisory_xact_lock($1)', [ADVISORY_LOCK_KEY]);
    await client.query(
      `create table if not exists ledger_migrations (
         name text primary key, checksum text not null, applied_at timestamptz not null default now())`,
    );
    const known = new Map<string, string>(
      (await client.query('select name, checksum from ledger_migrations')).rows.map((row) => [
        row.name,
        row.checksum,
      ]),
    );
    const unknown = [...known.keys()].filter((name) => !files.includes(name)).sort();
    if (unknown.length > 0) {
      throw new TallystickError(
        `The ledger was migrated by a newer Tallystick: it holds ${unknown.join(', ')}, which this version does not know.`,
        { code: 'LEDGER_TOO_NEW', retry: false, fix: 'Run the newer version, or restore an older ledger.' },
      );
    }
    const applied: string[] = [];
    for (const name of files) {
      const text = await readFile(new URL(name, MIGRATIONS), 'utf8');
      const checksum = createHash('sha256').update(text).digest('hex');
      const before = known.get(name);
      if (before === checksum) continue;
      if (before !== undefined) {
        throw new TallystickError(`Migration ${name} was changed after it had been applied to this ledger.`, {
          code: 'CONFLICT',
          retry: false,
          fix: 'Restore the file as released; put changes into a new migration.',
        });
      }
      await client.query(text);
      await client.query('insert into ledger_migrations (name, checksum) values ($1, $2)', [name, checksum]);
      applied.push(name);
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
