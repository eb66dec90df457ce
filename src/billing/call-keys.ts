import { sql } from 'kysely';
import type { Clock } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import type { CallKeys } from '../stripe/call-keys.ts';

/** Spent keys of calls to Stripe, in the ledger: each is committed before its successor is used. */
export function createCallKeys(database: LedgerDatabase, clock: Clock): CallKeys {
  return {
    async countSpent({ intent, content }) {
      const row = await database
        .selectFrom('stripe_call_keys')
        .select('spent_count')
        .where('intent', '=', intent)
        .where('content', '=', content)
        .executeTakeFirst();
      return row?.spent_count ?? 0;
    },
    async spend({ intent, content }, spentCount) {
      await sql`
        insert into stripe_call_keys as known (intent, content, spent_count, spent_at)
        values (${intent}, ${content}, ${spentCount}, ${clock.now()})
        on conflict (intent, content) do update
          set spent_count = excluded.spent_count, spent_at = excluded.spent_at
          where known.spent_count < excluded.spent_count`.execute(database);
    },
  };
}

/** Stripe forgets keys after a day or so; what is older than an instant says nothing any more. */
export async function dropSpentKeys(database: LedgerDatabase, spentBefore: Date): Promise<void> {
  await database.deleteFrom('stripe_call_keys').where('spent_at', '<', spentBefore).execute();
}
