import { type RawBuilder, sql } from 'kysely';
import { rateMeter } from '../../pricing/closing/meter.ts';
import type { PeriodCharge } from '../../pricing/invoices/minimum.ts';
import type { KindUsage, ObservedUsers } from '../../pricing/quotes/question.ts';
import { nameKey } from '../../pricing/usage/names.ts';
import type { TokenType } from '../../pricing/usage/shape.ts';
import { boundMeter } from '../catalog/bound-meter.ts';
import { readStoredPrice, type StoredPrice } from '../catalog/stored-price.ts';
import { DAY_MS, floorToHour, type TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { billedAt } from '../usage/hours/hour-parts.ts';
import { BELONGS_TO_SOMEBODY, belongsTo, readCollectedThrough } from '../usage/hours/queries.ts';
import { countedColumn, nameKeySql } from '../usage/name-keys.ts';

const MODEL = countedColumn('model', 'usage');
const DEPLOYMENT = countedColumn('deployment', 'usage');
const FEATURE = sql.raw(nameKeySql('usage.feature'));

interface RawKind {
  model: string;
  feature: string;
  deployment: string;
  token_type: TokenType;
  token_count: bigint;
}

/** A customer's settled tokens by kind and day, counted in whole days from the window's start. */
export async function readCustomerDays(
  database: LedgerDatabase,
  customerId: string,
  window: TimeWindow,
): Promise<(KindUsage & { day: number })[]> {
  const result = await sql<RawKind & { day: number }>`
    select floor(extract(epoch from window_start - ${window.start}::timestamptz) * 1000 / ${DAY_MS})::integer as day,
           ${MODEL} as model, feature, ${DEPLOYMENT} as deployment, token_type, sum(delta_token_count)::bigint as token_count
      from hourly_usage as usage
     where window_start >= ${window.start} and window_start < ${window.end}
       and ${belongsTo(customerId)}
     group by 1, 2, 3, 4, 5
     order by 2, 3, 4, 5, 1`.execute(database);
  return result.rows.map((row) => ({ ...toKind(row), day: row.day }));
}

/** A customer's first hour with settled usage in a window; null where there is none. */
export async function readFirstUse(
  database: LedgerDatabase,
  customerId: string,
  window: TimeWindow,
): Promise<Date | null> {
  const result = await sql<{ first: Date | null }>`
    select min(window_start) as first from hourly_usage as usage
     where window_start >= ${window.start} and window_start < ${window.end} and ${belongsTo(customerId)}`.execute(
    database,
  );
  return result.rows[0]?.first ?? null;
}

/**
 * Up to when the ledger knows what was used, on the hour: its newest hour with usage, or how far the source was collected where
 * nothing was used since. A clock that is ahead of it would find hours without usage that are only not collected yet.
 */
export async function readKnownUntil(database: LedgerDatabase, now: Date): Promise<Date> {
  const newest = await sql<{ until: Date | null }>`
    select max(window_start) + interval '1 hour' as until from hourly_usage`.execute(database);
  const known = [newest.rows[0]?.until ?? null, await readCollectedThrough(database)].flatMap((at) =>
    at === null ? [] : floorToHour(at).getTime(),
  );
  const latest = floorToHour(now).getTime();
  return new Date(known.length === 0 ? latest : Math.min(Math.max(...known), latest));
}

/**
 * What an invoice preview of the period counts of the customer's settled usage, with the same rule for the instant
 * that decides the period: without what waits in quarantine, was refused by Stripe or written off. Usage at a price that its
 * item has left in the period is read apart: it takes no part in the tiers of the price that came after.
 */
export async function readPeriodUsage(
  database: LedgerDatabase,
  customerId: string,
  period: TimeWindow,
): Promise<KindUsage[]> {
  const result = await sql<RawKind>`
    select ${MODEL} as model, usage.feature, ${DEPLOYMENT} as deployment, usage.token_type,
           sum(usage.delta_token_count)::bigint as token_count
      ${periodUsage(customerId, period)} and swapped.price_since is null
     group by 1, 2, 3, 4
     order by 1, 2, 3, 4`.execute(database);
  return result.rows.map(toKind);
}

/**
 * What the period's usage until items got another price costs at the prices they had, the last that were seen by then. Where
 * nothing was used Stripe bills nothing, no flat amount either.
 */
export async function readFormerCharges(
  database: LedgerDatabase,
  customerId: string,
  period: TimeWindow,
): Promise<PeriodCharge[]> {
  const result = await sql<{ meterId: string; tokenCount: bigint } & StoredPrice>`
    select swapped.stripe_meter_id as "meterId", former.unit_amount_decimal, former.tiers_mode, former.price_tiers,
           sum(usage.delta_token_count)::bigint as "tokenCount"
      ${periodUsage(
        customerId,
        period,
        sql`left join lateral (
          select f.* from item_prices f
           where f.subscription_id = swapped.subscription_id and f.stripe_meter_id = swapped.stripe_meter_id
             and f.price_id <> swapped.price_id
           order by f.first_seen_at > billed.instant, abs(extract(epoch from f.first_seen_at - billed.instant)), f.price_id
           limit 1) as former on true`,
      )} and swapped.price_since is not null
     group by 1, former.price_id, 2, 3, 4
    having sum(usage.delta_token_count) > 0
     order by 1, former.price_id`.execute(database);
  return result.rows.map(({ meterId, tokenCount, ...price }) => ({
    meterId,
    amountMinor: rateMeter(tokenCount, readStoredPrice(price)),
  }));
}

/** Rows of a customer's usage of a period, each with the item that got another price after it, if one did. */
function periodUsage(customerId: string, period: TimeWindow, more = sql``): RawBuilder<unknown> {
  return sql`
      from hourly_usage as usage
      left join meter_pushes as push on push.meter_push_id = usage.meter_push_id
      left join lateral (${boundMeter('usage')}) as binding on usage.meter_push_id is null
      left join stripe_meters as meter on meter.stripe_meter_id = binding.stripe_meter_id
      cross join lateral (
        select coalesce(push.event_timestamp,
          ${billedAt('usage', { customerId: sql`${customerId}`, meterAlias: 'meter' })}) as instant) as billed
      left join lateral (
        select i.subscription_id, i.stripe_meter_id, i.price_id, i.price_since from subscription_items i
         where i.customer_id = ${customerId} and i.active and i.price_since > ${period.start} and billed.instant < i.price_since
           and i.stripe_meter_id = coalesce(push.stripe_meter_id, binding.stripe_meter_id)
         order by i.subscription_item_id limit 1) as swapped on true
      ${more}
     where usage.window_start > ${period.start}::timestamptz - interval '1 hour'
       and usage.window_start < ${period.end}
       and usage.quarantine_reason is null and push.written_off_at is null
       and push.status is distinct from 'refused'
       and ${belongsTo(customerId)}
       and billed.instant >= ${period.start} and billed.instant < ${period.end}`;
}

/** The current period of the customer's metered subscription; null without one. An item whose price is younger says when it got that. */
export async function readCurrentPeriod(
  database: LedgerDatabase,
  customerId: string,
): Promise<TimeWindow | null> {
  const rows = await database
    .selectFrom('subscription_items')
    .select(['subscription_id', 'current_period_start', 'current_period_end'])
    .where('customer_id', '=', customerId)
    .where('active', '=', true)
    .orderBy((builder) => builder('stripe_meter_id', 'is', null))
    .orderBy('subscription_id')
    .orderBy('subscription_item_id')
    .execute();
  const [first] = rows;
  if (first === undefined) return null;
  const { subscription_id: id, current_period_end: end } = first;
  const together = rows.filter((row) => row.subscription_id === id && +row.current_period_end === +end);
  return { start: new Date(Math.min(...together.map((row) => +row.current_period_start))), end };
}

/** What each user of a feature used in the window: only who used any; and when it was first used in it. */
export type FeatureUsage = Pick<ObservedUsers['features'][number], 'users' | 'firstUsedAt'>;

/** A user who only took back what was counted before is not active, and one who is nobody's is no user of ours. */
export async function readFeatureUsers(
  database: LedgerDatabase,
  feature: string,
  window: TimeWindow,
): Promise<FeatureUsage> {
  const result = await sql<Omit<RawKind, 'feature'> & { subject: string; first_used_at: Date }>`
    select subject, ${MODEL} as model, ${DEPLOYMENT} as deployment, token_type, sum(delta_token_count)::bigint as token_count,
           min(window_start) as first_used_at
      from hourly_usage as usage
     where ${FEATURE} = ${nameKey(feature)} and window_start >= ${window.start} and window_start < ${window.end}
       and ${BELONGS_TO_SOMEBODY}
     group by 1, 2, 3, 4
    having sum(delta_token_count) > 0
     order by subject collate "C", 2, 3, 4`.execute(database);
  const bySubject = Map.groupBy(result.rows, (row) => row.subject);
  const instants = result.rows.map((row) => row.first_used_at.getTime());
  return {
    users: [...bySubject.values()].map((rows) =>
      rows.map((row) => ({
        model: row.model,
        deployment: row.deployment,
        tokenType: row.token_type,
        tokenCount: row.token_count,
      })),
    ),
    firstUsedAt:
      instants.length === 0
        ? null
        : new Date(instants.reduce((least, instant) => Math.min(least, instant), Number.POSITIVE_INFINITY)),
  };
}

/** Features that anybody's users used in the window, in the order of their names. */
export async function listUsedFeatures(database: LedgerDatabase, window: TimeWindow): Promise<string[]> {
  const rows = await database
    .selectFrom('hourly_usage as usage')
    .select('feature')
    .distinct()
    .where('window_start', '>=', window.start)
    .where('window_start', '<', window.end)
    .where(BELONGS_TO_SOMEBODY)
    .orderBy('feature')
    .execute();
  return rows.map((row) => row.feature);
}

function toKind(row: RawKind): KindUsage {
  return {
    model: row.model,
    feature: row.feature,
    deployment: row.deployment,
    tokenType: row.token_type,
    tokenCount: row.token_count,
  };
}
