import { type RawBuilder, sql } from 'kysely';
import type { TimeWindow } from '../../platform/clock.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { IS_COUNTED_ITEM } from '../columns.ts';
import { countedColumn } from '../name-keys.ts';
import {
  type CoverageCounts,
  type CoverageSources,
  explainDifferences,
  type SourceDifference,
} from './reasons.ts';

/** What each source saw of one hour and model. Counts are of everything seen, in quarantine or not. */
export interface CoverageRow {
  windowStart: Date;
  model: string;
  billing: { tokenCount: bigint; requestCount: bigint };
  /** Null where no control is collected. */
  control: { tokenCount: bigint; requestCount: bigint } | null;
  differences: SourceDifference[];
}

export type CoverageTotals = Omit<CoverageRow, 'windowStart' | 'model'>;

interface CountRow extends Record<keyof CoverageCounts, bigint> {
  hour: Date;
  model: string;
}

/** The source that bills and the control, as the ledger last collected them. */
export async function readCoverageSources(database: LedgerDatabase): Promise<CoverageSources> {
  const [billing] = await database
    .selectFrom('watermarks')
    .selectAll()
    // Watermarks of other work, such as the rescan's, have a prefix.
    .where('source', 'not like', '%:%')
    .orderBy('updated_at', 'desc')
    .limit(1)
    .execute();
  const [control] = await database
    .selectFrom('control_watermarks')
    .selectAll()
    .orderBy('updated_at', 'desc')
    .limit(1)
    .execute();
  const describe = (mark: { source: string; position: Date } | undefined) =>
    mark === undefined ? null : { source: mark.source, collectedThrough: mark.position };
  return { billing: describe(billing), control: describe(control) };
}

/**
 * The window by hour and model, in that order; `after` are both of the last row of the page before. Requests
 * cannot be paired (a metric row has no request id), so each pair of totals is compared and explained by what
 * the request-level log says of its requests.
 */
export async function queryCoverage(
  database: LedgerDatabase,
  sources: CoverageSources,
  query: { window: TimeWindow; after: { hour: Date; model: string } | null; limit: number },
): Promise<CoverageRow[]> {
  const { after } = query;
  const found = await sql<CountRow>`
    ${countsOf(sources, query.window)}
    select * from counts
    where ${after === null ? sql`true` : sql`(hour, model collate "C") > (${after.hour}, ${after.model} collate "C")`}
    order by hour, model collate "C" limit ${query.limit}`.execute(database);
  return found.rows.map((row) => ({
    windowStart: row.hour,
    model: row.model,
    ...describeCounts(sources, row, row.hour),
  }));
}

/** The same of the whole window; what one source missed in one hour is not made good by another hour. */
export async function readCoverageTotals(
  database: LedgerDatabase,
  sources: CoverageSources,
  window: TimeWindow,
): Promise<CoverageTotals> {
  const found = await sql<CountRow>`
    ${countsOf(sources, window)}
    select ${sql.join(COUNT_NAMES.map((name) => sql`coalesce(sum(${sql.ref(name)}), 0)::bigint as ${sql.ref(name)}`))}
    from counts`.execute(database);
  const row =
    found.rows[0] ?? (Object.fromEntries(COUNT_NAMES.map((name) => [name, 0n])) as unknown as CountRow);
  return describeCounts(sources, row, null);
}

function describeCounts(sources: CoverageSources, counts: CoverageCounts, hour: Date | null): CoverageTotals {
  const { billingTokens, billingRequests, controlTokens, controlRequests } = counts;
  return {
    billing: { tokenCount: billingTokens, requestCount: billingRequests },
    control: sources.control === null ? null : { tokenCount: controlTokens, requestCount: controlRequests },
    differences: explainDifferences(sources, counts, hour),
  };
}

const COUNT_NAMES = [
  'billingTokens',
  'billingRequests',
  'controlTokens',
  'controlRequests',
  'missingInBilling',
  'missingInControl',
  'silentStreams',
  'silentRequests',
  'failedRequests',
  'streams',
  'streamTokens',
  'untracedRequests',
  'untracedTokens',
  'unjoinedRequests',
  'unjoinedTokens',
  'repeatedRequests',
  'repeatedTokens',
] as const satisfies readonly (keyof CoverageCounts)[];

