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
  const high = hex(left);
  const middle = hex(right);
  const low = hex(third);
  const variant = (((third >>> 12) & 0x3) | 0x8).toString(16);
  return `${high}-${middle.slice(0, 4)}-4${middle.slice(5)}-${variant}${middle.slice(4, 5)}${low.slice(0, 2)}-${low.slice(2, 6)}${hex(fourth)}`;
}

/** The finaliser of MurmurHash3: spreads every input bit over all output bits. */
function scramble(value: number): number {
  let mixed = value >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}
