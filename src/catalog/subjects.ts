import { writeAudit } from '../platform/database/audit.ts';
import { camelRow } from '../platform/database/camel-row.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { TallystickError } from '../platform/errors.ts';
import { unknownCustomer } from './customers.ts';

export interface Subject {
  subject: string;
  /** Value of the tenant dimension it was first seen with; empty when none. */
  tenantKey: string;
  customerId: string | null;
  assignedBy: 'tenant' | 'person' | null;
  firstSeenAt: Date;
  updatedAt: Date;
}

/** Subjects in the order of their names, after a given one. */
export async function listSubjects(
  database: LedgerDatabase,
  filter: { customerId?: string; unassignedOnly?: boolean; afterSubject: string | null; limit: number },
): Promise<Subject[]> {
  let query = database.selectFrom('subjects').selectAll().orderBy('subject').limit(filter.limit);
  if (filter.customerId !== undefined) query = query.where('customer_id', '=', filter.customerId);
  if (filter.unassignedOnly === true) query = query.where('customer_id', 'is', null);
  if (filter.afterSubject !== null) query = query.where('subject', '>', filter.afterSubject);
  return (await query.execute()).map(camelRow);
}

/** @throws TallystickError NOT_FOUND */
export async function getSubject(database: LedgerDatabase, subject: string): Promise<Subject> {
  const row = await database
    .selectFrom('subjects')
    .selectAll()
    .where('subject', '=', subject)
    .executeTakeFirst();
  if (row === undefined) {
    throw new TallystickError('This subject has not been seen and is assigned to nobody.', {
      code: 'NOT_FOUND',
      retry: false,
    });
  }
  return camelRow(row);
}

export interface SubjectAssignment {
  subject: string;
  /** Null: nobody's. */
  customerId: string | null;
  actor: string;
  now: Date;
}

/**
 * Says whose a subject is (`customerId` null: nobody's), with an audit row in the same transaction. A subject
 * not seen yet may be assigned beforehand. Usage already billed stays where it is.
 * @throws TallystickError UNKNOWN_CUSTOMER
 */
export async function assignSubject(
  database: LedgerDatabase,
  assignment: SubjectAssignment,
): Promise<Subject> {
  return await database.transaction().execute((transaction) => assignSubjectWithin(transaction, assignment));
}

/** The same as a part of something larger. */
export async function assignSubjectWithin(
  transaction: LedgerTransaction,
  assignment: SubjectAssignment,
): Promise<Subject> {
  const { subject, customerId, actor, now } = assignment;
  if (customerId !== null) {
    const customer = await transaction
      .selectFrom('customers')
      .select('customer_id')
      .where('customer_id', '=', customerId)
      .where('deleted_at', 'is', null)
      .forShare()
      .executeTakeFirst();
    if (customer === undefined) throw unknownCustomer(customerId);
  }
  const before = await transaction
    .selectFrom('subjects')
    .select(['customer_id', 'assigned_by'])
    .where('subject', '=', subject)
    .forUpdate()
    .executeTakeFirst();
  const values = {
    customer_id: customerId,
    assigned_by: customerId === null ? null : ('person' as const),
    updated_at: now,
  };
  const row = await transaction
    .insertInto('subjects')
    .values({ subject, tenant_key: '', first_seen_at: now, ...values })
    .onConflict((conflict) => conflict.column('subject').doUpdateSet(values))
    .returningAll()
    .executeTakeFirstOrThrow();
  await writeAudit(transaction, {
    actor,
    action: 'subject.assign',
    target: subject,
    details: { before: before ?? null, after: { customer_id: customerId } },
    now,
  });
  return camelRow(row);
}
