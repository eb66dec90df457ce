const TOLERANCE_SECONDS = 300;
const SECRET_PREFIX = 'whsec_';
const VERSION = 'v1';

/** Why a body is not believed; the text is fit for the sender. */
export class SvixSignatureError extends Error {
  override readonly name = 'SvixSignatureError';
}

export interface SvixHeaders {
  id: string | undefined;
  timestamp: string | undefined;
  /** `v1,<base64>`, several of them separated by blanks while a secret is being exchanged. */
  signature: string | undefined;
}

/**
 * Verifies a body as Svix signs it: HMAC-SHA256 over `id.timestamp.body`, under a secret of base64 behind `whsec_`.
 * By Web Crypto alone, so that Node and a Worker do the same. Any of the secrets may have signed it, so that one can be
 * exchanged for another without losing events.
 * @param nowMs the real clock's: the sender signs by it
 * @returns the message's id, the same at every delivery of it
 * @throws SvixSignatureError when it is forged, changed, or more than five minutes old or ahead
 */
export async function verifySvix(
  rawBody: string,
  headers: SvixHeaders,
  secrets: readonly string[],
  nowMs: number,
): Promise<string> {
  const { id, timestamp, signature } = headers;
  if (!id || !timestamp || !signature) {
    throw new SvixSignatureError('The headers svix-id, svix-timestamp and svix-signature are required.');
  }
  if (!/^\d{1,12}$/.test(timestamp)) throw new SvixSignatureError('svix-timestamp is no number of seconds.');
  if (Math.abs(nowMs / 1_000 - Number(timestamp)) > TOLERANCE_SECONDS) {
    throw new SvixSignatureError('svix-timestamp is more than five minutes from now.');
  }
  const given = signature.split(' ').flatMap((part) => {
    const [version, value] = part.split(',');
    const bytes = version === VERSION && value !== undefined ? decodeBase64(value) : null;
    return bytes === null ? [] : [bytes];
  });
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${rawBody}`);
  for (const secret of secrets) {
    const key = await importKey(secret);
    for (const bytes of given) {
      // Compares in constant time, as Web Crypto is bound to.
      if (await crypto.subtle.verify('HMAC', key, bytes, signed)) return id;
    }
  }
  throw new SvixSignatureError('No signature in svix-signature fits the body.');
}

async function importKey(secret: string) {
  const bytes = decodeBase64(secret.slice(SECRET_PREFIX.length));
  if (bytes === null) throw new SvixSignatureError('The secret is not base64.');
  return await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
}

function decodeBase64(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}
