import { sql } from 'kysely';
import { writeAudit } from '../../platform/database/audit.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { type LedgerSnapshot, readSnapshot } from '../../platform/database/snapshot.ts';
import { ValidationError } from '../../platform/errors.ts';
import { type ChangeMade, forecastOf, type Measured, measureChange } from './measure.ts';

/** A change, what was forecast of a day of it, and what came of it. */
export interface RecordedChange extends Measured {
  changeId: bigint;
  change: ChangeMade;
  forecastDayPicoUsd: bigint | null;
  note: string;
  recordedBy: string;
  recordedAt: Date;
}

interface Row {
  id: bigint;
  kind: ChangeMade['kind'];
  feature: string;
  from_model: string;
  to_model: string;
  subject: string;
  day_limit: string;
  made_on: string;
  forecast: string | null;
  note: string;
  recorded_by: string;
  recorded_at: Date;
}

const MOST = 100;

/**
 * Records that a change was made, with its forecast as it stands; said again it changes nothing.
 * @throws ValidationError for a day that is still to come, or a swap to the same model
 */
export async function recordChange(
  database: LedgerDatabase,
  { change, note, actor, now }: { change: ChangeMade; note: string; actor: string; now: Date },
): Promise<RecordedChange> {
  if (Date.parse(`${change.madeOn}T00:00:00Z`) > now.getTime()) {
    throw new ValidationError('madeOn', 'is still to come', 'Record it once it is made.');
  }
  if (change.kind === 'swap' && change.fromModel === change.toModel) {
    throw new ValidationError('toModel', 'is the model that it was', 'Name another one.');
  }
  const forecast = await readSnapshot(database, (snapshot) => forecastOf(snapshot, change, now));
  const swap = change.kind === 'swap' ? change : null;
  const key = [swap?.fromModel ?? '', swap?.toModel ?? '', change.kind === 'swap' ? '' : change.subject];
  const dayLimit = change.kind === 'cap' ? String(change.dayLimitPicoUsd) : '0';
  const id = await database.transaction().execute(async (transaction) => {
    const recorded = await sql<{ id: bigint }>`
      insert into made_changes (kind, feature, from_model, to_model, subject, day_limit_pico_usd, made_on, forecast_day_pico_usd, note, recorded_by,
        recorded_at)
      values (${change.kind}, ${change.feature}, ${key[0]}, ${key[1]}, ${key[2]}, ${dayLimit}::numeric, ${change.madeOn}::date,
        ${forecast === null ? null : String(forecast)}::numeric, ${note}, ${actor}, ${now})
      on conflict do nothing returning made_change_id as id`.execute(transaction);
    const [row] = recorded.rows;
    if (row === undefined) {
      const known = await sql<{ id: bigint }>`
        select made_change_id as id from made_changes where kind = ${change.kind} and feature = ${change.feature}
          and from_model = ${key[0]} and to_model = ${key[1]} and subject = ${key[2]} and made_on = ${change.madeOn}::date`.execute(
        transaction,
      );
      return known.rows[0]?.id ?? 0n;
    }
    await writeAudit(transaction, {
      actor,
      action: 'changes.record',
      target: `change-${row.id}`,
      details: {
        ...change,
        ...(change.kind === 'cap' ? { dayLimitPicoUsd: dayLimit } : {}),
        note,
        forecastDayPicoUsd: forecast === null ? null : String(forecast),
      },
      now,
    });
    return row.id;
  });
  return await readSnapshot(database, async (snapshot) => {
    const [found] = await select(snapshot, now, id);
    if (found === undefined) throw new Error(`change ${id} is gone`);
    return found;
  });
}

/** The newest first. */
export async function listChanges(snapshot: LedgerSnapshot, now: Date): Promise<RecordedChange[]> {
  return await select(snapshot, now, null);
}

async function select(snapshot: LedgerSnapshot, now: Date, id: bigint | null): Promise<RecordedChange[]> {
  const result = await sql<Row>`
    select made_change_id as id, kind, feature, from_model, to_model, subject,
      day_limit_pico_usd::text as day_limit, made_on::text as made_on,
      forecast_day_pico_usd::text as forecast, note, recorded_by, recorded_at
    from made_changes where ${id === null ? sql`true` : sql`made_change_id = ${String(id)}::bigint`}
    order by made_on desc, made_change_id desc limit ${MOST}`.execute(snapshot);
  const changes: RecordedChange[] = [];
  for (const row of result.rows) {
    const change = toChangeMade(row);
    changes.push({
      changeId: row.id,
      change,
      forecastDayPicoUsd: row.forecast === null ? null : BigInt(row.forecast),
      note: row.note,
      recordedBy: row.recorded_by,
      recordedAt: row.recorded_at,
      ...(await measureChange(snapshot, change, now)),
    });
  }
  return changes;
}

function toChangeMade({ kind, feature, subject, made_on: madeOn, ...row }: Row): ChangeMade {
  if (kind === 'swap') return { kind, feature, fromModel: row.from_model, toModel: row.to_model, madeOn };
  if (kind === 'cache') return { kind, feature, subject, madeOn };
  return { kind, feature, subject, dayLimitPicoUsd: BigInt(row.day_limit), madeOn };
}
