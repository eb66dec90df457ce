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
 * younger than the request; and one that the other of the two keys made, directly or through others, and so has held.
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
  const made = await sql<{ isYounger: boolean; isOfOneHand: boolean }>`
    with recursive made as (
      select target as key, substring(actor from '\\((key_[A-Za-z0-9_-]+)\\)$') as maker from audit_log where action = 'key.create'),
    hand as (
      select given.key as begun, given.key from (values (${apiKeyId}), (${asker.askedByKey}::text)) as given(key)
      union
      select hand.begun, made.maker from hand join made on made.key = hand.key where made.maker is not null)
    select (select created_at > ${asker.askedAt} from api_keys where api_key_id = ${apiKeyId}) as "isYounger",
      exists (select 1 from hand where (begun = ${apiKeyId} and key = ${asker.askedByKey}::text)
        or (begun = ${asker.askedByKey}::text and key = ${apiKeyId})) as "isOfOneHand"`.execute(transaction);
  const [found] = made.rows;
  if (found?.isYounger !== false) {
    throw refused('A key that was made after it was asked for cannot agree to it.');
  }
  if (found.isOfOneHand) {
    throw refused(
      'One of the two keys was made with the other, so that one person has held both.',
      'Agree with a key that was made on the command line.',
    );
  }
}

function refused(message: string, fix = 'Another person agrees, with a key of their own.'): TallystickError {
  return new TallystickError(message, { code: 'FORBIDDEN', retry: false, fix });
}