/** Named `counts`: one row for each hour and model of the window that either source saw. */
function countsOf(sources: CoverageSources, window: TimeWindow): RawBuilder<unknown> {
  const { start, end } = window;
  const hour = sql`date_trunc('hour', event_time, 'UTC')`;
  // Of a day whose single items are gone there is nothing to compare, what waits in quarantine least of all.
  const inside = sql`event_time >= ${start} and event_time < ${end}
    and event_day not in (select event_day from dropped_item_days)`;
  // The total row stands for the request; of the first of a request's items it counts one.
  const requests = (condition: RawBuilder<unknown>) =>
    sql`coalesce(sum(request_count) filter (where token_kind = 'total' and ${condition}), 0)::bigint`;
  const tokens = (condition: RawBuilder<unknown>) =>
    sql`coalesce(sum(token_count) filter (where ${IS_COUNTED_ITEM} and ${condition}), 0)::bigint`;
  const fact = (name: string) => sql`coalesce((request_facts ->> ${sql.lit(name)})::boolean, false)`;
  const logged = sql`request_facts is not null and fault is distinct from 'request_failed'`;
  const silent = sql`fault = 'no_token_count'`;
  const unjoined = sql`${logged} and not ${fact('hasGatewayLog')}`;
  const untraced = sql`${logged} and ${fact('hasGatewayLog')} and not ${fact('hasTrace')}`;
  // A request whose caller is unknown goes by the model that answered, not by the name that the metrics have.
  const nameless = sql`("untracedRequests" + "unjoinedRequests")`;
  const logBills = sources.billing?.source === 'llm-log';
  const counted = sql`fault is distinct from 'request_failed'`;
  return sql`
    with seen as (
      select 'billing' as side, ${hour} as hour, ${countedColumn('model')} as model, token_kind, counts_apart, token_count, request_count,
             quarantine_reason as fault, request_facts
        from source_items
       where event_day >= (${start}::timestamptz at time zone 'UTC')::date
         and event_day <= (${end}::timestamptz at time zone 'UTC')::date and ${inside}
      union all
      select 'control', ${hour}, ${countedColumn('model')}, token_kind, counts_apart, token_count, request_count, fault, request_facts
        from control_items where source = ${sources.control?.source ?? ''} and ${inside}
    ), sums as (
      select hour, model,
        ${tokens(sql`side = 'billing'`)} as "billingTokens",
        ${requests(sql`side = 'billing' and ${counted}`)} as "billingRequests",
        ${tokens(sql`side = 'control'`)} as "controlTokens",
        ${requests(sql`side = 'control' and ${counted}`)} as "controlRequests",
        ${requests(sql`${silent} and ${fact('isStream')}`)} as "silentStreams",
        ${requests(sql`${silent} and not ${fact('isStream')}`)} as "silentRequests",
        ${requests(sql`fault = 'request_failed'`)} as "failedRequests",
        ${requests(sql`${logged} and ${fact('isStream')} and ${fact('hasTokens')}`)} as streams,
        ${tokens(sql`${logged} and ${fact('isStream')} and ${fact('hasTokens')}`)} as "streamTokens",
        ${requests(untraced)} as "untracedRequests", ${tokens(untraced)} as "untracedTokens",
        ${requests(unjoined)} as "unjoinedRequests", ${tokens(unjoined)} as "unjoinedTokens",
        ${requests(sql`(request_facts ->> 'repeatedTokenCount')::bigint > 0`)} as "repeatedRequests",
        coalesce(sum((request_facts ->> 'repeatedTokenCount')::bigint)
          filter (where token_kind = 'total' and request_count > 0), 0)::bigint as "repeatedTokens"
      from seen group by hour, model
    ), counts as (
      select *, greatest("controlRequests" - "billingRequests"${logBills ? sql`` : sql` - ${nameless}`}, 0) as "missingInBilling",
        greatest("billingRequests" - "controlRequests"${logBills ? sql` - ${nameless}` : sql``}, 0) as "missingInControl"
      from sums)`;
}
