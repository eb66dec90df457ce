import { sql } from 'kysely';
import type { MeteringCustomer } from '../openmeter/port.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { type LedgerSnapshot, readSnapshot } from '../platform/database/snapshot.ts';

/** What a person chose for a customer. */
export const ATTRIBUTION_CHOICES = ['automatic', 'ledger'] as const;
export type AttributionChoice = (typeof ATTRIBUTION_CHOICES)[number];

/**
 * OpenMeter sends a changed customer to Kafka as one message of at most 1 MB, its subject keys included: ids of twenty bytes
 * reach this limit at 40,000, ids of a GUID's length at 20,000.
 */
export const SUBJECT_BYTES_MAX = 800_000;
/** A customer goes back to subject keys only below this part of the limit, lest it move to and fro with single users. */
const RETURN_PERCENT = 90;

export interface AttributionSize {
  choice: AttributionChoice;
  subjectCount: number;
  /** Of the subjects as JSON, with their commas. */
  subjectByteCount: number;
  /** It had too many of them before. */
  hadTooMany: boolean;
}

/** Why OpenMeter is to have no subject key of this customer; null: it gets all of them. */
export function withholdsSubjects(
  size: AttributionSize,
  subjectsMax: number,
): 'chosen' | 'too_many_subjects' | null {
  if (size.choice === 'ledger') return 'chosen';
  const percent = size.hadTooMany ? RETURN_PERCENT : 100;
  const isTooMany =
    size.subjectCount * 100 > subjectsMax * percent ||
    size.subjectByteCount * 100 > SUBJECT_BYTES_MAX * percent;
  return isTooMany ? 'too_many_subjects' : null;
}

/** A customer as OpenMeter is to have it. */
export interface AttributedCustomer extends MeteringCustomer {
  subjectCount: number;
  withheld: 'chosen' | 'too_many_subjects' | null;
}

/**
 * Every customer with the subjects that OpenMeter should attribute to it. Customers without subjects and deleted ones are
 * among them, with none: OpenMeter must let go of what they had. Subjects that it is not to have are not read.
 */
export async function readAttributedCustomers(
  database: LedgerDatabase,
  subjectsMax: number,
): Promise<AttributedCustomer[]> {
  return await readSnapshot(database, async (snapshot) => {
    const sizes = await readSizes(snapshot);
    const withheld = new Map(sizes.map((row) => [row.customerId, withholdsSubjects(row, subjectsMax)]));
    const attributed = sizes.filter((row) => row.subjectCount > 0 && withheld.get(row.customerId) === null);
    const keys = await readSubjectKeys(
      snapshot,
      attributed.map((row) => row.customerId),
    );
    return sizes.map(({ customerId, name, stripeCustomerId, subjectCount }) => ({
      customerId,
      name,
      stripeCustomerId,
      subjectCount,
      subjectKeys: keys.get(customerId) ?? [],
      withheld: withheld.get(customerId) ?? null,
    }));
  });
}

/** Customers that have nearly more users than OpenMeter gets, the largest first. */
export async function readLargeCustomers(
  snapshot: LedgerSnapshot,
  subjectsMax: number,
): Promise<{ customerId: string; subjectCount: number }[]> {
  const sizes = await readSizes(snapshot);
  return sizes
    .filter(
      (size) =>
        withholdsSubjects(size, subjectsMax) === null &&
        withholdsSubjects({ ...size, hadTooMany: true }, subjectsMax) !== null,
    )
    .toSorted((left, right) => right.subjectCount - left.subjectCount)
    .map(({ customerId, subjectCount }) => ({ customerId, subjectCount }));
}

type CustomerSize = AttributionSize & Omit<MeteringCustomer, 'subjectKeys'>;

async function readSizes(snapshot: LedgerSnapshot): Promise<CustomerSize[]> {
  const rows = await sql<CustomerSize>`
    select c.customer_id as "customerId", c.name, c.stripe_customer_id as "stripeCustomerId", c.attribution as choice,
      coalesce(s.subject_count, 0)::float8 as "subjectCount", coalesce(s.byte_count, 0)::float8 as "subjectByteCount",
      coalesce(a.reason = 'too_many_subjects', false) as "hadTooMany"
    from customers c
    left join (
      select customer_id, count(*) as subject_count, sum(octet_length(to_json(subject)::text) + 1) as byte_count
      from subjects group by customer_id) s on s.customer_id = c.customer_id and c.deleted_at is null
    left join customer_attributions a on a.customer_id = c.customer_id
    order by c.customer_id`.execute(snapshot);
  return rows.rows;
}

async function readSubjectKeys(
  snapshot: LedgerSnapshot,
  customerIds: readonly string[],
): Promise<Map<string, string[]>> {
  const rows = await sql<{ customerId: string; subjectKeys: string[] }>`
    select customer_id as "customerId", array_agg(subject order by subject) as "subjectKeys" from subjects
    where customer_id = any(${[...customerIds]}::text[]) group by customer_id`.execute(snapshot);
  return new Map(rows.rows.map((row) => [row.customerId, row.subjectKeys]));
}
