import { nearModels } from '../../../pricing/prices/near-models.ts';
import { type RetailMeterRow, readMeterRow } from '../../../pricing/retail/meter-map.ts';
import { modelKey } from '../../../pricing/usage/names.ts';
import { writeAudit } from '../../platform/database/audit.ts';
import type { LedgerDatabase } from '../../platform/database/database.ts';
import { ValidationError } from '../../platform/errors.ts';
import { readPriceBook } from '../book.ts';

/** A meter as the ledger has it; `row` is null where a person said that it means nothing. */
export interface LedgerMeterRow {
  meterId: string;
  row: RetailMeterRow | null;
  note: string;
  mappedBy: string;
  mappedAt: Date;
}

/** What people said of meters, the latest word on each; it goes above the mapping file. */
export async function readLedgerMeters(database: LedgerDatabase): Promise<LedgerMeterRow[]> {
  const rows = await database
    .selectFrom('retail_meter_rows')
    .distinctOn('meter_id')
    .selectAll()
    .orderBy('meter_id')
    .orderBy('retail_meter_row_id', 'desc')
    .execute();
  return rows.map((row) => ({
    meterId: row.meter_id,
    row:
      row.model === null
        ? null
        : readMeterRow(
            {
              meterId: row.meter_id,
              model: row.model,
              deploymentType: row.deployment_type,
              region: row.region,
              tokenType: row.token_type,
              note: row.note,
            },
            row.meter_id,
          ),
    note: row.note,
    mappedBy: row.mapped_by,
    mappedAt: row.mapped_at,
  }));
}

export interface MeterMapping {
  meterId: string;
  /** Null: the meter means nothing, and its price waits. */
  target: { model: string; deploymentType: string; region: string; tokenType: string } | null;
  /** How the person knows. */
  note: string;
  actor: string;
  now: Date;
}

/**
 * Writes down what a meter is, with an audit row in the same transaction. The next synchronization uses it; nothing
 * changes in the price book by this alone.
 * @throws ValidationError naming the field: no GUID, an unknown model (with near names), type or kind, no note
 */
export async function mapRetailMeter(
  database: LedgerDatabase,
  mapping: MeterMapping,
): Promise<LedgerMeterRow> {
  const note = mapping.note.trim();
  if (note === '') {
    throw new ValidationError('note', 'is missing', 'Say where you read what this meter is.');
  }
  const { target } = mapping;
  const book = await readPriceBook(database);
  const model = target === null ? null : (book.canonicalByName.get(modelKey(target.model)) ?? null);
  if (target !== null && model === null) {
    const near = nearModels(book, target.model);
    throw new ValidationError(
      'model',
      `${JSON.stringify(target.model.slice(0, 100))} is not in the price book`,
      near.length === 0 ? 'Add the model to the price book first.' : `Near names: ${near.join(', ')}.`,
    );
  }
  const row = checked({
    meterId: mapping.meterId,
    note,
    ...(target ?? EMPTY_TARGET),
    model: model ?? 'none',
  });
  await database.transaction().execute(async (transaction) => {
    await transaction
      .insertInto('retail_meter_rows')
      .values({
        meter_id: row.meterId,
        model,
        deployment_type: target === null ? null : row.deploymentType,
        region: target === null ? null : row.region,
        token_type: target === null ? null : row.tokenType,
        note,
        mapped_by: mapping.actor,
        mapped_at: mapping.now,
      })
      .execute();
    await writeAudit(transaction, {
      actor: mapping.actor,
      action: 'retail_meter.map',
      target: row.meterId,
      details: { target: target === null ? null : { ...target, model }, note },
      now: mapping.now,
    });
  });
  return {
    meterId: row.meterId,
    row: target === null ? null : row,
    note,
    mappedBy: mapping.actor,
    mappedAt: mapping.now,
  };
}

/** Only the meter id of it is looked at. */
const EMPTY_TARGET = { deploymentType: 'global', region: '*', tokenType: 'prompt' };

function checked(data: object): RetailMeterRow {
  try {
    return readMeterRow(data, 'meter');
  } catch (error) {
    const [, field = 'meterId', problem = String(error)] =
      /^meter: (\w+) (.*)$/.exec((error as Error).message) ?? [];
    throw new ValidationError(field, problem);
  }
}
