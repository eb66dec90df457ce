import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { createProvisionedCapacity, type ProvisionedTerms } from '../../../pricing/rating/provisioned.ts';
import { nameKey } from '../../../pricing/usage/names.ts';
import { HOUR_MS, type TimeWindow } from '../../platform/clock.ts';
import { writeAudit } from '../../platform/database/audit.ts';
import type { LedgerDatabase, LedgerTransaction } from '../../platform/database/database.ts';
import type { Ledger } from '../../platform/database/schema/schema.ts';
import { TallystickError, ValidationError } from '../../platform/errors.ts';
import { noteDaysToRerate } from '../notes.ts';

/** Capacity bought for one deployment over one run of hours. */
export interface ProvisionedPurchase {
  provisionedCapacityId: string;
  /** As Azure compares names: lower case, without surrounding space. */
  deployment: string;
  validFrom: Date;
  /** Not included; null: until further notice. */
  validUntil: Date | null;
  terms: ProvisionedTerms;
  note: string;
  createdBy: string;
  createdAt: Date;
}

export type NewPurchase = Pick<
  ProvisionedPurchase,
  'deployment' | 'validFrom' | 'validUntil' | 'terms' | 'note'
>;

/** Purchases that are in force in some hour of the window, or all of them; by deployment and time. */
export async function readPurchases(
  database: LedgerDatabase | LedgerTransaction,
  window?: TimeWindow,
): Promise<ProvisionedPurchase[]> {
  const rows = await database
    .selectFrom('provisioned_capacity')
    .selectAll()
    .$if(window !== undefined, (query) =>
      query
        .where('valid_from', '<', window?.end ?? new Date(0))
        .where(sql<boolean>`coalesce(valid_until, 'infinity') > ${window?.start ?? new Date(0)}`),
    )
    .orderBy('deployment')
    .orderBy('valid_from')
    .execute();
  return rows.map(toPurchase);
}

/**
 * Writes down what was bought. A purchase that runs until further notice ends where a later one of its deployment
 * begins; any other overlap is refused. Days that are rated already are rated again. Audited.
 * @throws ValidationError when times or terms make no sense; TallystickError CONFLICT when it overlaps another
 */
export async function addPurchase(
  database: LedgerDatabase,
  purchase: NewPurchase,
  by: { actor: string; now: Date },
): Promise<ProvisionedPurchase> {
  const deployment = nameKey(purchase.deployment);
  const { validFrom, validUntil, terms, note } = purchase;
  checkPurchase(purchase);
  return await database.transaction().execute(async (transaction) => {
    // One writer at a time, so that two purchases cannot both see no overlap.
    await sql`select pg_advisory_xact_lock(hashtext('provisioned_capacity'))`.execute(transaction);
    const others = (await readPurchases(transaction)).filter((other) => other.deployment === deployment);
    for (const other of others) {
      if (validFrom >= (other.validUntil ?? FOREVER) || (validUntil ?? FOREVER) <= other.validFrom) continue;
      if (other.validUntil !== null || other.validFrom >= validFrom) throw overlap(other);
      await transaction
        .updateTable('provisioned_capacity')
        .set({ valid_until: validFrom })
        .where('provisioned_capacity_id', '=', other.provisionedCapacityId)
        .execute();
    }
    const row = await transaction
      .insertInto('provisioned_capacity')
      .values({
        provisioned_capacity_id: `ptu_${randomUUID().replaceAll('-', '')}`,
        deployment,
        valid_from: validFrom,
        valid_until: validUntil,
        unit_count: terms.unitCount,
        unit_increment: terms.unitIncrement,
        hourly_usd_per_unit: terms.hourlyUsdPerUnit,
        reserved_unit_count: terms.reservedUnitCount,
        reserved_hourly_usd_per_unit: terms.reservedHourlyUsdPerUnit,
        tokens_per_minute_per_unit: BigInt(terms.tokensPerMinutePerUnit),
        completion_weight: terms.completionWeight,
        cached_weight: terms.cachedWeight,
        idle_policy: terms.idlePolicy,
        note,
        noticed_until: validFrom,
        created_by: by.actor,
        created_at: by.now,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    const added = toPurchase(row);
    const rerated = await noteDaysToRerate(
      transaction,
      { fromDay: dayOf(validFrom), untilDay: null },
      added.provisionedCapacityId,
    );
    await writeAudit(transaction, {
      actor: by.actor,
      action: 'provisioned.add',
      target: added.provisionedCapacityId,
      details: { deployment, validFrom, validUntil, terms, note, daysToRerate: rerated },
      now: by.now,
    });
    return added;
  });
}

const FOREVER = new Date(8_640_000_000_000_000);

function checkPurchase({ validFrom, validUntil, terms, deployment }: NewPurchase): void {
  if (nameKey(deployment) === '') throw new ValidationError('deployment', 'must not be empty');
  for (const [field, instant] of [['from', validFrom] as const, ['until', validUntil] as const]) {
    if (instant !== null && instant.getTime() % HOUR_MS !== 0) {
      throw new ValidationError(field, 'must be on a whole hour', 'Capacity is paid by the UTC hour.');
    }
  }
  if (validUntil !== null && validUntil <= validFrom) {
    throw new ValidationError('until', 'must be after from');
  }
  try {
    createProvisionedCapacity(terms);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ValidationError('terms', error.message);
  }
}

function overlap(other: ProvisionedPurchase): TallystickError {
  const until = other.validUntil?.toISOString() ?? 'further notice';
  return new TallystickError(
    `from: ${other.provisionedCapacityId} holds for ${other.deployment} from ${other.validFrom.toISOString()} until ${until}.`,
    {
      code: 'CONFLICT',
      retry: false,
      context: { field: 'from' },
      fix: 'Begin later than it begins, or end where it begins; two purchases never hold at once.',
    },
  );
}

function dayOf(instant: Date): string {
  return instant.toISOString().slice(0, 10);
}

function toPurchase(row: Ledger['provisioned_capacity']): ProvisionedPurchase {
  return {
    provisionedCapacityId: row.provisioned_capacity_id,
    deployment: row.deployment,
    validFrom: row.valid_from,
    validUntil: row.valid_until,
    terms: {
      unitCount: row.unit_count,
      unitIncrement: row.unit_increment,
      hourlyUsdPerUnit: row.hourly_usd_per_unit,
      reservedUnitCount: row.reserved_unit_count,
      reservedHourlyUsdPerUnit: row.reserved_hourly_usd_per_unit,
      tokensPerMinutePerUnit: Number(row.tokens_per_minute_per_unit),
      completionWeight: row.completion_weight,
      cachedWeight: row.cached_weight,
      idlePolicy: row.idle_policy,
    },
    note: row.note,
    createdBy: row.created_by,
    createdAt: row.created_at,
  };
}
