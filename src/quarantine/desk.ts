import { sql } from 'kysely';
import { UNINVOICED } from '../billing/uninvoiced/groups.ts';
import { writeAudit } from '../platform/database/audit.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { TallystickError, ValidationError } from '../platform/errors.ts';
import { findQuarantineEntry, type QuarantineEntry, type QuarantineStage } from './entries.ts';

/** What a quarantine id names: the stage by its first word, the row by the rest. */
export interface QuarantineKey {
  stage: QuarantineStage;
  /** The row's own number or id. */
  row: string;
}

const STAGE_BY_WORD: Record<string, QuarantineStage> = {
  item: 'source_item',
  event: 'usage_event',
  usage: 'hourly_usage',
  push: 'meter_push',
};

/** @throws ValidationError when it is no quarantine id */
function parseQuarantineId(quarantineId: string): QuarantineKey {
  const parts = /^(?:(item|usage|push)-(\d{1,18})|(event)-(ue_[0-9a-f]{40}))$/.exec(quarantineId);
  const stage = STAGE_BY_WORD[parts?.[1] ?? parts?.[3] ?? ''];
  if (parts === null || stage === undefined) {
    throw new ValidationError(
      'id',
      'is not the id of anything in quarantine',
      'Take one from "tallystick quarantine list" or GET /v1/quarantine.',
    );
  }
  return { stage, row: parts[2] ?? parts[4] ?? '' };
}

/**
 * The entry of this id, if it waits.
 * @throws TallystickError NOT_FOUND when there never was one, CONFLICT when it is resolved or written off, or uninvoiced
 */
export async function getWaitingEntry(
  database: LedgerDatabase,
  quarantineId: string,
): Promise<QuarantineEntry & { key: QuarantineKey }> {
  const key = parseQuarantineId(quarantineId);
  const entry = await findQuarantineEntry(database, quarantineId);
  if (entry !== null && entry.writtenOffAt === null) {
    if (entry.reason !== UNINVOICED) return { ...entry, key };
    throw new TallystickError(
      `${quarantineId} was delivered, and is decided with all that shares its cause.`,
      {
        code: 'CONFLICT',
        retry: false,
        fix: 'GET /v1/uninvoiced, or "tallystick uninvoiced", lists it; give it up or to the next invoice there.',
      },
    );
  }
  if (entry !== null) throw resolved(quarantineId, `was written off at ${entry.writtenOffAt?.toISOString()}`);
  if (await rowExists(database, key)) throw resolved(quarantineId, 'is in quarantine no more');
  throw new TallystickError(`Nothing in quarantine has the id ${quarantineId}.`, {
    code: 'NOT_FOUND',
    retry: false,
    fix: 'List what waits; ids are not those of customers or subjects.',
  });
}

async function rowExists(database: LedgerDatabase, { stage, row }: QuarantineKey): Promise<boolean> {
  const table = {
    source_item: sql`source_items where quarantine_number = ${row}::bigint`,
    usage_event: sql`usage_events where usage_event_id = ${row}`,
    hourly_usage: sql`hourly_usage where hourly_usage_id = ${row}::bigint`,
    meter_push: sql`meter_pushes where meter_push_id = ${row}::bigint`,
  }[stage];
  return (await sql`select 1 from ${table} limit 1`.execute(database)).rows.length > 0;
}

/** Somebody else, or the pipeline, was faster. */
export function resolvedMeanwhile(quarantineId: string): TallystickError {
  return resolved(quarantineId, 'was taken up or written off a moment ago');
}

function resolved(quarantineId: string, what: string): TallystickError {
  return new TallystickError(`${quarantineId} ${what}.`, { code: 'CONFLICT', retry: false });
}

export interface WriteOff {
  quarantineId: string;
  /** Why, in a person's words. */
  reason: string;
  actor: string;
  now: Date;
}

/**
 * Gives up the tokens of one entry, with an audit row in the same transaction. The row stays, with its reason;
 * its tokens count as written off and are never taken up or billed.
 * @throws ValidationError without a reason; TallystickError NOT_FOUND, CONFLICT
 */
export async function writeOffEntry(database: LedgerDatabase, given: WriteOff): Promise<QuarantineEntry> {
  const reason = given.reason.trim();
  if (reason === '') throw new ValidationError('reason', 'is missing', 'Say why these tokens are given up.');
  const entry = await getWaitingEntry(database, given.quarantineId);
  await database.transaction().execute(async (transaction) => {
    const changed = await markWrittenOff(transaction, entry.key, given.now);
    if (changed !== 1n) throw resolvedMeanwhile(given.quarantineId);
    await audit(transaction, 'quarantine.write_off', entry, given, { reason });
  });
  return { ...entry, writtenOffAt: given.now };
}

async function markWrittenOff(
  transaction: LedgerTransaction,
  { stage, row }: QuarantineKey,
  now: Date,
): Promise<bigint> {
  const statement = {
    source_item: sql`update source_items set written_off_at = ${now}
      where quarantine_number = ${row}::bigint and quarantine_reason is not null and written_off_at is null`,
    usage_event: sql`update usage_events set written_off_at = ${now}
      where usage_event_id = ${row} and status = 'quarantined' and written_off_at is null`,
    hourly_usage: sql`update hourly_usage set written_off_at = ${now}
      where hourly_usage_id = ${row}::bigint and quarantine_reason is not null and written_off_at is null
        and late_item_id is null and credit_proposal_id is null`,
    meter_push: sql`update meter_pushes set written_off_at = ${now}
      where meter_push_id = ${row}::bigint and status = 'refused' and written_off_at is null`,
  }[stage];
  return (await statement.execute(transaction)).numAffectedRows ?? 0n;
}

/** Writes down what a person did about an entry. */
export async function audit(
  transaction: LedgerTransaction,
  action: string,
  entry: QuarantineEntry,
  by: { actor: string; now: Date },
  details: Record<string, unknown> = {},
): Promise<void> {
  await writeAudit(transaction, {
    actor: by.actor,
    action,
    target: entry.quarantineId,
    details: {
      stage: entry.stage,
      quarantine_reason: entry.reason,
      token_count: String(entry.tokenCount),
      ...details,
    },
    now: by.now,
  });
}
