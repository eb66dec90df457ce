import { sql } from 'kysely';
import { costOnModel } from '../../../pricing/simulations/swaps.ts';
import { readSwaps, readSwapUsage } from '../../costs/swaps/gather.ts';
import { addMs, DAY_MS, type TimeWindow } from '../../platform/clock.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { readRepeats } from '../repeats/gather.ts';

/** What was changed to save cost. */
export type ChangeMade =
  | { kind: 'swap'; feature: string; fromModel: string; toModel: string; madeOn: string }
  | { kind: 'cache'; feature: string; subject: string; madeOn: string }
  /** A user's feature costs at most so much in a day. */
  | { kind: 'cap'; feature: string; subject: string; dayLimitPicoUsd: bigint; madeOn: string };

/** Days before a change that its forecast rests on, and days that a cache or a cap is held against. */
const FORECAST_DAYS = 30;
const BEFORE_DAYS = 14;

const midnight = (day: string) => new Date(`${day}T00:00:00Z`);
const dayOf = (instant: Date) => instant.toISOString().slice(0, 10);

/** What a day of it would have saved, by the 30 whole days before; null: nothing can be said. */
export async function forecastOf(
  snapshot: LedgerSnapshot,
  change: ChangeMade,
  now: Date,
): Promise<bigint | null> {
  const end = midnight(change.madeOn);
  const window = { start: addMs(end, -FORECAST_DAYS * DAY_MS), end };
  if (change.kind === 'cap') return await forecastCap(snapshot, change, window);
  const saving =
    change.kind === 'swap'
      ? (await readSwaps(snapshot, window, now)).features
          .find(({ feature, model }) => feature === change.feature && model === change.fromModel)
          ?.candidates.find(({ model }) => model === change.toModel)?.savingPicoUsd
      : sumOf(
          (await readRepeats(snapshot, window))
            .filter(({ subject, feature }) => subject === change.subject && feature === change.feature)
            .map(({ savingPicoUsd }) => savingPicoUsd),
        );
  if (saving === undefined || saving === null) return null;
  const days = await countDays(snapshot, window, change);
  return days === 0n ? null : saving / days;
}

/** What went beyond the limit, over the days with usage. */
async function forecastCap(
  snapshot: LedgerSnapshot,
  { feature, subject, dayLimitPicoUsd }: Extract<ChangeMade, { kind: 'cap' }>,
  window: TimeWindow,
): Promise<bigint | null> {
  const { rows } = await sql<{ beyond: string | null; days: bigint }>`
    select case when bool_and(is_known) then sum(greatest(0, cost - ${String(dayLimitPicoUsd)}::numeric))::text end as beyond,
      count(*) as days
    from (
      select sum(cost_pico_usd) as cost, bool_and(cost_pico_usd is not null) as is_known from daily_users
      where day >= ${dayOf(window.start)}::date and day < ${dayOf(window.end)}::date and feature = ${feature}
        and subject = ${subject} group by day) as each_day`.execute(snapshot);
  const { beyond = null, days = 0n } = rows[0] ?? {};
  return beyond === null || days === 0n ? null : BigInt(beyond) / days;
}

function sumOf(savings: readonly (bigint | null)[]): bigint | null {
  if (savings.length === 0) return null;
  return savings.reduce(
    (sum, saving) => (sum === null || saving === null ? null : sum + saving),
    0n as bigint | null,
  );
}

/** Days on which what was changed was used at all. */
async function countDays(snapshot: LedgerSnapshot, window: TimeWindow, change: ChangeMade): Promise<bigint> {
  const result = await sql<{ count: bigint }>`
    select count(distinct day) as count from daily_users
    where day >= ${dayOf(window.start)}::date and day < ${dayOf(window.end)}::date and feature = ${change.feature}
      and ${change.kind === 'swap' ? sql`model = ${change.fromModel}` : sql`subject = ${change.subject}`}`.execute(
    snapshot,
  );
  return result.rows[0]?.count ?? 0n;
}

/** What came of it by now, over the whole days since the day after. */
export interface Measured {
  dayCount: number;
  /** Null: some cost is unknown, or there is nothing to hold it against. */
  savedPicoUsd: bigint | null;
}

/**
 * Of a swap: what the feature's tokens on the new model would have cost on the old one at the prices of the time, less what they
 * did. Of a cache, whose answers have no metric, and of a cap: what the user's feature cost in a mean day of two weeks before, less
 * what it did.
 */
export async function measureChange(
  snapshot: LedgerSnapshot,
  change: ChangeMade,
  now: Date,
): Promise<Measured> {
  const start = addMs(midnight(change.madeOn), DAY_MS);
  const end = new Date(Math.floor(now.getTime() / DAY_MS) * DAY_MS);
  const dayCount = Math.max(0, Math.round((end.getTime() - start.getTime()) / DAY_MS));
  if (dayCount === 0) return { dayCount, savedPicoUsd: null };
  const savedPicoUsd =
    change.kind === 'swap'
      ? await measureSwap(snapshot, change, { start, end }, now)
      : await measureUser(snapshot, change, { start, end });
  return { dayCount, savedPicoUsd };
}

async function measureSwap(
  snapshot: LedgerSnapshot,
  { feature, fromModel, toModel }: Extract<ChangeMade, { kind: 'swap' }>,
  window: TimeWindow,
  now: Date,
): Promise<bigint | null> {
  const { usage, book } = await readSwapUsage(snapshot, window);
  const of = usage.filter((part) => part.feature === feature && part.model === toModel);
  if (of.length === 0) return null;
  const before = costOnModel(fromModel, of, book, now);
  const after = sumOf(of.map(({ costPicoUsd }) => costPicoUsd));
  return before === null || after === null ? null : before - after;
}

async function measureUser(
  snapshot: LedgerSnapshot,
  { feature, subject, madeOn }: Exclude<ChangeMade, { kind: 'swap' }>,
  window: TimeWindow,
): Promise<bigint | null> {
  const days = Math.round((window.end.getTime() - window.start.getTime()) / DAY_MS);
  const result = await sql<{ before: string | null; after: string | null }>`
    select case when bool_and(cost_pico_usd is not null) filter (where day < ${madeOn}::date)
        then (sum(cost_pico_usd) filter (where day < ${madeOn}::date))::text end as before,
      case when coalesce(bool_and(cost_pico_usd is not null) filter (where day > ${madeOn}::date), true)
        then coalesce(sum(cost_pico_usd) filter (where day > ${madeOn}::date), 0)::text end as after
    from daily_users where subject = ${subject} and feature = ${feature}
      and day >= ${madeOn}::date - ${BEFORE_DAYS}::int and day < ${dayOf(window.end)}::date`.execute(
    snapshot,
  );
  const { before = null, after = null } = result.rows[0] ?? {};
  if (before === null || after === null) return null;
  return (BigInt(before) * BigInt(days)) / BigInt(BEFORE_DAYS) - BigInt(after);
}
