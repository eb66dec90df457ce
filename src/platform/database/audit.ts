import type { LedgerTransaction } from './database.ts';

export interface AuditEntry {
  /**
   * Who: `key:<name> (<id>)` for the API, `command line (<user>@<host>)`, `job:<step>` for what needed nobody,
   * `tallystick` for what is shipped.
   */
  actor: string;
  /** What, as `noun.verb`. */
  action: string;
  /** To whom. */
  target: string;
  /** What it was and what it became. */
  details: Record<string, unknown>;
  now: Date;
}

/** So many that a statement stays below Postgres' number of parameters. */
const ROWS_PER_INSERT = 1_000;

/** Writes down an act, in the transaction of the act: neither exists without the other. */
export async function writeAudit(transaction: LedgerTransaction, entry: AuditEntry): Promise<void> {
  await writeAudits(transaction, [entry]);
}

/** Several of one transaction. */
export async function writeAudits(
  transaction: LedgerTransaction,
  entries: readonly AuditEntry[],
): Promise<void> {
  for (let index = 0; index < entries.length; index += ROWS_PER_INSERT) {
    await transaction
      .insertInto('audit_log')
      .values(
        entries.slice(index, index + ROWS_PER_INSERT).map((entry) => ({
          actor: entry.actor,
          action: entry.action,
          target: entry.target,
          details: JSON.stringify(entry.details),
          created_at: entry.now,
        })),
      )
      .execute();
  }
}
