import type { LedgerTransaction } from './database.ts';

export interface AuditEntry {
  /** Who: `key:<name> (<id>)` for the API. */
  actor: string;
  /** What, as `noun.verb`. */
  action: string;
  /** To whom. */
  target: string;
  /** What it was and what it became. */
  details: Record<string, unknown>;
  now: Date;
}

/** Writes down a person's act, in the transaction of the act: neither exists without the other. */
export async function writeAudit(transaction: LedgerTransaction, entry: AuditEntry): Promise<void> {
  await transaction
    .insertInto('audit_log')
    .values({
      actor: entry.actor,
      action: entry.action,
      target: entry.target,
      details: JSON.stringify(entry.details),
      created_at: entry.now,
    })
    .execute();
}
