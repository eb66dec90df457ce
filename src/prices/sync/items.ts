import { sql } from 'kysely';
import type { RetailFinding } from '../../../pricing/retail/diff.ts';
import type { RetailTarget } from '../../../pricing/retail/meter-map.ts';
import { camelRow } from '../../platform/database/camel-row.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import type { LedgerRow } from '../../platform/database/schema/schema.ts';
import { TallystickError } from '../../platform/errors.ts';

type PriceSyncItemStatus = LedgerRow<'price_sync_items'>['status'];

/** What the list said that the book did not have. */
export interface PriceSyncItem extends Omit<RetailFinding, 'fingerprint' | 'verdict' | 'reason'> {
  priceSyncItemId: bigint;
  verdict: LedgerRow<'price_sync_items'>['verdict'];
  reason: string | null;
  status: PriceSyncItemStatus;
  runId: string;
  foundAt: Date;
  seenAt: Date;
  decidedBy: string | null;
  decidedAt: Date | null;
  decisionReason: string | null;
}

/** Writes down a small change that this run put into the book. */
export async function insertAppliedItems(
  transaction: LedgerTransaction,
  runId: string,
  findings: readonly RetailFinding[],
  now: Date,
): Promise<void> {
  for (const finding of findings) {
    await transaction
      .insertInto('price_sync_items')
      .values({ ...valuesOf(finding, runId, now), status: 'applied' })
      .execute();
  }
}

/**
 * Brings what waits to what the list says now: new matters are added, known ones follow the list, and those that no
 * longer are any are withdrawn. What a person rejected comes back only when the list says something else.
 * @returns how much waits now
 */
export async function followWaitingItems(
  transaction: LedgerTransaction,
  runId: string,
  findings: readonly RetailFinding[],
  now: Date,
): Promise<number> {
  const rejected = await transaction
    .selectFrom('price_sync_items')
    .select(['subject', 'fingerprint'])
    .where('status', '=', 'rejected')
    // Whoever decided about one that went has it forgotten; should it come back and go again, that is new.
    .where('verdict', '<>', 'disappeared')
    .execute();
  const answered = new Set(rejected.map(({ subject, fingerprint }) => `${subject}\n${fingerprint}`));
  const open = findings.filter((finding) => !answered.has(`${finding.subject}\n${finding.fingerprint}`));
  for (const finding of open) {
    const { first_run_id, found_at, ...facts } = valuesOf(finding, runId, now);
    await transaction
      .insertInto('price_sync_items')
      .values({ ...facts, first_run_id, found_at, status: 'pending' })
      .onConflict((conflict) => conflict.column('subject').where('status', '=', 'pending').doUpdateSet(facts))
      .execute();
  }
  await transaction
    .updateTable('price_sync_items')
    .set({ status: 'withdrawn' })
    .where('status', '=', 'pending')
    .where('last_run_id', '<>', runId)
    .execute();
  return open.length;
}

export interface ItemQuery {
  status?: PriceSyncItemStatus | undefined;
  verdict?: PriceSyncItem['verdict'] | undefined;
  /** Only items after this one. */
  afterId?: bigint | undefined;
  limit: number;
}

/** Items in the order in which they were found. */
export async function listPriceSyncItems(
  database: LedgerDatabase,
  { status, verdict, afterId, limit }: ItemQuery,
): Promise<PriceSyncItem[]> {
  const rows = await database
    .selectFrom('price_sync_items')
    .selectAll()
    .$if(status !== undefined, (query) => query.where('status', '=', status ?? 'pending'))
    .$if(verdict !== undefined, (query) => query.where('verdict', '=', verdict ?? 'unmapped'))
    .$if(afterId !== undefined, (query) => query.where('price_sync_item_id', '>', afterId ?? 0n))
    .orderBy('price_sync_item_id')
    .limit(limit)
    .execute();
  return rows.map(toItem);
}

/** One of them, as it stands. @throws TallystickError NOT_FOUND */
export async function getPriceSyncItem(database: LedgerDatabase, itemId: bigint): Promise<PriceSyncItem> {
  const row = await database
    .selectFrom('price_sync_items')
    .selectAll()
    .where('price_sync_item_id', '=', itemId)
    .executeTakeFirst();
  if (row === undefined) throw unknownItem(itemId);
  return toItem(row);
}

function unknownItem(itemId: bigint): TallystickError {
  return new TallystickError(`There is no price ${itemId} to decide.`, {
    code: 'NOT_FOUND',
    retry: false,
    fix: 'List what waits: "tallystick prices review" or GET /v1/prices/sync.',
  });
}

