import { markPushesDelivered } from '../../src/billing/meter-pushes.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';

/** Deliveries wait for each other so many or so long at most: what a kill can make us ask again. */
const FLUSH_COUNT = 100;
const FLUSH_EVERY_MS = 50;

/**
 * Commits deliveries in the background, while further calls go out. One commit at a time, and each takes all that
 * came in during the one before: a slow disk makes larger commits, not a growing queue of small ones.
 */
export class DeliveryRecorder {
  readonly #database: LedgerDatabase;
  readonly #now: () => Date;
  readonly #waiting: bigint[] = [];
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> | null = null;
  #failure: unknown = null;

  constructor(database: LedgerDatabase, now: () => Date) {
    this.#database = database;
    this.#now = now;
  }

  /** @throws whatever an earlier commit threw: no further call may go out when deliveries cannot be kept */
  add(meterPushId: bigint): void {
    if (this.#failure !== null) throw this.#failure;
    this.#waiting.push(meterPushId);
    if (this.#writing !== null) return;
    if (this.#waiting.length >= FLUSH_COUNT) this.#startWriting();
    else this.#timer ??= setTimeout(() => this.#startWriting(), FLUSH_EVERY_MS);
  }

  /** Resolves when everything added is committed. */
  async flush(): Promise<void> {
    this.#startWriting();
    await this.#writing;
    if (this.#failure !== null) throw this.#failure;
  }

  #startWriting(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#waiting.length > 0) this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    while (this.#waiting.length > 0) {
      const ids = this.#waiting.splice(0);
      await markPushesDelivered(this.#database, ids, this.#now()).catch((error) => {
        this.#failure ??= error;
      });
    }
    // In the same turn as the last look: whatever is added from now on finds nobody writing.
    this.#writing = null;
  }
}
