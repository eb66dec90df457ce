import { sql } from 'kysely';
import type { LedgerTransaction } from '../../platform/database/database.ts';
import { countedColumn } from '../../usage/name-keys.ts';

/** How long an answer is kept by the policy fragment of `deploy/apim`: a call within it of an equal one is answered by the cache. */
export const CACHE_MINUTES = 5;
/** Fewer equal calls in a day are chance, or no matter. */
const LEAST_CALLS = 20;
/** Of all calls of a user's feature, in per cent, that have one size of prompt. */
const LEAST_PERCENT = 50;

/**
 * Keeps who sent prompts of one size again and again on a day, from rows of the source. A row of several calls speaks where its
 * tokens divide evenly among them: calls of one size do. How many a cache would have answered is the least there can be: all but
 * one in each five minutes of the clock.
 */
export async function keepRepeats(transaction: LedgerTransaction, day: string): Promise<void> {
  await sql`delete from repeated_prompts where day = ${day}::date`.execute(transaction);
  await sql`
    with calls as (
      select subject, feature, ${countedColumn('model', 'item')} as model, ${countedColumn('deployment', 'item')} as deployment,
        case when token_count % request_count = 0 then token_count / request_count end as size, request_count,
        floor(extract(epoch from event_time) / ${CACHE_MINUTES * 60}::int)::bigint as slot
      from source_items as item
      where event_day = ${day}::date and token_kind = 'prompt' and usage_event_id is not null and request_count > 0
        and token_count > 0),
    sizes as (
      select subject, feature, model, deployment, size, sum(request_count) as calls, count(distinct slot) as fills,
        sum(sum(request_count)) over users as all_calls,
        row_number() over (partition by subject, feature, model, deployment order by sum(request_count) desc, size) as place
      from calls group by 1, 2, 3, 4, 5
      window users as (partition by subject, feature, model, deployment))
    insert into repeated_prompts (day, subject, feature, model, deployment, call_count, prompt_token_count, repeated_call_count,
      cache_hit_count)
    select ${day}::date, subject, feature, model, deployment, all_calls, size, calls, calls - fills from sizes
    where place = 1 and size is not null and calls >= ${LEAST_CALLS} and calls * 100 >= all_calls * ${LEAST_PERCENT} and calls > fills`.execute(
    transaction,
  );
}
