import { TallystickError, UpstreamError } from '../../src/platform/errors.ts';
import {
  claimPendingEvents,
  markEventsSent,
  quarantineEvent,
  releaseEvents,
} from '../../src/usage/events/usage-events.ts';
import type { JobDependencies } from '../dependencies.ts';
import { bodyWithAllFigures, isIntact } from './check-body.ts';
import {
  type DoubtedPart,
  DoubtedParts,
  isLarge,
  isServerFault,
  partsOf,
  type SendableEvent,
} from './doubted-parts.ts';

/** So many events refused one by one and not one accepted: then it is not the events. */
const REFUSAL_LIMIT = 10;
/** Events from elsewhere that are tried before the system itself is blamed: of the same batch, and the newest. */
const PROBE_COUNT = 3;
const PROBE_CLAIM_SECONDS = 30;
/** Events that an error names. */
const NAMED_COUNT = 10;

interface SendCounts {
  sentCount: number;
  quarantinedCount: number;
}

/**
 * Sends the batches of one run. A refused batch is halved until the poison event is alone, and only that one is
 * quarantined, and only once OpenMeter has accepted another: a system that refuses everything says nothing about
 * any event, and its usage must wait for it and not for a person.
 *
 * A batch that is answered with 500 is halved as well, but only once something sent later was accepted (DoubtedParts).
 * A large event that is left of it is quarantined; a small one waits in the outbox, since nobody knows what it did.
 */
export class EventSender {
  readonly #deps: JobDependencies;
  readonly #counts: SendCounts;
  readonly #signal: AbortSignal | undefined;
  /** Refused, and not yet known to be at fault. Id to reason. */
  readonly #held = new Map<string, string>();
  /** Answered with 500 when sent alone, although others are accepted. Id to the error. */
  readonly #unexplained = new Map<string, UpstreamError>();
  #acceptedCount = 0;

  constructor(deps: JobDependencies, counts: SendCounts, signal: AbortSignal | undefined) {
    this.#deps = deps;
    this.#counts = counts;
    this.#signal = signal;
  }

