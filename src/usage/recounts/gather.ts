import { sql } from 'kysely';
import type { Providers } from '../../../pricing/usage/providers.ts';
import type { TokenKind } from '../../../pricing/usage/shape.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { readSnapshot } from '../../platform/database/snapshot.ts';
import { keyColumns } from '../columns.ts';
import type { RecountCause } from './causes.ts';

/** The version of events that were counted by the former rules. */
const FORMER_COUNTING_VERSION = 1;
/** The reason of rows that tell parts of usage which was counted without them: only a person takes them up. */
export const COUNTED_FORMERLY = 'counted_formerly';

export interface RecountMaterial {
  /** `YYYY-MM`. */
  month: string;
  toldApart: {
    customerId: string | null;
    model: string;
    promptTokens: bigint;
    cachedTokens: bigint;
    /** What of the cached tokens was taken out of the prompt, hour by hour. */
    keptTokens: bigint;
  }[];
  untoldParts: { customerId: string | null; model: string; tokenKind: TokenKind; tokenCount: bigint }[];
  contradicting: { customerId: string | null; model: string; totalTokens: bigint; countedTokens: bigint }[];
  decided: { customerId: string; cause: RecountCause; state: 'approved' | 'rejected'; doneAt: Date | null }[];
}

/** Models with events of a month that the former rules counted, and whose maker tells cached tokens apart. */
export async function readApartModels(
  database: LedgerDatabase,
  month: string,
  providers: Providers,
): Promise<string[]> {
  const rows = await sql<{ model: string }>`
    select distinct model from usage_events where ${inMonth(month)} and ${IS_FORMER}`.execute(database);
  return rows.rows.flatMap(({ model }) => ((providers.ruleOf(model)?.apart.length ?? 0) > 0 ? [model] : []));
}

/** All that a month's recounts are decided from, as the ledger has it at one instant. */
export async function gatherRecounts(
  database: LedgerDatabase,
  given: { month: string; customerId?: string | undefined; providers: Providers },
): Promise<RecountMaterial> {
  const { month, customerId, providers } = given;
  const ofCustomer = customerId === undefined ? sql`true` : sql`s.customer_id = ${customerId}`;
  return await readSnapshot(database, async (snapshot) => {
    const models = await readApartModels(snapshot, month, providers);
    const toldApart = await sql<RecountMaterial['toldApart'][number]>`
      with hours as (
        select window_start, ${keyColumns()}, sum(prompt_token_count) as prompt, sum(cached_prompt_token_count) as cached
        from usage_events where ${inMonth(month)} and ${IS_FORMER} and model = any(${models}::text[])
        group by window_start, ${keyColumns()} having sum(cached_prompt_token_count) > 0)
      select s.customer_id as "customerId", h.model, sum(h.prompt)::bigint as "promptTokens",
        sum(h.cached)::bigint as "cachedTokens", sum(least(h.cached, h.prompt))::bigint as "keptTokens"
      from hours h left join subjects s on s.subject = h.subject where ${ofCustomer} group by 1, 2 order by 1, 2`.execute(
      snapshot,
    );
    const untoldParts = await sql<RecountMaterial['untoldParts'][number]>`
      select s.customer_id as "customerId", i.model, i.token_kind as "tokenKind", sum(i.token_count)::bigint as "tokenCount"
      from source_items i left join subjects s on s.subject = i.subject
      where i.quarantine_reason = ${COUNTED_FORMERLY} and i.written_off_at is null and ${ofCustomer}
        -- Others were approved, and are about to be taken up.
        and i.retry_requested_at is null and i.event_day >= ${monthStart(month)} and i.event_day < ${monthEnd(month)}
      group by 1, 2, 3 order by 1, 2, 3`.execute(snapshot);
    const contradicting = await sql<RecountMaterial['contradicting'][number]>`
      with minutes as (
        select ${keyColumns()}, sum(total_token_count) as total, sum(prompt_token_count + completion_token_count) as counted
        from usage_events where ${inMonth(month)} and ${IS_FORMER} and not model = any(${models}::text[])
        group by event_time, ${keyColumns()}
        having (sum(total_token_count) > 0 and sum(total_token_count) <> sum(prompt_token_count + completion_token_count))
          or sum(cached_prompt_token_count) > sum(prompt_token_count))
      select s.customer_id as "customerId", m.model, sum(m.total)::bigint as "totalTokens",
        sum(m.counted)::bigint as "countedTokens"
      from minutes m left join subjects s on s.subject = m.subject where ${ofCustomer} group by 1, 2 order by 1, 2`.execute(
      snapshot,
    );
    const decided = await sql<RecountMaterial['decided'][number]>`
      select s.customer_id as "customerId", s.cause, s.state, s.done_at as "doneAt" from recounts s
      where s.month = ${monthStart(month)} and ${ofCustomer}`.execute(snapshot);
    return {
      month,
      toldApart: toldApart.rows,
      untoldParts: untoldParts.rows,
      contradicting: contradicting.rows,
      decided: decided.rows,
    };
  });
}

/** What was given up is not counted again. */
export const IS_FORMER = sql`kind = 'usage' and counting_version = ${sql.lit(FORMER_COUNTING_VERSION)} and written_off_at is null`;

const monthStart = (month: string) => sql`${`${month}-01`}::date`;
const monthEnd = (month: string) => sql`(${`${month}-01`}::date + interval '1 month')::date`;

/** Events of a month in UTC. */
export function inMonth(month: string) {
  return sql`window_start >= ${monthStart(month)}::timestamp at time zone 'UTC'
    and window_start < ${monthEnd(month)}::timestamp at time zone 'UTC'`;
}
