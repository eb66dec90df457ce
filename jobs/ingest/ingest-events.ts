import { type TallystickError, toTallystickError } from '../../src/platform/errors.ts';
import {
  type ClaimedEvent,
  claimPendingEvents,
  quarantineEvent,
  releaseEvents,
} from '../../src/usage/events/usage-events.ts';
import type { JobDependencies } from '../dependencies.ts';
import { isIntact } from './check-body.ts';
import type { SendableEvent } from './doubted-parts.ts';
import { EventSender } from './event-sender.ts';
import { repairEvent } from './repair-event.ts';

/**
 * How long a dead sender's events wait. Longer than a request usually takes; when one takes longer and its
 * events are claimed again, they go out twice under the same ids.
 */
const CLAIM_SECONDS = 30;

export interface IngestOutcome {
  sentCount: number;
  quarantinedCount: number;
  /** Events whose stored bytes were damaged, and that were made anew from their source items. */
  repairedCount: number;
}

/**
 * Step 2: sends the outbox to OpenMeter, several batches at a time. A refused batch is halved until the
 * poison event is alone, and only that one is quarantined. Sent is not stored: step 3 reads back.
 * @throws UpstreamError when OpenMeter is throttling, down, refuses everything, or answers some events with 500 that
 *   nothing explains; unsent events stay pending
 */
export async function ingestEvents(deps: JobDependencies, signal?: AbortSignal): Promise<IngestOutcome> {
  const outcome: IngestOutcome = { sentCount: 0, quarantinedCount: 0, repairedCount: 0 };
  const { ingestBatchSize, ingestConcurrency } = deps.settings;
  const sender = new EventSender(deps, outcome, signal);
  let failure: TallystickError | null = null;
  const send = async () => {
    while (failure === null && signal?.aborted !== true) {
      const batch = await claimPendingEvents(deps.database, {
        limit: ingestBatchSize,
        seconds: CLAIM_SECONDS,
      });
      if (batch.length === 0) return;
      try {
        await sender.send(await checkBatch(deps, batch, outcome));
      } catch (error) {
        failure ??= toTallystickError(error);
        // The whole batch, also the halves that were not tried yet: the next run need not wait for the claim.
        await releaseEvents(
          deps.database,
          batch.map((event) => event.usageEventId),
        );
      }
    }
  };
  await Promise.all(Array.from({ length: ingestConcurrency }, send));
  if (failure === null && signal?.aborted !== true) await sender.finish();
  await releaseEvents(deps.database, sender.heldIds);
  failure ??= sender.unexplained;
  if (failure !== null) throw failure;
  return outcome;
}

/** The events of a batch that may be sent: intact, or damaged and made anew. The others are quarantined. */
async function checkBatch(
  deps: JobDependencies,
  batch: readonly ClaimedEvent[],
  outcome: IngestOutcome,
): Promise<SendableEvent[]> {
  const sendable: SendableEvent[] = [];
  for (const event of batch) {
    if (isIntact(event)) {
      sendable.push(event);
      continue;
    }
    const repaired = event.kind === 'usage' ? await repairEvent(deps, event) : null;
    if (repaired === null) {
      await quarantineEvent(deps.database, event.usageEventId, 'corrupt');
      outcome.quarantinedCount += 1;
    } else {
      sendable.push(repaired);
      outcome.repairedCount += 1;
    }
    deps.log.error(
      { usageEventId: event.usageEventId, isRepaired: repaired !== null },
      'A stored usage event was damaged; it was not sent as it was',
    );
  }
  return sendable;
}
