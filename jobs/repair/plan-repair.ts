import { addMs } from '../../src/platform/clock.ts';
import type { OutboxCopy } from '../../src/usage/events/repairs.ts';

export interface RepairRules {
  now: Date;
  /** How long after its last send a copy may still become visible; doubled for each time it was sent again. */
  graceMs: number;
  /** After so many resends under one id another id is used: OpenMeter may remember the id of what it lost. */
  resendLimit: number;
}

export type FamilyPlan =
  /** OpenMeter counts the usage as often as it should: once, or not at all if the ledger holds it back. */
  | { kind: 'sound' }
  /** It differs by `gap` copies, and something sent may still be on its way. */
  | { kind: 'wait'; gap: number }
  | { kind: 'resend'; gap: number; usageEventId: string }
  /** A further event worth `gap` copies of the root is needed. */
  | { kind: 'add'; gap: number };

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
