import { UpstreamError } from '../../src/platform/errors.ts';
import type { UsageEvent } from '../../src/usage/events/usage-events.ts';

export type SendableEvent = Pick<UsageEvent, 'usageEventId' | 'body'>;

/**
 * OpenMeter hands events to Kafka one by one, and answers 500 when one of them is too large for a message: 1 MB, unless
 * its operator changed that, counted with every quotation mark of the data escaped. An event of this size may be.
 */
const LARGE_EVENT_BYTES = 256_000;

export function isLarge(event: SendableEvent): boolean {
  return Buffer.byteLength(event.body) >= LARGE_EVENT_BYTES;
}

/** A stack: each large event is sent by itself, and then the small ones, whose fate tells the system's from theirs. */
export function partsOf(batch: readonly SendableEvent[]): SendableEvent[][] {
  const small = batch.filter((event) => !isLarge(event));
  return [small, ...batch.filter(isLarge).map((event) => [event])];
}

/** An answer of 500 may be about what was sent. A gateway's 502, 503 and 504, or none at all, is about the system. */
export function isServerFault(error: unknown): error is UpstreamError {
  return error instanceof UpstreamError && error.code === 'UPSTREAM_UNAVAILABLE' && error.statusCode === 500;
}

export interface DoubtedPart {
  part: SendableEvent[];
  error: UpstreamError;
  /** How many sends OpenMeter had accepted in this run when it answered 500 to this one. */
  acceptedBefore: number;
}

/**
 * Parts of a batch that were answered with 500. While OpenMeter accepts nothing, that is an outage and says nothing
 * about them: halved, they would be sent many times over for nothing. Once it has accepted something later, the fault is
 * in them, and they may be halved.
 */
export class DoubtedParts {
  readonly #parts: DoubtedPart[] = [];

  add(doubted: DoubtedPart): void {
    this.#parts.push(doubted);
  }

  get first(): DoubtedPart | undefined {
    return this.#parts[0];
  }

  /** Takes out those that OpenMeter has accepted something after. */
  takeProven(acceptedCount: number): DoubtedPart[] {
    const proven = this.#parts.filter(({ acceptedBefore }) => acceptedBefore < acceptedCount);
    const rest = this.#parts.filter(({ acceptedBefore }) => acceptedBefore >= acceptedCount);
    this.#parts.splice(0, this.#parts.length, ...rest);
    return proven;
  }

  /** Takes one event out of a part that holds others too, now from its end, now from its beginning. */
  takeProbe(turn: number): SendableEvent | undefined {
    const part = this.#parts.find((doubted) => doubted.part.length > 1)?.part;
    return part?.splice(turn % 2 === 0 ? -1 : 0, 1)[0];
  }
}
