import { createHash } from 'node:crypto';
import { byProperty, keyOf, type UsageKey } from '../../pricing/usage/shape.ts';
import { addMs, HOUR_MS } from '../../src/platform/clock.ts';
import { UpstreamError } from '../../src/platform/errors.ts';
import {
  commitCanaries,
  markCanariesSeen,
  markCanariesSent,
  readCanaries,
  readNewestSeen,
  type SinkCanary,
} from '../../src/usage/events/sink-canaries.ts';
import { renderUsageEvent } from '../collect/build-events.ts';
import type { JobDependencies } from '../dependencies.ts';

/** So many subjects are asked about at once; the others wait until these are answered. */
const CANARY_LIMIT = 500;
/** Doubling ends here: 32 times the grace. */
const DOUBLING_LIMIT = 5;

/** An event that a canary is modelled on. */
export type CanaryModel = UsageKey & { windowStart: Date; eventTime: Date };

/** Something whose visibility says that the sink has stored it. */
export interface Witness {
  id: string;
  windowStart: Date;
  createdAt: Date;
  sentAt: Date;
}

/** Which of these OpenMeter shows. @throws UpstreamError */
export async function findVisible<Sent extends { id: string; windowStart: Date }>(
  deps: JobDependencies,
  sent: readonly Sent[],
  signal: AbortSignal | undefined,
): Promise<Sent[]> {
  if (sent.length === 0) return [];
  const hours = sent.map(({ windowStart }) => windowStart.getTime());
  const counts = await deps.metering.findEvents(
    {
      eventIds: sent.map(({ id }) => id),
      window: { start: new Date(Math.min(...hours)), end: addMs(new Date(Math.max(...hours)), HOUR_MS) },
    },
    signal,
  );
  return sent.filter(({ id }) => counts.has(id));
}

/**
 * Looks which canaries have become visible, and notes it.
 * @returns those that are still under way, and when the newest one was made that was ever seen
 * @throws UpstreamError
 */
export async function lookForCanaries(
  deps: JobDependencies,
  signal: AbortSignal | undefined,
): Promise<{ underWay: SinkCanary[]; seenUntil: Date | null }> {
  const canaries = await readCanaries(deps.database, CANARY_LIMIT);
  const sent = canaries.filter((canary) => canary.sentAt !== null);
  const visible = await findVisible(
    deps,
    sent.map((canary) => ({ ...canary, id: canary.canaryId })),
    signal,
  );
  const seenIds = new Set(visible.map(({ canaryId }) => canaryId));
  await markCanariesSeen(deps.database, [...seenIds]);
  return {
    underWay: canaries.filter(({ canaryId }) => !seenIds.has(canaryId)),
    seenUntil: await readNewestSeen(deps.database),
  };
}

/** Whether a canary had its time: it waits longer each time one of its subject was not seen. */
export function isOverdue(canary: SinkCanary, now: Date, graceMs: number): boolean {
  const waitMs = graceMs * 2 ** Math.min(canary.unseenCount + 1, DOUBLING_LIMIT);
  return addMs(canary.createdAt, waitMs) <= now;
}

/**
 * Sends a canary for each of these: an event of the same subject, time and key that counts nothing, so that no sum and no
 * row of any answer changes. Committed first; what OpenMeter refuses or cannot take is made anew when its time is over.
 * @throws UpstreamError when OpenMeter cannot take it now
 */
export async function sendCanaries(
  deps: JobDependencies,
  models: readonly CanaryModel[],
  underWay: readonly SinkCanary[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const room = Math.max(0, CANARY_LIMIT - underWay.length);
  const made = models.slice(0, room).map((model) => makeCanary(model, deps.clock.now()));
  await commitCanaries(deps.database, made);
  await deliver(deps, made, signal);
}

function makeCanary(model: CanaryModel, createdAt: Date) {
  const { subject, windowStart, eventTime } = model;
  const digest = createHash('sha256').update(`${subject}\u0000${createdAt.toISOString()}`).digest('hex');
  const canaryId = `uc_${digest.slice(0, 40)}`;
  const body = renderUsageEvent({
    usageEventId: canaryId,
    eventTime,
    ...keyOf(model),
    ...byProperty(() => 0n),
  });
  return { subject, canaryId, windowStart, body, createdAt };
}

async function deliver(
  deps: JobDependencies,
  canaries: readonly { canaryId: string; body: string }[],
  signal: AbortSignal | undefined,
): Promise<void> {
  if (canaries.length === 0) return;
  try {
    await deps.metering.ingestEvents(
      canaries.map(({ body }) => body),
      signal,
    );
  } catch (error) {
    if (!(error instanceof UpstreamError) || error.statusCode !== 400) throw error;
    if (canaries.length > 1) for (const canary of canaries) await deliver(deps, [canary], signal);
    return;
  }
  await markCanariesSent(
    deps.database,
    canaries.map(({ canaryId }) => canaryId),
    deps.clock.now(),
  );
}
