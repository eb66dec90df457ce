import { sql } from 'kysely';
import type { LedgerTransaction } from '../../platform/database/database.ts';
import { countedColumn } from '../../usage/name-keys.ts';

/**
 * Keeps what each customer asked of each deployment on a day, and of it in the minute in which the deployment had most to do, and in
 * its own busiest; from rows of the source, prompts and answers alike. What is nobody's has no name.
 */
export async function keepNoise(transaction: LedgerTransaction, day: string): Promise<void> {
  await sql`delete from deployment_loads where day = ${day}::date`.execute(transaction);
  await sql`
    with minutes as materialized (
      select ${countedColumn('deployment', 'item')} as deployment, coalesce(subjects.customer_id, '') as customer_id,
        date_trunc('minute', event_time) as minute, sum(token_count) as tokens,
        sum(request_count) filter (where token_kind = 'prompt') as requests
      from source_items as item left join subjects using (subject)
      where event_day = ${day}::date and token_kind in ('prompt', 'completion') and usage_event_id is not null
      group by 1, 2, 3),
    busiest as (
      select distinct on (deployment) deployment, minute, tokens from (
        select deployment, minute, sum(tokens) as tokens from minutes group by 1, 2) as whole
      order by deployment, tokens desc, minute)
    insert into deployment_loads (day, deployment, customer_id, token_count, request_count, busiest_minute_token_count,
      token_count_in_busiest, busiest_minute)
    select ${day}::date, minutes.deployment, customer_id, sum(minutes.tokens), coalesce(sum(requests), 0), max(minutes.tokens),
      coalesce(sum(minutes.tokens) filter (where minutes.minute = busiest.minute), 0), busiest.minute
    from minutes join busiest using (deployment) group by 1, 2, 3, busiest.minute
    having sum(minutes.tokens) > 0`.execute(transaction);
}