  /** Events that nothing was decided about: to be released at the end of the run. */
  get heldIds(): string[] {
    return [...this.#held.keys(), ...this.#unexplained.keys()];
  }

  /** What is said at the end of a run about events that OpenMeter answers with 500 although it accepts others. */
  get unexplained(): UpstreamError | null {
    const [[usageEventId, error] = []] = this.#unexplained;
    if (usageEventId === undefined || error === undefined) return null;
    return new UpstreamError(
      `OpenMeter answers ${error.statusCode} to ${this.#unexplained.size} events alone; ${usageEventId} is the first.`,
      {
        system: 'openmeter',
        code: 'UPSTREAM_UNAVAILABLE',
        retry: true,
        statusCode: error.statusCode,
        outcomeUnknown: error.outcomeUnknown,
        context: { ...error.context, usageEventIds: [...this.#unexplained.keys()].slice(0, NAMED_COUNT) },
        cause: error,
        fix: "Look for these events in the log of OpenMeter's server. They wait in the outbox, the others went on.",
      },
    );
  }

  /**
   * Sends a batch; what is accepted is on record when this returns.
   * @throws UpstreamError UPSTREAM_REJECTED when OpenMeter refuses everything; others when it cannot be asked
   */
  async send(batch: readonly SendableEvent[]): Promise<void> {
    const parts = partsOf(batch);
    const doubted = new DoubtedParts();
    while (parts.length > 0 || doubted.first !== undefined) {
      for (const proven of doubted.takeProven(this.#acceptedCount)) await this.#judge(proven, parts);
      const part = parts.pop();
      if (part === undefined) await this.#proveWorking(doubted);
      else await this.#sendPart(part, parts, doubted);
    }
  }

  async #sendPart(part: SendableEvent[], parts: SendableEvent[][], doubted: DoubtedParts): Promise<void> {
    if (part.length === 0) return;
    try {
      if (await this.#isAccepted(part)) return;
    } catch (error) {
      if (!isServerFault(error)) throw error;
      doubted.add({ part, error, acceptedBefore: this.#acceptedCount });
      return;
    }
    if (part.length > 1) parts.push(...halvesOf(part));
    else if (this.#acceptedCount > 0) await this.#quarantineHeld();
    else if (this.#held.size >= REFUSAL_LIMIT) await this.#probe(parts);
  }

  /** The end of a run in which nothing failed: a few that were refused alone, with nothing beside them, are at fault. */
  async finish(): Promise<void> {
    await this.#quarantineHeld();
  }

  /** What becomes of a part that was answered with 500 by a system that works. */
  async #judge({ part, error }: DoubtedPart, parts: SendableEvent[][]): Promise<void> {
    const [first] = part;
    if (first === undefined) return;
    if (part.length > 1) {
      parts.push(...halvesOf(part));
    } else if (isLarge(first)) {
      this.#held.set(first.usageEventId, `${error.message}, and it holds ${first.body.length} characters`);
      await this.#quarantineHeld();
    } else {
      this.#unexplained.set(first.usageEventId, error);
    }
  }

  /** Sends a few of the doubted parts, or of elsewhere, alone. @throws UpstreamError of the first part: an outage */
  async #proveWorking(doubted: DoubtedParts): Promise<void> {
    const { first } = doubted;
    if (first === undefined) return;
    const before = this.#acceptedCount;
    for (let turn = 0; turn < PROBE_COUNT && this.#acceptedCount === before; turn += 1) {
      const event = doubted.takeProbe(turn);
      if (event === undefined) break;
      await this.#sendPart([event], [], doubted);
    }
    if (this.#acceptedCount === before) await this.#probeNewest();
    if (this.#acceptedCount === before) throw first.error;
  }

  async #isAccepted(part: readonly SendableEvent[]): Promise<boolean> {
    const { database, metering, clock } = this.#deps;
    try {
      await metering.ingestEvents(
        part.map((event) => bodyWithAllFigures(event.body)),
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
    this.#acceptedCount += 1;
    await this.#quarantineHeld();
    return true;
  }

  /** Tries events from elsewhere; accepted, the ones held are at fault. @throws UpstreamError none is accepted */
  async #probe(parts: readonly SendableEvent[][]): Promise<void> {
    // Taken out of their parts: without deduplication a second sending would count twice.
    const ofBatch = parts.slice(0, PROBE_COUNT).flatMap((part) => part.splice(-1));
    for (const event of ofBatch) await this.#isAccepted([event]);
    if (this.#acceptedCount === 0) await this.#probeNewest();
    // By now perhaps through another batch of this run.
    if (this.#acceptedCount > 0) return await this.#quarantineHeld();
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
      for (const event of newest) {
        if (isIntact(event) && !isLarge(event) && (await this.#isAcceptedOrFaulty(event))) return;
      }
    } finally {
      await releaseEvents(
        database,
        newest.map((event) => event.usageEventId),
      );
    }
  }

  async #isAcceptedOrFaulty(event: SendableEvent): Promise<boolean> {
    try {
      return await this.#isAccepted([event]);
    } catch (error) {
      if (isServerFault(error)) return false;
      throw error;
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

/** Of a stack: the first half is sent first. */
function halvesOf(part: readonly SendableEvent[]): SendableEvent[][] {
  const middle = Math.ceil(part.length / 2);
  return [part.slice(middle), part.slice(0, middle)];
}

/** A wrong key or address is refused too, and is no fault of any event. */
function isAboutContent(error: unknown): error is TallystickError {
  if (!(error instanceof TallystickError) || error.code !== 'UPSTREAM_REJECTED') return false;
  const status = error.context.statusCode;
  return status === 400 || status === 413 || status === 422;
}
