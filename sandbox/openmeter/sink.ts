import { deriveSeed } from '../random.ts';
import type { EventStore, QueuedEvent } from './event-store.ts';

/** Namespace of everything: self-hosted OpenMeter has one. */
const NAMESPACE = 'default';

/** Partitions of the topic. OpenMeter's producer takes an event's subject as its key. */
export const PARTITION_COUNT = 4;

/**
 * An outage of the sink: 204 goes on, and nothing of these partitions (absent: of all) is stored. `standing`: Kafka keeps
 * what comes, and all of it is stored in order once the outage is over; `losing`: it never is.
 */
export interface SinkOutage {
  kind: 'standing' | 'losing';
  partitions?: readonly number[];
}

export function partitionOf(subject: string): number {
  return deriveSeed(0, subject) % PARTITION_COUNT;
}

export interface SinkOptions {
  /** Virtual milliseconds after which a begun buffer is written. OpenMeter: 2,000. */
  flushDelayMs: number;
  /** Messages that fill a buffer; a full one is written at once. OpenMeter: 500. */
  flushMessageCount: number;
  /** How long an id is remembered after it was first stored; null: not at all, OpenMeter's default. */
  dedupe: { windowMs: number } | null;
}

/**
 * What stands between 204 and the table: Kafka and the sink-worker. Buffers messages, drops those whose id is
 * remembered, writes the rest. When a buffer is written depends only on when its messages came, never on who
 * looks, so a replay of the journal writes the same.
 */
export class Sink {
  readonly #store: EventStore;
  readonly #options: SinkOptions;
  #dedupe: SinkOptions['dedupe'];
  #windowChanged = false;
  #buffer: QueuedEvent[] = [];
  #bufferStartedAtMs = 0;
  /** Key to the instant until which it is remembered; which is also expiry order until the window is changed. */
  readonly #remembered = new Map<string, number>();
  #outage: SinkOutage | null = null;
  /** What Kafka keeps of partitions that nobody reads. */
  #backlog: QueuedEvent[] = [];

  constructor(store: EventStore, options: SinkOptions) {
    this.#store = store;
    this.#options = options;
    this.#dedupe = options.dedupe;
  }

  accept(events: readonly QueuedEvent[], nowMs: number): void {
    this.bringTo(nowMs);
    for (const event of events) {
      if (this.#isOut(event)) {
        if (this.#outage?.kind === 'standing') this.#backlog.push(event);
        continue;
      }
      if (this.#buffer.length === 0) this.#bufferStartedAtMs = nowMs;
      this.#buffer.push(event);
      if (this.#buffer.length >= this.#options.flushMessageCount) this.#flush(nowMs);
    }
    this.bringTo(nowMs);
  }

  /** From now on ids are remembered so long, or not at all; those remembered before keep their time. */
  setDedupe(dedupe: SinkOptions['dedupe'], nowMs: number): void {
    this.bringTo(nowMs);
    this.#dedupe = dedupe;
    this.#windowChanged = true;
    if (dedupe === null) this.#remembered.clear();
  }

  /** From now on there is such an outage, or none: then what Kafka has kept is stored first. */
  setOutage(outage: SinkOutage | null, nowMs: number): void {
    this.bringTo(nowMs);
    this.#outage = outage;
    this.accept(this.#backlog.splice(0), nowMs);
  }

  #isOut({ subject }: QueuedEvent): boolean {
    const outage = this.#outage;
    return outage !== null && (outage.partitions?.includes(partitionOf(subject)) ?? true);
  }

  /** Writes the buffer if its time has come. */
  bringTo(nowMs: number): void {
    const dueMs = this.#bufferStartedAtMs + this.#options.flushDelayMs;
    if (this.#buffer.length > 0 && nowMs >= dueMs) this.#flush(dueMs);
  }

  #flush(storedAtMs: number): void {
    const events = this.#buffer;
    this.#buffer = [];
    this.#forget(storedAtMs);
    for (const event of events) {
      if (this.#dedupe !== null) {
        // Joined without escaping, as OpenMeter does: ("a-b", "c") collides with ("a", "b-c").
        const key = `${NAMESPACE}-${event.source}-${event.id}`;
        if (this.#remembered.has(key)) continue;
        this.#remembered.set(key, storedAtMs + this.#dedupe.windowMs);
      }
      this.#store.add(event, storedAtMs);
    }
  }

  #forget(nowMs: number): void {
    for (const [key, untilMs] of this.#remembered) {
      if (untilMs <= nowMs) this.#remembered.delete(key);
      else if (!this.#windowChanged) return;
    }
  }
}
