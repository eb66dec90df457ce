import type { LedgerDatabase } from '../platform/database/database.ts';
import { randomText } from '../platform/random-text.ts';

const cached = new WeakMap<LedgerDatabase, Map<string, string>>();

/**
 * A secret of the service's own making, made at its first use and the same for every process on this ledger.
 * WebCrypto only, so that it runs in a Worker too.
 */
export async function readServiceSecret(database: LedgerDatabase, name: string, now: Date): Promise<string> {
  const known = cached.get(database)?.get(name);
  if (known !== undefined) return known;
  const value = randomText(32);
  await database
    .insertInto('service_secrets')
    .values({ name, value, created_at: now })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  const row = await database
    .selectFrom('service_secrets')
    .select('value')
    .where('name', '=', name)
    .executeTakeFirstOrThrow();
  const values = cached.get(database) ?? new Map<string, string>();
  values.set(name, row.value);
  cached.set(database, values);
  return row.value;
}
