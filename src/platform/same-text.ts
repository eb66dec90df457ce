import { timingSafeEqual } from 'node:crypto';

/** Whether a text that somebody sent is the secret one, in a time that tells nothing of it but its length. */
export function isSameText(given: string, expected: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}
