/** So many random bytes as base64url: from 16 on nobody guesses them, and they never come twice. WebCrypto only. */
export function randomText(byteCount: number): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(byteCount))).toString('base64url');
}
