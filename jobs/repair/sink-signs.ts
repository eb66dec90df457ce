import type { OutboxCopy } from '../../src/usage/events/repairs.ts';

/** The sends of one subject that are not visible and that nothing later shows to be lost. */
export interface Unproven {
  subject: string;
  /** One of the events: what a canary is modelled on. */
  event: OutboxCopy;
  firstSentAt: Date;
  lastSentAt: Date;
}

/** What one run has learnt about OpenMeter's sink. */
export interface SinkSigns {
  unprovenBySubject: Map<string, Unproven>;
  /** When the newest event was made of which it is known that OpenMeter has stored it. */
  seenUntil: Date | null;
}

/** A visible event says that the sink has passed everything sent for its subject before it was made. */
export function noteVisible(signs: SinkSigns, passedAt: Map<string, Date>, copy: OutboxCopy): void {
  const { subject, createdAt } = copy;
  passedAt.set(subject, latest(passedAt.get(subject) ?? null, createdAt));
  signs.seenUntil = latest(signs.seenUntil, createdAt);
}

export function noteUnproven(signs: SinkSigns, event: OutboxCopy, sentAt: Date): void {
  const known = signs.unprovenBySubject.get(event.subject);
  if (known === undefined) {
    const { subject } = event;
    signs.unprovenBySubject.set(subject, { subject, event, firstSentAt: sentAt, lastSentAt: sentAt });
    return;
  }
  if (sentAt < known.firstSentAt) known.firstSentAt = sentAt;
  if (sentAt > known.lastSentAt) known.lastSentAt = sentAt;
}

export function latest(one: Date | null, other: Date): Date {
  return one === null || other > one ? other : one;
}
