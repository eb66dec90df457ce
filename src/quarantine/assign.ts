import { sql } from 'kysely';
import { releaseQuarantine } from '../catalog/release-held-usage.ts';
import { assignSubjectWithin } from '../catalog/subjects.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { ValidationError } from '../platform/errors.ts';
import { audit, getWaitingEntry, resolvedMeanwhile } from './desk.ts';
import type { QuarantineEntry } from './entries.ts';

/** What a customer cures: usage that has none, or another than its tenant says. */
const CURED_BY_CUSTOMER: Record<string, readonly string[]> = {
  source_item: ['no_subject', 'tenant_mismatch'],
  hourly_usage: ['no_customer', 'no_stripe_customer'],
};

/** Whether saying whose it is lets an entry go on. */
export function isCuredByCustomer({ stage, reason }: Pick<QuarantineEntry, 'stage' | 'reason'>): boolean {
  return CURED_BY_CUSTOMER[stage]?.includes(reason) === true;
}

/** The subject that stands for usage without one, once a person said whose it is. */
function unattributedSubject(customerId: string): string {
  return `unattributed:${customerId}`;
}

/**
 * Says whose an entry is: its subject becomes the customer's, with all that waits for it. Usage that named no
 * subject gets one that stands for the customer's unattributed usage. All of it or nothing, and audited.
 * @returns the entry, its subject now, and the tokens of settled usage taken up at once; source items follow with
 *   the next synchronization
 * @throws ValidationError when a customer does not cure the reason; TallystickError UNKNOWN_CUSTOMER, NOT_FOUND, CONFLICT
 */
export async function assignEntry(
  database: LedgerDatabase,
  given: { quarantineId: string; customerId: string; actor: string; now: Date },
): Promise<{ entry: QuarantineEntry; subject: string; releasedTokenCount: bigint }> {
  const { customerId, actor, now } = given;
  const entry = await getWaitingEntry(database, given.quarantineId);
  if (!isCuredByCustomer(entry)) {
    throw new ValidationError(
      'id',
      `waits because of ${entry.reason}, which a customer does not cure`,
      'Retry it when its cause is gone, or write it off.',
    );
  }
  const hasNoSubject = entry.reason === 'no_subject';
  const subject = hasNoSubject ? unattributedSubject(customerId) : entry.subject;
  await database.transaction().execute(async (transaction) => {
    await assignSubjectWithin(transaction, { subject, customerId, actor, now });
    if (entry.stage === 'source_item') {
      const changed = await sql`
        update source_items set retry_requested_at = ${now}
          ${hasNoSubject ? sql`, subject = ${subject}, tenant_key = ''` : sql``}
        where quarantine_number = ${entry.key.row}::bigint and quarantine_reason is not null and written_off_at is null`.execute(
        transaction,
      );
      if (changed.numAffectedRows !== 1n) throw resolvedMeanwhile(given.quarantineId);
    }
    await audit(transaction, 'quarantine.assign', entry, given, { customer_id: customerId, subject });
  });
  return { entry, subject, releasedTokenCount: await releaseQuarantine(database, { actor, now }) };
}
