import { createHash } from 'node:crypto';

/** What happened, in order: the proof that a seed replays, and what a person reads when it fails. */
export class Trace {
  readonly #lines: string[] = [];
  readonly #startMs: number;
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#startMs = nowMs();
  }

  add(who: string, what: string): void {
    const seconds = ((this.#nowMs() - this.#startMs) / 1_000).toFixed(3);
    this.#lines.push(`${seconds.padStart(12)}s  ${who.padEnd(9)} ${what}`);
  }

  last(count: number): string[] {
    return this.#lines.slice(-count);
  }

  hash(): string {
    return createHash('sha256').update(this.#lines.join('\n')).digest('hex').slice(0, 16);
  }
}
