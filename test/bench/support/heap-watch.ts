import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** The most that was alive at any look, beyond what was at the start: garbage is collected before each look. */
export class HeapWatch {
  readonly #startBytes: number;
  #peakBytes: number;

  constructor() {
    collectGarbage();
    this.#startBytes = process.memoryUsage().heapUsed;
    this.#peakBytes = this.#startBytes;
  }

  look(): void {
    collectGarbage();
    this.#peakBytes = Math.max(this.#peakBytes, process.memoryUsage().heapUsed);
  }

  /** Peak bytes over the start. */
  stop(): number {
    return this.#peakBytes - this.#startBytes;
  }
}
