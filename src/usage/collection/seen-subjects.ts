import { sql } from 'kysely';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import type { SourceItem } from './source-items.ts';

/** Subjects seen for the first time, with the tenant they were seen with. */
export async function insertNewSubjects(
  transaction: LedgerTransaction,
  items: readonly SourceItem[],
  now: Date,
): Promise<void> {
  const tenantBySubject = new Map<string, string>();
  for (const { row, quarantineReason } of items) {
    if (quarantineReason === null && !tenantBySubject.get(row.subject))
      tenantBySubject.set(row.subject, row.tenantKey);
  }
  if (tenantBySubject.size === 0) return;
  // A subject first seen without a tenant takes the first tenant it is seen with.
  await sql`
    insert into subjects as known (subject, tenant_key, customer_id, assigned_by, first_seen_at, updated_at)
    select seen.subject, seen.tenant_key, c.customer_id, case when c.customer_id is null then null else 'tenant' end, ${now}, ${now}
    from unnest(${[...tenantBySubject.keys()]}::text[], ${[...tenantBySubject.values()]}::text[]) as seen(subject, tenant_key)
    left join customers c on c.tenant_key = seen.tenant_key and c.deleted_at is null
    order by seen.subject
    on conflict (subject) do update
      set tenant_key = excluded.tenant_key, updated_at = excluded.updated_at,
          customer_id = coalesce(known.customer_id, excluded.customer_id),
          assigned_by = coalesce(known.assigned_by, excluded.assigned_by)
      where known.tenant_key = '' and excluded.tenant_key <> ''`.execute(transaction);
}

/** The ledger's tenants of these subjects, null for those assigned by a person: they may use any tenant. */
export async function readSubjectTenants(
  database: LedgerDatabase,
  subjects: readonly string[],
): Promise<Map<string, string | null>> {
  if (subjects.length === 0) return new Map();
  const rows = await database
    .selectFrom('subjects')
    .select(['subject', 'tenant_key', 'assigned_by'])
    .where(sql<boolean>`subject = any(${subjects}::text[])`)
    .where((where) => where.or([where('assigned_by', '=', 'person'), where('tenant_key', '<>', '')]))
    .execute();
  return new Map(rows.map((row) => [row.subject, row.assigned_by === 'person' ? null : row.tenant_key]));
}
