import { createHash } from 'node:crypto';
import { byProperty, FIGURES, keyOf } from '../../pricing/usage/shape.ts';
import type { UsageEvent } from '../../src/usage/events/usage-events.ts';
import { type DueRecount, markRecountDone, readDueRecounts } from '../../src/usage/recounts/decisions.ts';
import {
  commitRecounted,
  type FormerEvent,
  readFormerEvents,
  requestUntoldParts,
} from '../../src/usage/recounts/former-events.ts';
import { readApartModels } from '../../src/usage/recounts/gather.ts';
import { renderUsageEvent } from '../collect/build-events.ts';
import type { JobDependencies } from '../dependencies.ts';

/** Hours of one key that are recounted in one transaction. */
const HOURS_AT_ONCE = 500;

/**
 * Does what people approved about usage that was counted by the former rules: makes the events that were missing, which
 * travel like any late usage, and asks for the rows that waited. Killed and run again it makes none twice.
 * @returns how many events it made
 */
export async function recountUsage(deps: JobDependencies, signal?: AbortSignal): Promise<number> {
  const { database, clock } = deps;
  let eventCount = 0;
  for (const recount of await readDueRecounts(database)) {
    if (recount.cause === 'untold_parts') {
      await requestUntoldParts(database, { ...recount, now: clock.now() });
    } else if (recount.cause === 'told_apart') eventCount += await addApartParts(deps, recount, signal);
    await markRecountDone(database, recount.recountId, clock.now());
  }
  return eventCount;
}

async function addApartParts(
  deps: JobDependencies,
  recount: DueRecount,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { database, clock, settings } = deps;
  const { customerId, month } = recount;
  const models = await readApartModels(database, month, settings.providers);
  let eventCount = 0;
  for (const model of models) {
    const apart = settings.providers.ruleOf(model)?.apart ?? [];
    for (;;) {
      signal?.throwIfAborted();
      const of = { customerId, month, models: [model], hourLimit: HOURS_AT_ONCE };
      const former = await readFormerEvents(database, of);
      if (former.length === 0) break;
      const additions = former.flatMap((event) => {
        const told = apart.reduce((sum, figure) => sum + event[FIGURES[figure].property], 0n);
        return told > 0n ? [addPrompt(event, told)] : [];
      });
      const isDone = await commitRecounted(database, { former, additions, apart, now: clock.now() });
      if (isDone) eventCount += additions.length;
    }
  }
  return eventCount;
}

/** What was told beside the prompt, as usage of the same minute. Its id follows from that of the event it completes. */
function addPrompt(event: FormerEvent, promptTokenCount: bigint): UsageEvent {
  const digest = createHash('sha256').update(`recount\u0000${event.usageEventId}`).digest('hex').slice(0, 40);
  const added = {
    usageEventId: `ue_${digest}`,
    windowStart: event.windowStart,
    eventTime: event.eventTime,
    ...keyOf(event),
    ...byProperty(() => 0n),
    promptTokenCount,
  };
  return { ...added, body: renderUsageEvent(added) };
}
