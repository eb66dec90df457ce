import { byProperty, FIGURES, keyOf, usageKeyText } from '../../pricing/usage/shape.ts';
import { addMs, HOUR_MS } from '../../src/platform/clock.ts';
import {
  commitRepair,
  type DriftedHour,
  type DriftedKey,
  type HourRepair,
  type OutboxCopy,
  type RepairEvent,
  readDriftedKeys,
  readOutboxCopies,
} from '../../src/usage/events/repairs.ts';
import { readPassedAt } from '../../src/usage/events/sink-canaries.ts';
import { renderUsageEvent } from '../collect/build-events.ts';
import type { JobDependencies } from '../dependencies.ts';
import { type FamilyPlan, planFamilyRepair } from './plan-repair.ts';
import { noteUnproven, noteVisible, type SinkSigns } from './sink-signs.ts';

/** Bounds the events in memory and the length of one transaction. */
const KEYS_AT_ONCE = 100;

export interface RepairOutcome {
  hourCount: number;
  resentCount: number;
  reissuedCount: number;
  correctedCount: number;
  unexplainedKeyCount: number;
}

/**
 * Looks into one hour that differs: asks OpenMeter how often it holds each event of the differing keys, and
 * plans what is missing or too many. Nothing is sent here; the outbox sends it like any event. What is not visible and
 * not proven to be lost is noted in `signs`.
 * @throws UpstreamError when OpenMeter cannot be asked
 */
export async function repairHour(
  deps: JobDependencies,
  hour: DriftedHour,
  outcome: RepairOutcome,
  signs: SinkSigns,
  signal?: AbortSignal,
): Promise<void> {
  const keys = await readDriftedKeys(deps.database, hour.windowStart);
  let version = hour.eventVersion;
  for (let start = 0; start < keys.length; start += KEYS_AT_ONCE) {
    signal?.throwIfAborted();
    const some = keys.slice(start, start + KEYS_AT_ONCE);
    const repair = await lookInto(deps, hour.windowStart, some, signs, signal);
    const committed = await commitRepair(
      deps.database,
      { windowStart: hour.windowStart, eventVersion: version },
      repair,
      deps.clock.now(),
    );
    // Somebody else added to the hour or repaired it: what we saw is old.
    if (committed === null) return;
    version = committed;
    outcome.resentCount += repair.resendIds.length;
    outcome.reissuedCount += repair.additions.filter((event) => event.kind === 'reissue').length;
    outcome.correctedCount += repair.additions.filter((event) => event.kind === 'correction').length;
    outcome.unexplainedKeyCount += repair.findings.filter(
      (finding) => finding.driftClass === 'unexplained',
    ).length;
  }
  outcome.hourCount += 1;
}

async function lookInto(
  deps: JobDependencies,
  windowStart: Date,
  keys: readonly DriftedKey[],
  signs: SinkSigns,
  signal: AbortSignal | undefined,
): Promise<HourRepair> {
  const copies = await readOutboxCopies(deps.database, windowStart, keys);
  const countById = await deps.metering.findEvents(
    {
      eventIds: copies.map((copy) => copy.usageEventId),
      window: { start: windowStart, end: addMs(windowStart, HOUR_MS) },
    },
    signal,
  );
  const now = deps.clock.now();
  const passedAt = await readPassedAt(deps.database, {
    subjects: [...new Set(keys.map((key) => key.subject))],
    from: windowStart,
    now,
  });
  for (const copy of copies) if (countById.has(copy.usageEventId)) noteVisible(signs, passedAt, copy);
  const rules = {
    now,
    graceMs: deps.settings.repairGraceMs,
    resendLimit: deps.settings.repairResendLimit,
  };
  const resendIds: string[] = [];
  const additions: RepairEvent[] = [];
  const plansByKey = new Map<string, UnsoundPlan[]>(keys.map((key) => [usageKeyText(windowStart, key), []]));
  for (const family of groupByRoot(copies)) {
    const subject = family[0]?.subject ?? '';
    const plan = planFamilyRepair(family, countById, { ...rules, passedAt: passedAt.get(subject) ?? null });
    if (plan.kind === 'sound') continue;
    const root = family.find((copy) => copy.kind === 'usage');
    if (root === undefined) continue;
    plansByKey.get(usageKeyText(windowStart, root))?.push(plan);
    if (plan.kind === 'unproven') noteUnproven(signs, root, plan.sentAt);
    else if (plan.kind === 'resend') resendIds.push(plan.usageEventId);
    else if (plan.kind === 'add') additions.push(standInFor(root, plan.gap, family.length));
  }
  if (resendIds.length + additions.length > 0) {
    deps.log.warn(
      { windowStart, resentCount: resendIds.length, addedCount: additions.length },
      'OpenMeter lost events or counted them twice; they are repaired',
    );
  }
  const findings = keys.map((key) => judgeKey(key, plansByKey.get(usageKeyText(windowStart, key)) ?? []));
  return { resendIds, additions, findings };
}

type UnsoundPlan = Exclude<FamilyPlan, { kind: 'sound' }>;

/**
 * A key whose events are all stored exactly once may have become so just now: only when its totals still
 * differ at a reading after that is the difference not ours. What is not proven to be lost has no class yet.
 */
function judgeKey(key: DriftedKey, plans: readonly UnsoundPlan[]): HourRepair['findings'][number] {
  const proven = plans.filter((plan) => plan.kind !== 'unproven');
  if (proven.some(({ gap }) => gap > 0)) return { key, driftClass: 'lost_in_openmeter', isSound: false };
  if (proven.length > 0) return { key, driftClass: 'counted_twice', isSound: false };
  if (plans.length > 0) return { key, driftClass: null, isSound: false };
  const stillDiffers = key.foundSoundAt !== null && key.lastSeenAt > key.foundSoundAt;
  return { key, driftClass: stillDiffers ? 'unexplained' : null, isSound: true };
}

function groupByRoot(copies: readonly OutboxCopy[]): Iterable<OutboxCopy[]> {
  const families = new Map<string, OutboxCopy[]>();
  for (const copy of copies) {
    const family = families.get(copy.rootEventId);
    if (family === undefined) families.set(copy.rootEventId, [copy]);
    else family.push(copy);
  }
  return families.values();
}

/**
 * An event worth `gap` copies of the root, which may be negative. Its id follows from the root's and from how
 * many copies there are already, so that two workers who see the same make the same.
 */
function standInFor(root: OutboxCopy, gap: number, copyNumber: number): RepairEvent {
  const times = BigInt(gap);
  const kind = gap > 0 ? 'reissue' : 'correction';
  const event = {
    usageEventId: `${root.usageEventId}_${kind === 'reissue' ? 'r' : 'c'}${copyNumber}`,
    windowStart: root.windowStart,
    eventTime: root.eventTime,
    ...keyOf(root),
    ...byProperty((name) => root[FIGURES[name].property] * times),
  };
  return {
    ...event,
    body: renderUsageEvent(event),
    kind,
    rootEventId: root.usageEventId,
    copyDelta: gap,
  } as RepairEvent;
}
