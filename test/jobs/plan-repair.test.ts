import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planFamilyRepair } from '../../jobs/repair/plan-repair.ts';
import { byProperty } from '../../pricing/usage/shape.ts';
import type { OutboxCopy } from '../../src/usage/events/repairs.ts';

const MINUTE_MS = 60_000;
const GRACE_MS = 30 * MINUTE_MS;
const RESEND_LIMIT = 2;

function makeCopy(changes: Partial<OutboxCopy> = {}): OutboxCopy {
  return {
    usageEventId: 'ue_1',
    windowStart: new Date(0),
    eventTime: new Date(0),
    subject: 'user',
    feature: '',
    model: 'gpt-4o',
    deployment: '',
    ...byProperty(() => 0n),
    promptTokenCount: 100n,
    totalTokenCount: 100n,
    requestCount: 1n,
    kind: 'usage',
    rootEventId: 'ue_1',
    copyDelta: 1,
    resendCount: 0,
    status: 'sent',
    createdAt: new Date(0),
    sentAt: new Date(0),
    ...changes,
  };
}

/** Passed: something made that minute is visible. Just now unless said otherwise. */
const plan = (
  family: OutboxCopy[],
  counts: Record<string, number>,
  atMinute = 60,
  passedMinute: number | null = atMinute,
) =>
  planFamilyRepair(family, new Map(Object.entries(counts)), {
    passedAt: passedMinute === null ? null : new Date(passedMinute * MINUTE_MS),
    now: new Date(atMinute * MINUTE_MS),
    graceMs: GRACE_MS,
    resendLimit: RESEND_LIMIT,
  });

