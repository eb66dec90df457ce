import { sql } from 'kysely';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { hashOf } from '../secret-hash.ts';

/** So long a form that was sent is known again. */
const KEPT_SECONDS = 3_600;

/** One sending of a form: the same form with the same fields of the same session. */
export interface SentOnce {
  /** Names it, and opens what it was answered; the ledger has its hash alone. */
  secret: string;
}

/** What became of the same form when it was sent before. */
export type FormAnswer = 'first' | 'under way' | { answer: string };

/** Takes a form as sent, unless it was: of two who send it at once one is first. Clears away what is no longer known. */
export async function claimForm(database: LedgerDatabase, { secret }: SentOnce): Promise<FormAnswer> {
  await sql`delete from console_form_answers where claimed_at < now() - make_interval(secs => ${KEPT_SECONDS})`.execute(
    database,
  );
  const { rows } = await sql<{ form_hash: string }>`
    insert into console_form_answers (form_hash) values (${hashOf(secret)}) on conflict do nothing returning form_hash`.execute(
    database,
  );
  if (rows.length > 0) return 'first';
  const known = await database
    .selectFrom('console_form_answers')
    .select('sealed_answer')
    .where('form_hash', '=', hashOf(secret))
    .executeTakeFirst();
  // It was refused between the two statements: then it is sent for the first time.
  if (known === undefined) return await claimForm(database, { secret });
  return known.sealed_answer === null ? 'under way' : { answer: await open(secret, known.sealed_answer) };
}

/** Keeps what a form was answered, sealed: it may hold what is told only once, and whoever reads the ledger is not told. */
export async function keepFormAnswer(
  database: LedgerDatabase,
  { secret }: SentOnce,
  answer: string,
): Promise<void> {
  await database
    .updateTable('console_form_answers')
    .set({ sealed_answer: await seal(secret, answer) })
    .where('form_hash', '=', hashOf(secret))
    .execute();
}

/** What was refused may be sent again as it is. */
export async function forgetForm(database: LedgerDatabase, { secret }: SentOnce): Promise<void> {
  await database.deleteFrom('console_form_answers').where('form_hash', '=', hashOf(secret)).execute();
}

const IV_BYTES = 12;

async function keyOf(secret: string) {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`seal\n${secret}`));
  return await crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt']);
}

async function seal(secret: string, text: string): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const sealed = await crypto.subtle.encrypt(
    { name: 'AES-GCM', iv },
    await keyOf(secret),
    new TextEncoder().encode(text),
  );
  return Buffer.concat([iv, new Uint8Array(sealed)]).toString('base64');
}

async function open(secret: string, text: string): Promise<string> {
  const bytes = new Uint8Array(Buffer.from(text, 'base64'));
  const opened = await crypto.subtle.decrypt(
    { name: 'AES-GCM', iv: bytes.subarray(0, IV_BYTES) },
    await keyOf(secret),
    bytes.subarray(IV_BYTES),
  );
  return new TextDecoder().decode(opened);
}
