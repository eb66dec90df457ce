import { addMs } from '../../src/platform/clock.ts';
import type { OutboxCopy } from '../../src/usage/events/repairs.ts';

export interface RepairRules {
  now: Date;
  /** How long after its last send a copy may still become visible; doubled for each time it was sent again. */
  graceMs: number;
  /**
   * When the newest event of the subject was made that is visible, or was: one partition of the topic holds all of them
   * in the order in which they were sent, so the sink has passed whatever was sent well before. Null: nothing is known.
   */
  passedAt: Date | null;
  /** After so many resends under one id another id is used: OpenMeter may remember the id of what it lost. */
  resendLimit: number;
}

export type FamilyPlan =
  /** OpenMeter counts the usage as often as it should: once, or not at all if the ledger holds it back. */
  | { kind: 'sound' }
  /** It differs by `gap` copies, and something sent may still be on its way. */
  | { kind: 'wait'; gap: number }
  /** It may have been lost, last sent at `sentAt`; but nothing sent later is visible, as in an outage of the sink. */
  | { kind: 'unproven'; gap: number; sentAt: Date }
  | { kind: 'resend'; gap: number; usageEventId: string }
  /** A further event worth `gap` copies of the root is needed. */
  | { kind: 'add'; gap: number };

/**
 * Whether a copy that is not visible may still be before the sink. The margin covers what can overtake it on the way:
 * a producer holds what it has answered 204 to for at most 5 minutes (librdkafka's `message.timeout.ms`), another one of
 * OpenMeter's servers may be quicker meanwhile, and clocks of workers differ.
 */
function isUnproven(copy: OutboxCopy, count: number, { passedAt, graceMs }: RepairRules): copy is SentCopy {
  if (count > 0 || copy.sentAt === null || copy.status === 'quarantined') return false;
  return passedAt === null || passedAt < addMs(copy.sentAt, graceMs);
}

type SentCopy = OutboxCopy & { sentAt: Date };

/** Doubling ends here: 32 times the grace. */
const DOUBLING_LIMIT = 5;

/**
 * What to do about one usage event and everything sent in its place, given how often OpenMeter holds each.
 * Every copy counts for the copies it stands for, so it does not matter which of them was lost or doubled: a
 * correction that is itself lost or counted twice is just another difference.
 */
export function planFamilyRepair(
  family: readonly OutboxCopy[],
  countById: ReadonlyMap<string, number>,
  rules: RepairRules,
): FamilyPlan {
  const root = family.find((copy) => copy.kind === 'usage');
  const countOf = (copy: OutboxCopy) => countById.get(copy.usageEventId) ?? 0;
  const wanted = root === undefined || root.status === 'quarantined' ? 0 : 1;
  const gap = wanted - family.reduce((sum, copy) => sum + copy.copyDelta * countOf(copy), 0);
  if (gap === 0) return { kind: 'sound' };
  const isOnItsWay = (copy: OutboxCopy) =>
    copy.status === 'pending' ||
    (copy.sentAt !== null &&
      countOf(copy) === 0 &&
      copy.status !== 'quarantined' &&
      addMs(copy.sentAt, rules.graceMs * 2 ** Math.min(copy.resendCount, DOUBLING_LIMIT)) > rules.now);
  if (family.some(isOnItsWay)) return { kind: 'wait', gap };
  const unproven = family.flatMap((copy) => (isUnproven(copy, countOf(copy), rules) ? copy.sentAt : []));
  const sentAt = unproven.reduce<Date | null>(
    (latest, at) => (latest === null || at > latest ? at : latest),
    null,
  );
  if (sentAt !== null) return { kind: 'unproven', gap, sentAt };
  const unseen = family.find(
    (copy) =>
      countOf(copy) === 0 &&
      copy.status !== 'quarantined' &&
      copy.resendCount < rules.resendLimit &&
      Math.sign(copy.copyDelta) === Math.sign(gap) &&
      Math.abs(copy.copyDelta) <= Math.abs(gap),
  );
  return unseen === undefined
    ? { kind: 'add', gap }
    : { kind: 'resend', gap, usageEventId: unseen.usageEventId };
}