describe('planning the repair of one event', () => {
  it('does nothing about an event that is stored once', () => {
    expect(plan([makeCopy()], { ue_1: 1 })).toEqual({ kind: 'sound' });
  });

  it('waits for an event that may still become visible, longer after each resend', () => {
    expect(plan([makeCopy()], {}, 29)).toEqual({ kind: 'wait', gap: 1 });
    expect(plan([makeCopy()], {}, 31)).toEqual({ kind: 'resend', gap: 1, usageEventId: 'ue_1' });
    expect(plan([makeCopy({ resendCount: 1 })], {}, 31)).toEqual({ kind: 'wait', gap: 1 });
    expect(plan([makeCopy({ resendCount: 1 })], {}, 61)).toMatchObject({ kind: 'resend' });
  });

  it('holds nothing for lost that nothing sent later has overtaken by the grace', () => {
    const unproven = { kind: 'unproven', gap: 1, sentAt: new Date(0) };
    expect(plan([makeCopy()], {}, 3 * 24 * 60, null)).toEqual(unproven);
    expect(plan([makeCopy()], {}, 3 * 24 * 60, 29)).toEqual(unproven);
    expect(plan([makeCopy()], {}, 3 * 24 * 60, 30)).toMatchObject({ kind: 'resend' });
    const often = makeCopy({ resendCount: RESEND_LIMIT });
    expect(plan([often], {}, 3 * 24 * 60, null)).toMatchObject({ kind: 'unproven' });
    expect(plan([often], {}, 3 * 24 * 60, 30)).toEqual({ kind: 'add', gap: 1 });
  });

  it('offsets nothing anew while what offsets it may still come', () => {
    const sentAt = new Date(60_000);
    const correction = makeCopy({ usageEventId: 'ue_1_c1', kind: 'correction', copyDelta: -1, sentAt });
    expect(plan([makeCopy(), correction], { ue_1: 2 }, 90, 30)).toEqual({
      kind: 'unproven',
      gap: -1,
      sentAt,
    });
    expect(plan([makeCopy(), correction], { ue_1: 2 }, 90, 31)).toMatchObject({ kind: 'resend' });
  });

  it('takes another id after several resends that stay invisible', () => {
    expect(plan([makeCopy({ resendCount: RESEND_LIMIT })], {}, 200)).toEqual({ kind: 'add', gap: 1 });
  });

  it('offsets every copy too many', () => {
    expect(plan([makeCopy()], { ue_1: 4 })).toEqual({ kind: 'add', gap: -3 });
  });

  it('counts neither an event that the ledger holds back', () => {
    expect(plan([makeCopy({ status: 'quarantined', sentAt: null })], {})).toEqual({ kind: 'sound' });
    expect(plan([makeCopy({ status: 'quarantined', sentAt: null })], { ue_1: 1 })).toEqual({
      kind: 'add',
      gap: -1,
    });
  });

  it('sends a lost correction again, and offsets one that was counted twice', () => {
    const correction = makeCopy({ usageEventId: 'ue_1_c1', kind: 'correction', copyDelta: -1 });
    expect(plan([makeCopy(), correction], { ue_1: 2 })).toEqual({
      kind: 'resend',
      gap: -1,
      usageEventId: 'ue_1_c1',
    });
    expect(plan([makeCopy(), correction], { ue_1: 2, ue_1_c1: 2 })).toEqual({ kind: 'add', gap: 1 });
    expect(plan([makeCopy(), correction], { ue_1: 2, ue_1_c1: 1 })).toEqual({ kind: 'sound' });
  });

  it('offsets the first copy when it appears after the event had been sent under another id', () => {
    const reissue = makeCopy({ usageEventId: 'ue_1_r1', kind: 'reissue', copyDelta: 1 });
    const family = [makeCopy({ resendCount: RESEND_LIMIT }), reissue];
    expect(plan(family, { ue_1_r1: 1 })).toEqual({ kind: 'sound' });
    expect(plan(family, { ue_1: 1, ue_1_r1: 1 })).toEqual({ kind: 'add', gap: -1 });
  });

  it('ends in one copy whatever OpenMeter loses, doubles or delays, once it stops doing so', () => {
    const fate = fc.constantFrom('lost', 'once', 'twice', 'late', 'late twice');
    fc.assert(
      fc.property(fc.array(fate, { maxLength: 12 }), (fates) => {
        const family = [makeCopy()];
        const counts = new Map<string, number>();
        let late: [string, number][] = [];
        let minute = 0;
        const send = (copy: OutboxCopy) => {
          copy.status = 'sent';
          copy.sentAt = new Date(minute * MINUTE_MS);
          const happened = fates.shift() ?? 'once';
          const copies = happened.endsWith('twice') ? 2 : happened === 'lost' ? 0 : 1;
          if (happened.startsWith('late')) late.push([copy.usageEventId, copies]);
          else counts.set(copy.usageEventId, (counts.get(copy.usageEventId) ?? 0) + copies);
        };
        const [root] = family;
        if (root !== undefined) send(root);
        for (let round = 0; round < 60; round += 1) {
          minute += 40 * 32;
          const next = planFamilyRepair(family, counts, {
            now: new Date(minute * MINUTE_MS),
            graceMs: GRACE_MS,
            resendLimit: RESEND_LIMIT,
            passedAt: new Date(minute * MINUTE_MS),
          });
          if (next.kind === 'resend') {
            const copy = family.find((one) => one.usageEventId === next.usageEventId);
            if (copy === undefined) throw new Error('resends what it never sent');
            copy.resendCount += 1;
            send(copy);
          } else if (next.kind === 'add') {
            const copy = makeCopy({
              usageEventId: `ue_1_${family.length}`,
              kind: next.gap > 0 ? 'reissue' : 'correction',
              copyDelta: next.gap,
            });
            family.push(copy);
            send(copy);
          }
          // What was late arrives a few rounds on, when something else may have taken its place.
          if (round % 3 === 2) {
            for (const [id, copies] of late) counts.set(id, (counts.get(id) ?? 0) + copies);
            late = [];
          }
        }
        const held = family.reduce(
          (sum, copy) => sum + copy.copyDelta * (counts.get(copy.usageEventId) ?? 0),
          0,
        );
        expect(held).toBe(1);
      }),
    );
  });
});
