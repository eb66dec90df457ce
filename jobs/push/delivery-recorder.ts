import type { LedgerDatabase } from '../../src/ledger/database.ts';
import { markPushesDelivered } from '../../src/ledger/meter-pushes.ts';

/** Deliveries are committed in batches of this size: what a kill can make us ask again. */
const FLUSH_COUNT = 100;
const FLUSH_EVERY_MS = 50;

/** Commits deliveries in the background, in batches, while further calls go out. */
export class DeliveryRecorder {
  readonly #database: LedgerDatabase;
  readonly #now: () => Date;
  #waiting: bigint[] = [];
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();
  #failure: unknown = null;

  constructor(database: LedgerDatabase, now: () => Date) {
    this.#database = database;
    this.#now = now;
  }

  /** @throws whatever an earlier commit threw: no further call may go out when deliveries cannot be kept */
  add(meterPushId: bigint): void {
    if (this.#failure !== null) throw this.#failure;
    this.#waiting.push(meterPushId);
    if (this.#waiting.length >= FLUSH_COUNT) this.#write();
    else this.#timer ??= setTimeout(() => this.#write(), FLUSH_EVERY_MS);
  }

  /** Resolves when everything added is committed. */
  async flush(): Promise<void> {
    this.#write();
    await this.#writing;
    if (this.#failure !== null) throw this.#failure;
  }

  #write(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const ids = this.#waiting.splice(0);
    if (ids.length === 0) return;
    this.#writing = this.#writing
      .then(() => markPushesDelivered(this.#database, ids, this.#now()))
      .catch((error) => {
        this.#failure ??= error;
      });
  }
}
