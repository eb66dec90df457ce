import { createHmac } from 'node:crypto';
import { allKeys, readLinkKeys } from '../identity/links/keys.ts';
import type { ApiDependencies } from '../platform/http/dependencies.ts';

/** The header that says when an answer was given, and proves by whom. */
export const SIGNATURE_HEADER = 'Tallystick-Signature';

type KeyDependencies = Pick<ApiDependencies, 'database' | 'clock' | 'settings'>;

/**
 * What the gateway checks answers with, in base64: made of the key that signs links, so that one exchange serves both, and of no
 * use for a link. The first is the present one.
 */
export async function readGatewaySecrets(dependencies: KeyDependencies): Promise<string[]> {
  return allKeys(await readLinkKeys(dependencies)).map(({ secret }) =>
    createHmac('sha256', secret).update('enforcement-of-gateways').digest('base64'),
  );
}

/**
 * `t=SECONDS,v1=HEX`, and another `v1` while keys are exchanged. Signed are the seconds, a dot and the SHA-256 of the body, so that
 * an answer that only says that nothing has changed is signed as well.
 */
export function signRevision(secrets: readonly string[], revision: string, now: Date): string {
  const seconds = String(Math.floor(now.getTime() / 1_000));
  const signed = secrets.map(
    (secret) =>
      `v1=${createHmac('sha256', Buffer.from(secret, 'base64')).update(`${seconds}.${revision}`).digest('hex')}`,
  );
  return [`t=${seconds}`, ...signed].join(',');
}
