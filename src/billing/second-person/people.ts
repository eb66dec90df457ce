import { sql } from 'kysely';
import type { LedgerTransaction } from '../../platform/database/database.ts';
import { TallystickError } from '../../platform/errors.ts';
import type { ApiCaller } from '../../platform/http/dependencies.ts';
import type { SecondPersonRequest } from './requests.ts';

type Asker = Pick<SecondPersonRequest, 'askedBy' | 'askedByKey' | 'askedByName' | 'askedAt'>;

const plain = (name: string) => name.normalize('NFKC').trim().toLowerCase();

/**
 * Whether a caller is who asked. A person is known by the name of the key: a key that replaced another is still theirs.
 * Whoever types commands is one nobody, whatever the machine calls them.
 */
export function isSamePerson({ askedByKey, askedByName }: Asker, { apiKeyId, name }: ApiCaller): boolean {
  if (askedByKey === null || apiKeyId === undefined) return askedByKey === null && apiKeyId === undefined;
  return askedByKey === apiKeyId || plain(askedByName) === plain(name);
}

/**
 * Refuses everybody who could be who asked: the command line, which has no name; another key of the same name; a key that is
 * younger than the request; and one of two keys that one person's keys made, be it one of the two, directly or through others: that
 * person has held both. Unless the holder exchanged the secret before: what a key did since then its maker did not do.
 * @throws TallystickError FORBIDDEN
 */
export async function requireAnotherPerson(
  transaction: LedgerTransaction,
  asker: Asker,
  caller: ApiCaller,
): Promise<void> {
  const { apiKeyId } = caller;
  if (apiKeyId === undefined) {
    throw refused(
      'The command line has no name of its own, and cannot agree.',
      'Agree in the console, or with TALLYSTICK_API_KEY set to a key of yours.',
    );
  }
  if (isSamePerson(asker, caller)) {
    throw refused(`${asker.askedBy} asked for it and cannot agree to it as well.`);
  }
  const { rows } = await sql<{
    begun: string;
    key: string;
    name: string;
    createdAt: Date;
    takenOverAt: Date | null;
  }>`
    with recursive made as (
      select target as key, substring(actor from '\\((key_[A-Za-z0-9_-]+)\\)$') as maker, created_at as at
      from audit_log where action = 'key.create'),
    hand as (
      select given.key as begun, given.key, given.at
      from (values (${apiKeyId}, timestamptz 'infinity'), (${asker.askedByKey}::text, ${asker.askedAt}::timestamptz)) as given(key, at)
      union
      select hand.begun, made.maker, made.at from hand join made on made.key = hand.key
      join api_keys as held on held.api_key_id = hand.key
      where made.maker is not null and coalesce(held.taken_over_at >= hand.at, true))
    select begun, key, name, created_at as "createdAt", taken_over_at as "takenOverAt"
    from hand join api_keys on api_key_id = hand.key`.execute(transaction);
  const own = rows.find(({ key }) => key === apiKeyId);
  if (own === undefined || own.createdAt > asker.askedAt) {
    throw refused('A key that was made after it was asked for cannot agree to it.');
  }
  if (own.takenOverAt !== null && own.takenOverAt > asker.askedAt) {
    throw refused('A key that was exchanged after it was asked for cannot agree to it.');
  }
  const ofAsker = rows.filter(({ begun }) => begun === asker.askedByKey);
  const isOfOneHand = rows
    .filter(({ begun }) => begun === apiKeyId)
    .some((one) => ofAsker.some(({ key, name }) => key === one.key || plain(name) === plain(one.name)));
  if (isOfOneHand) {
    throw refused(
      'Keys of one person made both of the two, or one of them the other: one person has held both.',
      'Agree with a key that was made on the command line, or that its holder exchanged before it was asked for.',
    );
  }
}

function refused(message: string, fix = 'Another person agrees, with a key of their own.'): TallystickError {
  return new TallystickError(message, { code: 'FORBIDDEN', retry: false, fix });
}
