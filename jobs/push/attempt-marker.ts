import { markPushesAttempted } from '../../src/billing/meter-pushes.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';

/** At a thousand calls a second, half a second's work: what a stop leaves marked though never sent. */
const CHUNK_SIZE = 500;

/**
 * Marks pushes as attempted before their calls, in chunks, one chunk ahead of the calls: neither do the calls
 * wait for a whole page to be marked, nor are pushes marked that a failure keeps from being tried.
 */
export class AttemptMarker {
  readonly #database: LedgerDatabase;
  readonly #now: () => Date;
  readonly #chunks: bigint[][] = [];
  readonly #chunkOf = new Map<bigint, number>();
  readonly #marking: Promise<Set<bigint>>[] = [];

  /** `meterPushIds` in about the order in which they will be tried. */
  constructor(database: LedgerDatabase, now: () => Date, meterPushIds: readonly bigint[]) {
    this.#database = database;
    this.#now = now;
    for (let start = 0; start < meterPushIds.length; start += CHUNK_SIZE) {
      const chunk = meterPushIds.slice(start, start + CHUNK_SIZE);
      for (const id of chunk) this.#chunkOf.set(id, this.#chunks.length);
      this.#chunks.push(chunk);
    }
  }

  /**
   * Resolves when the attempt is on record.
   * @returns whether the call may be made: somebody else may have settled the push since it was read
   * @throws what the commit threw; RangeError for a push that was not announced
   */
  async mark(meterPushId: bigint): Promise<boolean> {
    const index = this.#chunkOf.get(meterPushId);
    if (index === undefined) throw new RangeError(`push ${meterPushId} was not announced`);
    const marked = await this.#markChunk(index);
    if (index + 1 < this.#chunks.length) this.#markChunk(index + 1).catch(() => {});
    return marked.has(meterPushId);
  }

  /**
   * Marks one push that was not announced, such as one of which only its turn says whether it is sent: marked ahead, it
   * would look tried when it is not.
   * @returns as `mark`
   */
  async markAlone(meterPushId: bigint): Promise<boolean> {
    return (await markPushesAttempted(this.#database, [meterPushId], this.#now())).has(meterPushId);
  }

  /** Resolves when nothing is being marked any more. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#marking);
  }

  #markChunk(index: number): Promise<Set<bigint>> {
    this.#marking[index] ??= markPushesAttempted(this.#database, this.#chunks[index] ?? [], this.#now());
    return this.#marking[index];
  }
}
