import { sql } from 'kysely';
import { addMs, type TimeWindow } from '../../platform/clock.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';

/** One user's feature that sends the same prompt again and again, in a window. */
export interface RepeatedPrompt {
  /** Null: nobody's. */
  customerId: string | null;
  customerName: string;
  subject: string;
  feature: string;
  model: string;
  deployment: string;
  /** Days on which it did. */
  dayCount: number;
  /** Of these days: all calls, those of one size, and those that a cache of five minutes would have answered. */
  callCount: bigint;
  repeatedCallCount: bigint;
  cacheHitCount: bigint;
  /** Of its last day. */
  promptTokenCount: bigint;
  /** What the calls that a cache answers have cost, at the mean of a call; null: their cost is unknown. */
  savingPicoUsd: bigint | null;
}

const MOST = 200;

/**
 * Who sent the same prompt again and again in a window of whole days, those that a cache would save most first.
 * @param customerId of this one alone
 */
export async function readRepeats(
  database: LedgerDatabase,
  window: TimeWindow,
  customerId: string | null = null,
): Promise<RepeatedPrompt[]> {
  const from = window.start.toISOString().slice(0, 10);
  const through = addMs(window.end, -1).toISOString().slice(0, 10);
  const result = await sql<
    Omit<RepeatedPrompt, 'savingPicoUsd' | 'callCount' | 'repeatedCallCount' | 'cacheHitCount'> &
      Record<'calls' | 'repeated' | 'hits', string> & { saving: string | null }
  >`
    with repeats as materialized (
      select * from repeated_prompts where day between ${from}::date and ${through}::date),
    costs as (
      select day, subject, feature, model, deployment, sum(cost_pico_usd) as cost, bool_or(cost_pico_usd is null) as is_unknown,
        sum(request_count) as requests
      from daily_users where day between ${from}::date and ${through}::date and subject in (select subject from repeats)
      group by 1, 2, 3, 4, 5)
    select subjects.customer_id as "customerId", coalesce(customers.name, subjects.customer_id, '') as "customerName", subject,
      feature, model, deployment, count(*)::int as "dayCount", sum(call_count)::text as calls,
      sum(repeated_call_count)::text as repeated, sum(cache_hit_count)::text as hits,
      (array_agg(prompt_token_count order by day desc))[1] as "promptTokenCount",
      case when bool_and(not is_unknown and requests > 0)
        then sum(div(cost * cache_hit_count, nullif(requests, 0)))::text end as saving
    from repeats left join costs using (day, subject, feature, model, deployment)
    left join subjects using (subject) left join customers on customers.customer_id = subjects.customer_id
    where ${customerId === null ? sql`true` : sql`subjects.customer_id = ${customerId}`}
    group by 1, 2, 3, 4, 5, 6
    order by sum(div(cost * cache_hit_count, nullif(requests, 0))) desc nulls last, sum(cache_hit_count) desc, subject, feature
    limit ${MOST}`.execute(database);
  return result.rows.map(({ calls, repeated, hits, saving, ...row }) => ({
    ...row,
    callCount: BigInt(calls),
    repeatedCallCount: BigInt(repeated),
    cacheHitCount: BigInt(hits),
    savingPicoUsd: saving === null ? null : BigInt(saving),
  }));
}
