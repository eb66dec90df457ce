import { sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { factsNow, factsOver } from './gather-facts.ts';

export interface GatheredAlerts {
  raisedCount: number;
  withdrawnCount: number;
  /** Whether anything is to be routed, sent or summed up: else there is nothing more to do. */
  hasWork: boolean;
}

/**
 * Raises what is to be told and was not yet, and withdraws or ends what is no longer so: one statement, which is all that a run
 * without news asks.
 */
export async function gatherAlerts(
  database: LedgerDatabase,
  { now, quarantineAfterMs }: { now: Date; quarantineAfterMs: number },
): Promise<GatheredAlerts> {
  const result = await sql<{ raised: bigint; withdrawn: bigint; hasWork: boolean }>`
    with current as materialized (${factsNow({ now, quarantineAfterMs })}),
    over as materialized (${factsOver(now)}),
    raised as (
      insert into alerts (kind, key, topic, is_standing, customer_id, audience, severity, facts, raised_at)
      select kind, key, coalesce(topic, key), topic is not null, customer_id, audience, severity, facts, ${now}
      from current
      where not exists (select from alerts as known where known.key = current.key)
        and not exists (select from alerts as known where known.topic = current.topic and is_standing and ended_at is null)
      order by key on conflict do nothing returning 1),
    ended as (
      update alerts set ended_at = ${now} from over where alerts.alert_id = over.alert_id),
    withdrawn as (
      insert into alerts (kind, key, topic, is_standing, customer_id, audience, severity, facts, withdraws_alert_id, ending, raised_at)
      select kind, 'end:' || alert_id, 'end:' || alert_id, false, customer_id, audience, severity, facts, alert_id, over.ending, ${now}
      from alerts join over using (alert_id) where over.ending is not null
      order by alert_id on conflict do nothing returning 1)
    select (select count(*) from raised) as raised, (select count(*) from withdrawn) as withdrawn,
      exists (select from raised) or exists (select from withdrawn)
        or exists (select from alerts where routed_at is null)
        or exists (select from alert_deliveries where state = 'waiting' and next_attempt_at <= ${now})
        or exists (select from alert_routes where ended_at is null and next_digest_at <= ${now}) as "hasWork"`.execute(
    database,
  );
  const { raised = 0n, withdrawn = 0n, hasWork = false } = result.rows[0] ?? {};
  return { raisedCount: Number(raised), withdrawnCount: Number(withdrawn), hasWork };
}
