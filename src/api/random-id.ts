const ID_BYTES = 16;
/** Asking for random bytes costs the same for many as for few. */
const pool = Buffer.alloc(256 * ID_BYTES);
let offset = pool.length;

/** 128 random bits as base64url: an id that nobody guesses and that never comes twice. */
export function randomId(): string {
  if (offset === pool.length) {
    crypto.getRandomValues(pool);
    offset = 0;
  }
  offset += ID_BYTES;
  return pool.toString('base64url', offset - ID_BYTES, offset);
}
