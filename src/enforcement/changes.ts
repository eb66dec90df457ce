import { sql } from 'kysely';
import type { ChangeFeed } from '../platform/database/change-feed.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';

/** What is notified by the triggers of `enforcement_changes`. */
export const ENFORCEMENT_CHANNEL = 'tallystick_enforcement';

/** Where no change is heard of, it is asked after at most so often, and only while somebody asks us. */
const ASK_EVERY_MS = 250;

/** Says whether anything may have changed. */
export interface ChangeWatch {
  /** A text that differs after every change: of how many it was told, or what the ledger says. */
  mark(): Promise<string>;
}

/** @param feed absent, or deaf: the ledger is asked, by one small statement for all who ask at once */
export function watchChanges(
  database: LedgerDatabase,
  { feed, askEveryMs = ASK_EVERY_MS }: { feed?: ChangeFeed | undefined; askEveryMs?: number | undefined },
): ChangeWatch {
  let asked: { atMs: number; mark: Promise<string> } | null = null;
  return {
    mark: async () => {
      const heard = feed?.heard() ?? null;
      if (heard !== null) return `heard ${heard}`;
      const nowMs = performance.now();
      if (asked === null || nowMs - asked.atMs >= askEveryMs) {
        const mark = readMark(database);
        const asking = { atMs: nowMs, mark };
        asked = asking;
        mark.catch(() => {
          if (asked === asking) asked = null;
        });
      }
      return await asked.mark;
    },
  };
}

async function readMark(database: LedgerDatabase | LedgerTransaction): Promise<string> {
  const { rows } = await sql<{ mark: string }>`
    select concat_ws(' ', count(*), max(transaction_id), max(changed_at)) as mark from enforcement_changes`.execute(
    database,
  );
  return rows[0]?.mark ?? '';
}
