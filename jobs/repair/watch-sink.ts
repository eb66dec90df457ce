import { addMs } from '../../src/platform/clock.ts';
import type { SinkCanary } from '../../src/usage/events/sink-canaries.ts';
import {
  endOutage,
  openOutage,
  type RecentSend,
  readLastOutage,
  readLastSettledHour,
  readNewestSends,
} from '../../src/usage/events/sink-outages.ts';
import type { JobDependencies } from '../dependencies.ts';
import { findVisible, isOverdue, sendCanaries, type Witness } from './canaries.ts';
import { latest, type SinkSigns, type Unproven } from './sink-signs.ts';

/** Sends looked up as witnesses: one question to OpenMeter. */
const WITNESS_LIMIT = 20;

/**
 * Whether an outage of the sink is known, or one ended so recently that it may still be catching up: then nothing that is
 * not visible is held for lost, and nobody need look. Ends the outage when something sent since is visible.
 * @throws UpstreamError when OpenMeter cannot be asked
 */
export async function waitsForSink(
  deps: JobDependencies,
  underWay: readonly SinkCanary[],
  seenUntil: Date | null,
  signal?: AbortSignal,
): Promise<boolean> {
  const { database, clock, settings, log } = deps;
  const now = clock.now();
  const outage = await readLastOutage(database);
  if (outage === null) return false;
  if (outage.endedAt !== null) return addMs(outage.endedAt, settings.repairGraceMs) > now;
  const sends = await readNewestSends(database, { now, limit: WITNESS_LIMIT });
  const since = sends.map(toWitness).filter(({ createdAt }) => createdAt > outage.since);
  if (
    (seenUntil !== null && seenUntil > outage.since) ||
    (await findVisible(deps, since, signal)).length > 0
  ) {
    if (await endOutage(database, now))
      log.warn({ since: outage.since }, "OpenMeter's sink stores events again");
    return true;
  }
  await keepAsking(deps, sends, underWay, signal);
  return true;
}

/** Without a send of late nothing could become visible: a canary is, then. */
async function keepAsking(
  deps: JobDependencies,
  sends: readonly RecentSend[],
  underWay: readonly SinkCanary[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const now = deps.clock.now();
  const { repairGraceMs } = deps.settings;
  const [model] = sends;
  if (model === undefined || addMs(model.createdAt, 2 * repairGraceMs) > now) return;
  if (underWay.every((canary) => isOverdue(canary, now, repairGraceMs)))
    await sendCanaries(deps, [model], [], signal);
}

/**
 * Finds out what became of sends that are not visible. Where something sent after them is visible, the sink works: a canary
 * goes after each subject's, through the same partition, and tells whether they are lost. Where nothing is, one canary goes
 * if nothing else was sent that could tell, and when that is not seen either, it is an outage: told once, with since when.
 * @throws UpstreamError when OpenMeter cannot be asked
 */
export async function askAboutUnproven(
  deps: JobDependencies,
  signs: SinkSigns,
  underWay: readonly SinkCanary[],
  signal?: AbortSignal,
): Promise<void> {
  const unproven = [...signs.unprovenBySubject.values()];
  if (unproven.length === 0) return;
  const { database, clock, settings, log } = deps;
  const now = clock.now();
  const graceMs = settings.repairGraceMs;
  const sends = (await readNewestSends(database, { now, limit: WITNESS_LIMIT })).map(toWitness);
  let seenUntil = signs.seenUntil;
  for (const { createdAt } of await findVisible(deps, sends, signal))
    seenUntil = latest(seenUntil, createdAt);
  const settled = await readLastSettledHour(database, now);
  if (settled !== null) seenUntil = latest(seenUntil, settled);

  const isPassed = ({ lastSentAt }: Unproven) => seenUntil !== null && seenUntil > lastSentAt;
  const waiting = new Map(underWay.map((canary) => [canary.subject, canary]));
  const passed = unproven.filter(({ subject, ...one }) => {
    const canary = waiting.get(subject);
    return isPassed({ subject, ...one }) && (canary === undefined || isOverdue(canary, now, graceMs));
  });
  await sendCanaries(
    deps,
    passed.map(({ event }) => event),
    underWay,
    signal,
  );
  const [first] = unproven.filter((one) => !isPassed(one)).sort((a, b) => +startOf(a) - +startOf(b));
  if (first === undefined) return;
  const since = startOf(first);
  const later = [...sends, ...underWay.flatMap(witnessOf)].filter(
    ({ createdAt }) => createdAt >= addMs(since, graceMs),
  );
  if (later.some(({ sentAt }) => addMs(sentAt, graceMs) <= now)) {
    if (await openOutage(database, { since, now })) {
      log.error({ since }, 'OpenMeter takes events and shows none of them: its sink stands still. They wait');
    }
  } else if (later.length === 0 && underWay.every((canary) => isOverdue(canary, now, graceMs))) {
    await sendCanaries(deps, [first.event], underWay, signal);
  }

  function startOf({ firstSentAt, lastSentAt }: Unproven): Date {
    return seenUntil !== null && seenUntil > firstSentAt ? lastSentAt : firstSentAt;
  }
}

function toWitness({ usageEventId, ...send }: RecentSend): Witness & RecentSend {
  return { ...send, usageEventId, id: usageEventId };
}

function witnessOf({ canaryId, windowStart, createdAt, sentAt }: SinkCanary): Witness[] {
  return sentAt === null ? [] : [{ id: canaryId, windowStart, createdAt, sentAt }];
}
