import { sql } from 'kysely';
import type { PricedKind } from '../../pricing/prices/segments.ts';
import { type TimeWindow, windowOfDay } from '../platform/clock.ts';
import type { LedgerTransaction } from '../platform/database/database.ts';
import { dayCosts, dayUsage, dayUsers } from './day-statement.ts';
import type { RatedDay } from './rated-day.ts';
import { lockMonthlyRevenues, moveMonth } from './revenues/monthly-revenues.ts';

/** What a day cost, as far as it is known. */
export interface DayTotals {
  revision: bigint;
  tokenCount: bigint;
  knownCostPicoUsd: bigint;
  /** Tokens whose cost is unknown. */
  unknownTokenCount: bigint;
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
 * Replaces what is stored of a day, by key and by user, in one statement: usage priced by the token, what was allocated beside
 * it, and its requests. The sums of its month follow.
 */
export async function replaceDailyCosts(
  transaction: LedgerTransaction,
  day: string,
  rated: RatedDay,
): Promise<DayTotals> {
  const { now, priceBookVersion } = rated;
  await lockMonthlyRevenues(transaction);
  await transaction.deleteFrom('daily_users').where('day', '=', day).execute();
  await sql`
    with ${dayUsage(windowOfDay(day), rated)},
    gone as (delete from daily_costs where day = ${day} returning customer_id, model, feature, token_type, token_count),
    ${dayCosts()},
    ${dayUsers()},
    ${moveMonth(day)},
    kept as (
      insert into daily_costs (day, kind, customer_id, model, feature, deployment, token_type, token_count, cost_pico_usd,
        least_cost_pico_usd, most_cost_pico_usd, reason, price_reference, price_notes, request_count, is_first, price_book_version, rated_at)
      select ${day}::date, kind, customer_id, model, feature, deployment, token_type, token_count, cost_pico_usd,
        least_cost_pico_usd, most_cost_pico_usd, reason, reference, notes, request_count, is_first, ${priceBookVersion}, ${now}::timestamptz from costs)
    insert into daily_users (day, customer_id, subject, model, feature, deployment, token_count, token_types, token_counts,
      first_token_types, cost_pico_usd, provisioned_cost_pico_usd, reason, is_cost_partial, request_count)
    select ${day}::date, customer_id, subject, model, feature, deployment, token_count, token_types, token_counts,
      first_token_types, cost_pico_usd, provisioned_cost_pico_usd, reason, is_cost_partial, request_count from users`.execute(
    transaction,
  );
  return await updateDayTotals(transaction, day, { priceBookVersion, now });
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
