import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

const ITERATION_COUNT = 4_096;

/**
 * What Postgres keeps of a password, so that the password itself is in no statement and no log of the server: RFC 5803, as in
 * `pg_authid.rolpassword`.
 * @param password ASCII, which needs no SASLprep
 */
export function scramVerifier(password: string, salt: Buffer = randomBytes(16)): string {
  const salted = pbkdf2Sync(password, salt, ITERATION_COUNT, 32, 'sha256');
  const keyed = (name: string) => createHmac('sha256', salted).update(name).digest();
  const storedKey = createHash('sha256').update(keyed('Client Key')).digest('base64');
  const serverKey = keyed('Server Key').toString('base64');
  return `SCRAM-SHA-256$${ITERATION_COUNT}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}
