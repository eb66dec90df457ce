import { TallystickError, toTallystickError } from '../src/errors.ts';
import {
  type ClaimedEvent,
  claimPendingEvents,
  markEventsSent,
  quarantineEvent,
  releaseEvents,
  type UsageEvent,
} from '../src/ledger/usage-events.ts';
import type { JobDependencies } from './dependencies.ts';
import { isIntact } from './ingest/check-body.ts';
import { repairEvent } from './ingest/repair-event.ts';

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
 * @throws UpstreamError when OpenMeter is throttling or down; unsent events stay pending
 */
export async function ingestEvents(deps: JobDependencies, signal?: AbortSignal): Promise<IngestOutcome> {
  const outcome: IngestOutcome = { sentCount: 0, quarantinedCount: 0, repairedCount: 0 };
  const { ingestBatchSize, ingestConcurrency } = deps.settings;
  let failure: TallystickError | null = null;
  const send = async () => {
    while (failure === null && signal?.aborted !== true) {
      const batch = await claimPendingEvents(deps.database, {
        limit: ingestBatchSize,
        seconds: CLAIM_SECONDS,
      });
      if (batch.length === 0) return;
      try {
        await sendBatch(deps, await checkBatch(deps, batch, outcome), outcome, signal);
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

type SendableEvent = Pick<UsageEvent, 'usageEventId' | 'body'>;

async function sendBatch(
  deps: JobDependencies,
  batch: readonly SendableEvent[],
  outcome: IngestOutcome,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (batch.length === 0) return;
  const ids = batch.map((event) => event.usageEventId);
  try {
    await deps.metering.ingestEvents(
      batch.map((event) => event.body),
      signal,
    );
  } catch (error) {
    const rejectedContent =
      error instanceof TallystickError && error.code === 'UPSTREAM_REJECTED' && isAboutContent(error);
    if (!rejectedContent) throw error;
    if (batch.length === 1) {
      await quarantineEvent(deps.database, ids[0] ?? '', 'refused_by_openmeter');
      deps.log.error({ usageEventId: ids[0], reason: error.message }, 'OpenMeter refused a usage event');
      outcome.quarantinedCount += 1;
      return;
    }
    const middle = Math.ceil(batch.length / 2);
    await sendBatch(deps, batch.slice(0, middle), outcome, signal);
    await sendBatch(deps, batch.slice(middle), outcome, signal);
    return;
  }
  await markEventsSent(deps.database, ids, deps.clock.now());
  outcome.sentCount += batch.length;
}

/** A wrong key or address is refused too, and is no fault of any event. */
function isAboutContent(error: TallystickError): boolean {
  const status = error.context.statusCode;
  return status === 400 || status === 413 || status === 422;
}
