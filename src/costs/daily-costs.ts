import { sql } from 'kysely';
import type { PricedKind, PriceSegment } from '../../pricing/prices/segments.ts';
import type { TokenType } from '../../pricing/usage/shape.ts';
import { addMs, DAY_MS, type TimeWindow } from '../platform/clock.ts';
import type { LedgerTransaction } from '../platform/database/database.ts';
import { countedColumn } from '../usage/name-keys.ts';
import { CUSTOMER_OF_COST } from './customers.ts';

/** What a day cost, as far as it is known. */
export interface DayTotals {
  revision: bigint;
  tokenCount: bigint;
  knownCostPicoUsd: bigint;
  /** Tokens whose cost is unknown. */
  unknownTokenCount: bigint;
}

/** A cost that was worked out outside the database: a share of capacity, or what nobody used of it. */
export interface AllocatedCost {
  kind: 'provisioned' | 'idle';
  customerId: string | null;
  model: string;
  feature: string;
  deployment: string;
  tokenType: TokenType | null;
  tokenCount: bigint;
  costPicoUsd: bigint;
  reference: string;
  notes: string[];
}

/** Hours of a deployment that are paid by capacity, not by the token. */
export interface ProvisionedHours extends TimeWindow {
  deployment: string;
}

/** The UTC day as a window. */
export function windowOfDay(day: string): TimeWindow {
  const start = new Date(`${day}T00:00:00Z`);
  return { start, end: addMs(start, DAY_MS) };
}

/** Locks a day against other ratings and says what it cost so far; `revision` 0: it was never rated. */
export async function lockCostDay(transaction: LedgerTransaction, day: string): Promise<DayTotals> {
  await sql`insert into cost_days (day, revision, price_book_version, rated_at) values (${day}, 0, '', 'epoch')
            on conflict (day) do nothing`.execute(transaction);
  const row = await transaction
    .selectFrom('cost_days')
    .selectAll()
    .where('day', '=', day)
    .forUpdate()
    .executeTakeFirstOrThrow();
  return {
    revision: row.revision,
    tokenCount: row.token_count,
    knownCostPicoUsd: BigInt(row.known_cost_pico_usd),
    unknownTokenCount: row.unknown_token_count,
  };
}

/** The kinds of usage in a window: what needs a price. */
export async function readPricedKinds(
  transaction: LedgerTransaction,
  window: TimeWindow,
): Promise<PricedKind[]> {
  const result = await sql<PricedKind>`
    select distinct model, deployment, token_type as "tokenType" from hourly_usage
    where window_start >= ${window.start} and window_start < ${window.end}`.execute(transaction);
  return result.rows;
}

/**
 * Replaces what is stored of a day: usage priced by the token in one statement, and what was allocated beside it.
 * @param segments prices of every kind of usage in the day; @param provisioned hours left out, being allocated
 */