/**
 * Takes the item for a decision: until the transaction ends nobody else decides it.
 * @throws TallystickError NOT_FOUND; CONFLICT when it was decided or withdrawn
 */
export async function takePendingItem(
  transaction: LedgerTransaction,
  itemId: bigint,
): Promise<PriceSyncItem> {
  const row = await transaction
    .selectFrom('price_sync_items')
    .selectAll()
    .where('price_sync_item_id', '=', itemId)
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) throw unknownItem(itemId);
  if (row.status === 'pending') return toItem(row);
  const by = row.decided_by === null ? '' : ` by ${row.decided_by}`;
  throw new TallystickError(`The price ${itemId} was ${row.status}${by} already.`, {
    code: 'CONFLICT',
    retry: false,
  });
}

/** Writes down what a person decided. */
export async function markDecided(
  transaction: LedgerTransaction,
  itemId: bigint,
  decision: {
    status: 'accepted' | 'rejected';
    actor: string;
    reason: string;
    effectiveFrom: Date | null;
    now: Date;
  },
): Promise<PriceSyncItem> {
  const row = await transaction
    .updateTable('price_sync_items')
    .set({
      status: decision.status,
      decided_by: decision.actor,
      decided_at: decision.now,
      decision_reason: decision.reason,
      effective_from: decision.effectiveFrom,
    })
    .where('price_sync_item_id', '=', itemId)
    .returningAll()
    .executeTakeFirstOrThrow();
  return toItem(row);
}

/** Mapped meters of the last list. */
export async function readSeenMeters(
  database: LedgerDatabase,
): Promise<{ meterId: string; meterName: string }[]> {
  return await database
    .selectFrom('retail_meters_seen')
    .select(['meter_id as meterId', 'meter_name as meterName'])
    .orderBy('meter_id')
    .execute();
}

/** Remembers which mapped meters the list has. One that is gone stays remembered: it is reported until it is back. */
export async function rememberSeenMeters(
  transaction: LedgerTransaction,
  meters: ReadonlyMap<string, string>,
  now: Date,
): Promise<void> {
  const ids = [...meters.keys()];
  await sql`
    insert into retail_meters_seen (meter_id, meter_name, last_seen_at)
    select id, name, ${now}::timestamptz from unnest(${ids}::text[], ${[...meters.values()]}::text[]) as seen (id, name)
    on conflict (meter_id) do update set meter_name = excluded.meter_name, last_seen_at = excluded.last_seen_at`.execute(
    transaction,
  );
}

/** Reports the meter no more. */
export async function forgetSeenMeter(transaction: LedgerTransaction, meterId: string): Promise<void> {
  await transaction.deleteFrom('retail_meters_seen').where('meter_id', '=', meterId).execute();
}

function valuesOf(finding: RetailFinding, runId: string, now: Date) {
  const { target } = finding;
  return {
    subject: finding.subject,
    fingerprint: finding.fingerprint,
    verdict: finding.verdict as PriceSyncItem['verdict'],
    reason: finding.reason,
    meter_id: finding.meterId,
    meter_name: finding.meterName,
    product_name: finding.productName,
    unit_of_measure: finding.unitOfMeasure,
    retail_price: finding.retailPrice,
    currency: finding.currency,
    regions: finding.regions,
    model: target?.model ?? null,
    deployment_type: target?.deploymentType ?? null,
    region: target?.region ?? null,
    token_type: target?.tokenType ?? null,
    old_pico_per_unit: finding.oldPicoPerUnit === null ? null : String(finding.oldPicoPerUnit),
    new_pico_per_unit: finding.newPicoPerUnit === null ? null : String(finding.newPicoPerUnit),
    listed_from: finding.listedFrom,
    effective_from: finding.effectiveFrom,
    is_retroactive: finding.isRetroactive,
    first_run_id: runId,
    last_run_id: runId,
    found_at: now,
    seen_at: now,
  };
}

function toItem(row: LedgerRow<'price_sync_items'>): PriceSyncItem {
  const { model, deploymentType, region, tokenType, oldPicoPerUnit, newPicoPerUnit, lastRunId, ...others } =
    camelRow(row);
  return {
    ...others,
    // What the table holds came out of a checked map.
    target: model === null ? null : ({ model, deploymentType, region, tokenType } as RetailTarget),
    oldPicoPerUnit: oldPicoPerUnit === null ? null : BigInt(oldPicoPerUnit),
    newPicoPerUnit: newPicoPerUnit === null ? null : BigInt(newPicoPerUnit),
    runId: lastRunId,
  };
}
