import { TallystickError, UpstreamError } from '../../src/platform/errors.ts';
import {
  claimPendingEvents,
  markEventsSent,
  quarantineEvent,
  releaseEvents,
  type UsageEvent,
} from '../../src/usage/events/usage-events.ts';
import type { JobDependencies } from '../dependencies.ts';
import { isIntact } from './check-body.ts';

/** So many events refused one by one and not one accepted: then it is not the events. */
const REFUSAL_LIMIT = 10;
/** Events from elsewhere that are tried before the system itself is blamed: of the same batch, and the newest. */
const PROBE_COUNT = 3;
const PROBE_CLAIM_SECONDS = 30;

export type SendableEvent = Pick<UsageEvent, 'usageEventId' | 'body'>;

interface SendCounts {
  sentCount: number;
  quarantinedCount: number;
}

/**
 * Sends the batches of one run. A refused batch is halved until the poison event is alone, and only that one is
 * quarantined, and only once OpenMeter has accepted another: a system that refuses everything says nothing about
 * any event, and its usage must wait for it and not for a person.
 */
export class EventSender {
  readonly #deps: JobDependencies;
  readonly #counts: SendCounts;
  readonly #signal: AbortSignal | undefined;
  /** Refused, and not yet known to be at fault. Id to reason. */
  readonly #held = new Map<string, string>();
  #hasAccepted = false;

  constructor(deps: JobDependencies, counts: SendCounts, signal: AbortSignal | undefined) {
    this.#deps = deps;
    this.#counts = counts;
    this.#signal = signal;
  }

  /** Events that nothing was decided about; theirs to release when the run fails. */
  get heldIds(): string[] {
    return [...this.#held.keys()];
  }

  /**
   * Sends a batch; what is accepted is on record when this returns.
   * @throws UpstreamError UPSTREAM_REJECTED when OpenMeter refuses everything; others when it cannot be asked
   */
  async send(batch: readonly SendableEvent[]): Promise<void> {
    const parts: SendableEvent[][] = [[...batch]];
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      const [first] = part;
      if (first === undefined || (await this.#isAccepted(part))) continue;
      if (part.length > 1) {
        const middle = Math.ceil(part.length / 2);
        parts.push(part.slice(middle), part.slice(0, middle));
      } else if (this.#hasAccepted) {
        await this.#quarantineHeld();
      } else if (this.#held.size >= REFUSAL_LIMIT) {
        await this.#probe(parts);
      }
    }
  }

  /** The end of a run in which nothing failed: a few that were refused alone, with nothing beside them, are at fault. */
  async finish(): Promise<void> {
    await this.#quarantineHeld();
  }

  async #isAccepted(part: readonly SendableEvent[]): Promise<boolean> {
    const { database, metering, clock } = this.#deps;
    try {
      await metering.ingestEvents(
        part.map((event) => event.body),
        this.#signal,
      );
    } catch (error) {
      if (!isAboutContent(error)) throw error;
      const [only] = part;
      if (part.length === 1 && only !== undefined) this.#held.set(only.usageEventId, error.message);
      return false;
    }
    await markEventsSent(
      database,
      part.map((event) => event.usageEventId),
      clock.now(),
    );
    this.#counts.sentCount += part.length;
    this.#hasAccepted = true;
    await this.#quarantineHeld();
    return true;
  }

  /** Tries events from elsewhere; accepted, the ones held are at fault. @throws UpstreamError none is accepted */
  async #probe(parts: readonly SendableEvent[][]): Promise<void> {
    // Taken out of their parts: without deduplication a second sending would count twice.
    const ofBatch = parts.slice(0, PROBE_COUNT).flatMap((part) => part.splice(-1));
    for (const event of ofBatch) await this.#isAccepted([event]);
    if (!this.#hasAccepted) await this.#probeNewest();
    // By now perhaps through another batch of this run.
    if (this.#hasAccepted) return await this.#quarantineHeld();
    const [reason] = this.#held.values();
    throw new UpstreamError(`OpenMeter refuses every event, ${this.#held.size} of them one by one.`, {
      system: 'openmeter',
      code: 'UPSTREAM_REJECTED',
      retry: false,
      context: { reason },
      fix: 'Check that OPENMETER_URL is an OpenMeter that takes CloudEvents; the events wait in the outbox.',
    });
  }

  async #probeNewest(): Promise<void> {
    const { database } = this.#deps;
    const newest = await claimPendingEvents(database, {
      limit: PROBE_COUNT,
      seconds: PROBE_CLAIM_SECONDS,
      newestFirst: true,
    });
    try {
      for (const event of newest) if (isIntact(event) && (await this.#isAccepted([event]))) return;
    } finally {
      await releaseEvents(
        database,
        newest.map((event) => event.usageEventId),
      );
    }
  }

  async #quarantineHeld(): Promise<void> {
    for (const [usageEventId, reason] of this.#held) {
      this.#held.delete(usageEventId);
      await quarantineEvent(this.#deps.database, usageEventId, 'refused_by_openmeter');
      this.#deps.log.error({ usageEventId, reason }, 'OpenMeter refused a usage event');
      this.#counts.quarantinedCount += 1;
    }
  }
}

/** A wrong key or address is refused too, and is no fault of any event. */
function isAboutContent(error: unknown): error is TallystickError {
  if (!(error instanceof TallystickError) || error.code !== 'UPSTREAM_REJECTED') return false;
  const status = error.context.statusCode;
  return status === 400 || status === 413 || status === 422;
}
