/** One seed for all: the same facts give the same range for ever. */
const SEED = 20_261_130;

/**
 * Which of `choiceCount` things each of `drawCount` draws takes in each of `columnCount` turns. In every turn each thing is
 * taken equally often (within one), so that chance is in how turns meet and not in how often a thing comes up.
 */
export function drawEvenly(choiceCount: number, columnCount: number, drawCount: number): Int32Array[] {
  const next = createGenerator();
  return Array.from({ length: columnCount }, () => {
    const order = Int32Array.from({ length: drawCount }, (_, place) => place);
    for (let place = drawCount - 1; place > 0; place -= 1) {
      const other = next() % (place + 1);
      const kept = order[place] ?? 0;
      order[place] = order[other] ?? 0;
      order[other] = kept;
    }
    return order.map((place) => Math.floor((place * choiceCount) / drawCount));
  });
}

/** Whole numbers of 32 bits (mulberry32): the same on every machine. */
function createGenerator(): () => number {
  let state = SEED;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}
