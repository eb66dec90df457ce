import { sql } from 'kysely';
import { type PriceChange, type PriceChangePlan, planPriceChange } from '../../pricing/prices/change.ts';
import type { PriceBookData, PriceRow } from '../../pricing/prices/rows.ts';
import { startOf, timelineKeyOf } from '../../pricing/prices/rows.ts';
import { DAY_MS } from '../platform/clock.ts';
import { writeAudit } from '../platform/database/audit.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import type { LedgerRow } from '../platform/database/schema/schema.ts';
import { lockPriceBook, readPriceBook, readPriceBookVersion, seedLockedPriceBook } from './book.ts';
import { insertPriceBookContent, supersedePriceBookContent } from './book-rows.ts';

/** What made a version of the book. */
type PriceChangeKind = LedgerRow<'price_book_changes'>['kind'];

export interface PriceBookChange {
  change: PriceChange;
  kind: Exclude<PriceChangeKind, 'seed'>;
  /** Why; kept with the change. */
  reason: string;
  actor: string;
  now: Date;
  /** Only say what it would do. */
  dryRun?: boolean;
}

/** A span of whole days whose costs a change altered: `[start, end)`. */
interface AffectedDays {
  start: string;
  end: string;
  /** Empty: any model. */
  models: string[];
}

export interface PriceBookChangeResult {
  plan: PriceChangePlan;
  /** Version before, and after; the same when nothing was applied. */
  versionBefore: string;
  version: string;
  changeId: bigint | null;
  affectedDays: AffectedDays[];
}

/**
 * Changes the price book: all of it or, while the plan has problems, nothing. What holds in the past is rated again:
 * the days are in `rerating_requests`, in the same transaction.
 */
export async function changePriceBook(
  database: LedgerDatabase,
  wanted: PriceBookChange,
): Promise<PriceBookChangeResult> {
  return await database.transaction().execute(async (transaction) => {
    await lockPriceBook(transaction);
    return await changeLockedPriceBook(transaction, wanted);
  });
}

/** The same as a part of something larger, where the caller holds the lock (see `lockPriceBook`). */
export async function changeLockedPriceBook(
  transaction: LedgerTransaction,
  wanted: PriceBookChange,
): Promise<PriceBookChangeResult> {
  const { change, now } = wanted;
  await seedLockedPriceBook(transaction, now);
  const current = await readPriceBookVersion(transaction);
  const { data } = await readPriceBook(transaction);
  const plan = planPriceChange(data, change);
  const nothing = { plan, versionBefore: current.version, version: current.version, changeId: null };
  if (plan.problems.length > 0 || isEmpty(plan)) return { ...nothing, affectedDays: [] };
  const affectedDays = await findAffectedDays(transaction, data, plan, now);
  if (wanted.dryRun === true) return { ...nothing, affectedDays };
  const changeId = current.changeId + 1n;
  const version = `${current.version.slice(0, current.version.lastIndexOf('+'))}+${changeId}`;
  await transaction
    .insertInto('price_book_changes')
    .values({
      change_id: changeId,
      kind: wanted.kind,
      made_at: now,
      made_by: wanted.actor,
      reason: wanted.reason,
      version,
    })
    .execute();
  await supersedePriceBookContent(transaction, changeId, plan.superseded);
  await insertPriceBookContent(transaction, changeId, plan.added);
  await writeDown(transaction, wanted, { plan, changeId, version, affectedDays });
  return { plan, versionBefore: current.version, version, changeId, affectedDays };
}

function isEmpty({ added }: PriceChangePlan): boolean {
  return (
    added.prices.length === 0 &&
    added.deployments.length === 0 &&
    added.models.length === 0 &&
    Object.keys(added.sources).length === 0
  );
}

async function writeDown(
  transaction: LedgerTransaction,
  wanted: PriceBookChange,
  made: { plan: PriceChangePlan; changeId: bigint; version: string; affectedDays: AffectedDays[] },
): Promise<void> {
  const { plan, changeId, version, affectedDays } = made;
  if (affectedDays.length > 0) {
    await transaction
      .insertInto('rerating_requests')
      .values(
        affectedDays.map((days) => ({
          change_id: changeId,
          day_start: days.start,
          day_end: days.end,
          models: days.models,
          done_at: null,
          audit: `${wanted.kind} by ${wanted.actor}: ${wanted.reason}`.slice(0, 2_000),
        })),
      )
      .execute();
  }
  await writeAudit(transaction, {
    actor: wanted.actor,
    action: `price_book.${wanted.kind}`,
    target: version,
    details: {
      reason: wanted.reason,
      addedRows: plan.added.prices.length,
      supersededRows: plan.superseded.rows,
      addedDeployments: plan.added.deployments,
      supersededDeployments: plan.superseded.deployments,
      changedModels: plan.added.models,
      affectedDays,
    },
    now: wanted.now,
  });
}

/**
 * The days before now that are rated otherwise from now on, of those that have usage: from a new row's instant to that
 * of the row after it. New names of models and new rules of deployments may concern anything that was called so.
 */
async function findAffectedDays(
  transaction: LedgerTransaction,
  before: PriceBookData,
  plan: PriceChangePlan,
  now: Date,
): Promise<AffectedDays[]> {
  const { rows } = await sql<{
    first: Date | null;
  }>`select min(window_start) as first from hourly_usage`.execute(transaction);
  const firstMs = rows[0]?.first?.getTime();
  if (firstMs === undefined) return [];
  const spans = new Map<string, AffectedDays>();
  const add = (fromMs: number, toMs: number, model: string | null) => {
    const startMs = Math.max(fromMs, firstMs);
    const endMs = Math.min(toMs, now.getTime());
    if (startMs >= endMs) return;
    const start = dayOf(new Date(startMs));
    // The day that holds the last moment before the end, and the one after it as the end.
    const end = dayOf(new Date(Math.ceil(endMs / DAY_MS) * DAY_MS));
    const key = `${start} ${end} ${model === null}`;
    const span = spans.get(key) ?? { start, end, models: [] };
    if (model !== null && !span.models.includes(model)) span.models.push(model);
    spans.set(key, span);
  };
  for (const row of plan.added.prices) add(startOf(row), nextStartOf(plan.data.prices, row), row.model);
  for (const rule of plan.added.deployments) add(startOf(rule), Number.POSITIVE_INFINITY, null);
  const known = new Map(before.models.map((entry) => [entry.model, entry.aliases]));
  for (const { model, aliases } of plan.added.models) {
    const isRenamed = aliases.join() !== (known.get(model) ?? []).join();
    if (isRenamed) add(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, null);
  }
  return [...spans.values()];
}

function nextStartOf(rows: readonly PriceRow[], row: PriceRow): number {
  const key = timelineKeyOf(row);
  const later = rows.filter((other) => timelineKeyOf(other) === key && startOf(other) > startOf(row));
  return Math.min(...later.map(startOf), Number.POSITIVE_INFINITY);
}

function dayOf(instant: Date): string {
  return instant.toISOString().slice(0, 10);
}