export async function replaceDailyCosts(
  transaction: LedgerTransaction,
  day: string,
  rated: {
    segments: readonly PriceSegment[];
    provisioned: readonly ProvisionedHours[];
    allocated: readonly AllocatedCost[];
    priceBookVersion: string;
    now: Date;
  },
): Promise<DayTotals> {
  const { start, end } = windowOfDay(day);
  const { segments, provisioned, now, priceBookVersion } = rated;
  await transaction.deleteFrom('daily_costs').where('day', '=', day).execute();
  await sql`
    with priced as materialized (
      select * from unnest(${segments.map((segment) => segment.model)}::text[],
        ${segments.map((segment) => segment.deployment)}::text[],
        ${segments.map((segment) => segment.tokenType)}::text[],
        ${segments.map((segment) => segment.start.toISOString())}::timestamptz[],
        ${segments.map((segment) => segment.end.toISOString())}::timestamptz[],
        ${segments.map((segment) => segment.picoUsdPerToken?.toString() ?? null)}::numeric[],
        ${segments.map((segment) => segment.reason)}::text[],
        ${segments.map((segment) => segment.reference)}::text[],
        ${segments.map((segment) => segment.notes.join(' '))}::text[])
        as price(model, deployment, token_type, starts_at, ends_at, pico_usd, reason, reference, notes)),
    summed as (
      select ${CUSTOMER_OF_COST} as customer_id, ${countedColumn('model', 'usage')} as model, usage.feature,
        ${countedColumn('deployment', 'usage')} as deployment, usage.token_type,
        price.pico_usd, price.reason, price.reference, price.notes, sum(usage.delta_token_count) as token_count
      from hourly_usage as usage
      left join subjects on subjects.subject = usage.subject
      join priced as price on price.model = usage.model and price.deployment = usage.deployment
        and price.token_type = usage.token_type
        and usage.window_start >= price.starts_at and usage.window_start < price.ends_at
      where usage.window_start >= ${start} and usage.window_start < ${end}
        and not exists (
          select 1 from unnest(${provisioned.map((hours) => hours.deployment)}::text[],
            ${provisioned.map((hours) => hours.start.toISOString())}::timestamptz[],
            ${provisioned.map((hours) => hours.end.toISOString())}::timestamptz[]) as bought(deployment, starts_at, ends_at)
          where bought.deployment = ${countedColumn('deployment', 'usage')}
            and usage.window_start >= bought.starts_at and usage.window_start < bought.ends_at)
      group by 1, 2, 3, 4, 5, 6, 7, 8, 9
      having sum(usage.delta_token_count) <> 0)
    insert into daily_costs (day, kind, customer_id, model, feature, deployment, token_type, token_count, cost_pico_usd,
      reason, price_reference, price_notes, price_book_version, rated_at)
    select ${day}::date, 'tokens', customer_id, model, feature, deployment, token_type, token_count::bigint,
      token_count * pico_usd, reason, reference, coalesce(string_to_array(nullif(notes, ''), ' '), '{}'), ${priceBookVersion}, ${now}
    from summed`.execute(transaction);
  await insertAllocated(transaction, day, rated);
  return await updateDayTotals(transaction, day, { priceBookVersion, now });
}

async function insertAllocated(
  transaction: LedgerTransaction,
  day: string,
  rated: { allocated: readonly AllocatedCost[]; priceBookVersion: string; now: Date },
): Promise<void> {
  const { allocated } = rated;
  if (allocated.length === 0) return;
  const column = <Value>(pick: (cost: AllocatedCost) => Value) => allocated.map(pick);
  await sql`
    insert into daily_costs (day, kind, customer_id, model, feature, deployment, token_type, token_count, cost_pico_usd,
      price_reference, price_notes, price_book_version, rated_at)
    select ${day}::date, kind, customer_id, model, feature, deployment, token_type, token_count, cost_pico_usd,
      reference, coalesce(string_to_array(nullif(notes, ''), ' '), '{}'), ${rated.priceBookVersion}, ${rated.now}
    from unnest(${column((cost) => cost.kind)}::text[], ${column((cost) => cost.customerId)}::text[],
      ${column((cost) => cost.model)}::text[], ${column((cost) => cost.feature)}::text[],
      ${column((cost) => cost.deployment)}::text[], ${column((cost) => cost.tokenType)}::text[],
      ${column((cost) => String(cost.tokenCount))}::bigint[], ${column((cost) => String(cost.costPicoUsd))}::numeric[],
      ${column((cost) => cost.reference)}::text[], ${column((cost) => cost.notes.join(' '))}::text[])
      as cost(kind, customer_id, model, feature, deployment, token_type, token_count, cost_pico_usd, reference, notes)`.execute(
    transaction,
  );
}

async function updateDayTotals(
  transaction: LedgerTransaction,
  day: string,
  rated: { priceBookVersion: string; now: Date },
): Promise<DayTotals> {
  const result = await sql<{ revision: bigint; tokens: bigint; known: string; unknown: bigint }>`
    update cost_days set revision = cost_days.revision + 1, token_count = totals.tokens,
      known_cost_pico_usd = totals.known, unknown_token_count = totals.unknown,
      price_book_version = ${rated.priceBookVersion}, rated_at = ${rated.now}
    from (select coalesce(sum(token_count), 0)::bigint as tokens, coalesce(sum(cost_pico_usd), 0) as known,
            coalesce(sum(token_count) filter (where cost_pico_usd is null), 0)::bigint as unknown
          from daily_costs where day = ${day}) as totals
    where cost_days.day = ${day}
    returning cost_days.revision, totals.tokens, totals.known, totals.unknown`.execute(transaction);
  const row = result.rows[0];
  if (row === undefined) throw new Error(`the day ${day} was not locked`);
  return {
    revision: row.revision,
    tokenCount: row.tokens,
    knownCostPicoUsd: BigInt(row.known),
    unknownTokenCount: row.unknown,
  };
}
