import { sql } from 'kysely';
import { writeAudit } from '../platform/database/audit.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { getCustomer } from './customers.ts';

/** What users of a customer are called, by subject; a user without an entry is called by its id. */
export type DisplayNames = ReadonlyMap<string, string>;

/** Those of the given subjects, or all that the customer has. */
export async function readDisplayNames(
  database: LedgerDatabase | LedgerTransaction,
  customerId: string,
  subjects?: readonly string[],
): Promise<DisplayNames> {
  let query = database
    .selectFrom('display_names')
    .select(['subject', 'name'])
    .where('customer_id', '=', customerId);
  if (subjects !== undefined) query = query.where(sql<boolean>`subject = any(${[...subjects]}::text[])`);
  return new Map((await query.execute()).map((row) => [row.subject, row.name]));
}

/** In the order of the subjects, after a given one. */
export async function listDisplayNames(
  database: LedgerDatabase,
  page: { customerId: string; afterSubject: string | null; limit: number },
): Promise<{ subject: string; name: string }[]> {
  let query = database
    .selectFrom('display_names')
    .select(['subject', 'name'])
    .where('customer_id', '=', page.customerId)
    .orderBy('subject')
    .limit(page.limit);
  if (page.afterSubject !== null) query = query.where('subject', '>', page.afterSubject);
  return await query.execute();
}

/**
 * Sets names, and takes away those that are null; others stay. A subject need not have been seen yet. The audit log says how
 * many, and no name: names are of people.
 * @throws TallystickError UNKNOWN_CUSTOMER
 */
export async function setDisplayNames(
  database: LedgerDatabase,
  change: {
    customerId: string;
    names: ReadonlyMap<string, string | null>;
    actor: string;
    now: Date;
  },
): Promise<{ setCount: number; removedCount: number }> {
  const { customerId, names, actor, now } = change;
  const set = [...names].filter((entry): entry is [string, string] => entry[1] !== null);
  const removed = [...names].flatMap(([subject, name]) => (name === null ? [subject] : []));
  return await database.transaction().execute(async (transaction) => {
    await getCustomer(transaction, customerId);
    // In one order, so that two at once never wait for each other.
    const changed = await sql`
      insert into display_names as known (customer_id, subject, name)
      select ${customerId}, given.subject, given.name
      from unnest(${set.map(([subject]) => subject)}::text[], ${set.map(([, name]) => name)}::text[]) as given(subject, name)
      order by given.subject
      on conflict (customer_id, subject) do update set name = excluded.name where known.name <> excluded.name`.execute(
      transaction,
    );
    const deleted = await sql`
      delete from display_names where customer_id = ${customerId} and subject = any(${removed}::text[])`.execute(
      transaction,
    );
    const counts = {
      setCount: Number(changed.numAffectedRows ?? 0n),
      removedCount: Number(deleted.numAffectedRows ?? 0n),
    };
    if (counts.setCount + counts.removedCount > 0) {
      const entry = { actor, action: 'display_names.set', target: customerId, details: counts, now };
      await writeAudit(transaction, entry);
    }
    return counts;
  });
}
