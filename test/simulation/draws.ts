import { createRandom, deriveSeed, type Random } from '../../sandbox/random.ts';

/** Random choices of one named part of a seed, so that one part's draws do not move another's. */
export class Draws {
  readonly random: Random;

  constructor(seed: number, ...parts: (string | number)[]) {
    this.random = createRandom(deriveSeed(seed, 'simulation', ...parts));
  }

  /** True with this probability. A chance of 0 draws nothing, so that switching a fault off is cheap. */
  chance(probability: number): boolean {
    return probability > 0 && this.random() < probability;
  }

  /** A whole number in `[low, high]`. */
  between(low: number, high: number): number {
    return low + Math.floor(this.random() * (high - low + 1));
  }

  pick<Item>(items: readonly [Item, ...Item[]]): Item {
    return items[Math.floor(this.random() * items.length)] ?? items[0];
  }

  shuffle<Item>(items: readonly Item[]): Item[] {
    const shuffled = [...items];
    for (let index = shuffled.length - 1; index > 0; index -= 1) {
      const other = this.between(0, index);
      [shuffled[index], shuffled[other]] = [shuffled[other] as Item, shuffled[index] as Item];
    }
    return shuffled;
  }
}
