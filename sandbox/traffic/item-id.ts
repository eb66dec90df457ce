/**
 * Row ids that look random, are the same on every machine, and cannot meet: the first half is a bijection of
 * (day, sequence in the day), so two rows of one scenario never share it.
 */
export function createItemId(seed: number, dayIndex: number, sequence: number): string {
  let left = (dayIndex ^ seed) >>> 0;
  let right = sequence >>> 0;
  // Four Feistel rounds: each can be undone, whatever the round function is.
  for (let round = 0; round < 4; round += 1) {
    const mixed = (left ^ scramble(right ^ (seed + round * 0x9e3779b9))) >>> 0;
    left = right;
    right = mixed;
  }
  const third = scramble(left ^ 0x5bd1e995);
  const fourth = scramble(right ^ third);
  // All 64 bits of the two halves stay; the version (4) and the variant (8 to b) take six of the others.
  const version = 0x4000 | (third & 0x0fff);
  const variant = 0x8000 | ((third >>> 12) & 0x3fff);
  return `${quad(left >>> 16)}${quad(left)}-${quad(right >>> 16)}-${quad(version)}-${quad(variant)}-${quad(right)}${quad(fourth >>> 16)}${quad(fourth)}`;
}

/** The finaliser of MurmurHash3: spreads every input bit over all output bits. */
function scramble(value: number): number {
  let mixed = value >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

const QUADS = Array.from({ length: 65_536 }, (_, value) => value.toString(16).padStart(4, '0'));

/** The low 16 bits as four hexadecimal digits. */
function quad(value: number): string {
  return QUADS[value & 0xffff] ?? '';
}
