import { sql } from 'kysely';
import type { LedgerDatabase } from './database.ts';
import { holding } from './like-pattern.ts';
import type { LedgerRow } from './schema/schema.ts';

/** One act, as it was written down. */
export interface AuditRecord {
  auditId: bigint;
  actor: string;
  action: string;
  target: string;
  details: unknown;
  at: Date;
}

export interface AuditFilter {
  /** Any part of who did it; case does not matter. */
  actor?: string | undefined;
  action?: string | undefined;
  /** Any part of what it was done to. */
  target?: string | undefined;
  /** Exactly one of these. */
  targets?: readonly string[] | undefined;
}

/** Acts, the newest first unless asked otherwise. */
export async function listAudit(
  database: LedgerDatabase,
  filter: AuditFilter,
  page: { limit: number; offset?: number; after?: bigint | null; isOldestFirst?: boolean },
): Promise<AuditRecord[]> {
  const isOldestFirst = page.isOldestFirst ?? false;
  let query = matching(database, filter)
    .selectAll()
    .orderBy('audit_id', isOldestFirst ? 'asc' : 'desc')
    .limit(page.limit)
    .offset(page.offset ?? 0);
  if (page.after !== undefined && page.after !== null) {
    query = query.where('audit_id', isOldestFirst ? '>' : '<', page.after);
  }
  return (await query.execute()).map(toRecord);
}

/** How many there are. */
export async function countAudit(database: LedgerDatabase, filter: AuditFilter): Promise<number> {
  const { count } = await matching(database, filter)
    .select(({ fn }) => fn.countAll<bigint>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Every kind of act that was ever written down, in order. */
export async function listAuditActions(database: LedgerDatabase): Promise<string[]> {
  const rows = await database.selectFrom('audit_log').select('action').distinct().orderBy('action').execute();
  return rows.map(({ action }) => action);
}

function matching(database: LedgerDatabase, { actor, action, target, targets }: AuditFilter) {
  let query = database.selectFrom('audit_log');
  if (actor !== undefined) query = query.where('actor', 'ilike', holding(actor));
  if (action !== undefined) query = query.where('action', '=', action);
  if (target !== undefined) query = query.where('target', 'ilike', holding(target));
  if (targets !== undefined) query = query.where(sql<boolean>`target = any(${[...targets]}::text[])`);
  return query;
}

function toRecord(row: LedgerRow<'audit_log'>): AuditRecord {
  const { audit_id: auditId, actor, action, target, details, created_at: at } = row;
  return { auditId, actor, action, target, details, at };
}
