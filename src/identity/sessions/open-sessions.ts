import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { IS_ALIVE } from './sessions.ts';

/** How many browsers are signed in with each key, by the key's id. */
export async function countOpenSessions(snapshot: LedgerSnapshot): Promise<ReadonlyMap<string, number>> {
  const rows = await snapshot
    .selectFrom('console_sessions')
    .select(({ fn }) => ['api_key_id', fn.countAll<bigint>().as('count')])
    .where(IS_ALIVE)
    .groupBy('api_key_id')
    .execute();
  return new Map(rows.map(({ api_key_id: apiKeyId, count }) => [apiKeyId, Number(count)]));
}
