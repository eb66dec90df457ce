import { sql } from 'kysely';
import { type PlanFileData, toPlan } from '../../pricing/plans/file.ts';
import type { GlobalMarkup, PlanVersion } from '../../pricing/plans/plan.ts';
import { writeAudit } from '../platform/database/audit.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { readGlobalMarkups, readPlans } from './plans.ts';

/** Any fixed number; one recording of plans happens at a time. */
const ADVISORY_LOCK_KEY = 7_411_972;

interface RecordedVersion {
  planId: string;
  versionId: string;
  effectiveFrom: string;
}

export interface RefusedVersion extends RecordedVersion {
  message: string;
  fix: string;
}

export interface PlanRecording {
  recorded: RecordedVersion[];
  unchanged: RecordedVersion[];
  /** When anything is refused, nothing is recorded. */
  refused: RefusedVersion[];
}

/**
 * Stores the versions that are not stored yet, all or none. What is in force is never changed and nothing is put
 * before it: a new version is dated in the future, unless no version of its plan is in force. A version that is
 * still to come may be replaced by another of the same instant. The caller has checked the plans.
 * @param by.isReplay the versions may have been recorded and replaced before: those are left as they are
 */
export async function recordPlans(
  database: LedgerDatabase,
  plans: readonly PlanFileData[],
  by: { actor: string; now: Date; isReplay?: boolean },
): Promise<PlanRecording> {
  return await database.transaction().execute(async (transaction) => {
    await sql`select pg_advisory_xact_lock(${ADVISORY_LOCK_KEY})`.execute(transaction);
    const known = new Map((await readPlans(transaction)).map((plan) => [plan.planId, plan]));
    const replayed = by.isReplay === true ? await readVersionIds(transaction) : new Set<string>();
    const outcome: PlanRecording = { recorded: [], unchanged: [], refused: [] };
    const fresh: { data: PlanFileData; version: PlanVersion }[] = [];
    for (const file of plans) {
      const stored = known.get(file.plan);
      for (const [index, version] of toPlan(file, []).versions.entries()) {
        const named = {
          planId: file.plan,
          versionId: version.versionId,
          effectiveFrom: version.effectiveFrom,
        };
        const same =
          replayed.has(`${file.plan} ${version.versionId}`) ||
          stored?.versions.some((other) => other.versionId === version.versionId) === true;
        const refusal = same ? null : refuse(stored, file.currency, version, by.now);
        const raw = file.versions[index];
        if (same) outcome.unchanged.push(named);
        else if (refusal !== null) outcome.refused.push({ ...named, ...refusal });
        else if (raw !== undefined) fresh.push({ data: { ...file, versions: [raw] }, version });
      }
    }
    if (outcome.refused.length > 0) return outcome;
    for (const { data, version } of fresh) {
      await insertVersion(transaction, data, version, by);
      const { versionId, effectiveFrom } = version;
      outcome.recorded.push({ planId: data.plan, versionId, effectiveFrom });
    }
    return outcome;
  });
}

/**
 * Stores markups of the house that are not stored yet, by the rule of `recordPlans`.
 * @returns the instants of those that were refused
 */
export async function recordGlobalMarkups(
  database: LedgerDatabase,
  markups: readonly GlobalMarkup[],
  by: { actor: string; now: Date },
): Promise<{ recorded: GlobalMarkup[]; refused: GlobalMarkup[] }> {
  return await database.transaction().execute(async (transaction) => {
    await sql`select pg_advisory_xact_lock(${ADVISORY_LOCK_KEY})`.execute(transaction);
    const known = await readGlobalMarkups(transaction);
    const isInForce = known.some((markup) => Date.parse(markup.effectiveFrom) <= by.now.getTime());
    const fresh = markups.filter(
      (markup) =>
        !known.some(
          (other) =>
            other.effectiveFrom === markup.effectiveFrom && other.markupPercent === markup.markupPercent,
        ),
    );
    const refused = fresh.filter(
      (markup) => isInForce && Date.parse(markup.effectiveFrom) <= by.now.getTime(),
    );
    if (refused.length > 0) return { recorded: [], refused };
    for (const markup of fresh) {
      const values = {
        effective_from: new Date(markup.effectiveFrom),
        markup_percent: markup.markupPercent,
        recorded_by: by.actor,
        recorded_at: by.now,
      };
      await transaction.insertInto('global_markups').values(values).execute();
      await writeAudit(transaction, {
        actor: by.actor,
        action: 'markup.record',
        target: 'global',
        details: { ...markup },
        now: by.now,
      });
    }
    return { recorded: fresh, refused };
  });
}

/** Why a version may not be stored beside those that are; null: it may. */
function refuse(
  stored: { currency: string; versions: readonly PlanVersion[] } | undefined,
  currency: string,
  version: PlanVersion,
  now: Date,
): { message: string; fix: string } | null {
  if (stored === undefined) return null;
  if (stored.currency !== currency) {
    return {
      message: `the plan is in ${stored.currency}, and this version in ${currency}`,
      fix: 'Make a plan of its own for each currency.',
    };
  }
  const inForce = stored.versions.findLast((other) => Date.parse(other.effectiveFrom) <= now.getTime());
  if (inForce === undefined || Date.parse(version.effectiveFrom) > now.getTime()) return null;
  return {
    message:
      version.effectiveFrom === inForce.effectiveFrom
        ? `version ${inForce.versionId} of this date is in force, and differs`
        : `it is dated ${version.effectiveFrom}, and version ${inForce.versionId} is in force: what was charged is not changed`,
    fix: 'Give the new version a date in the future.',
  };
}

/** Of every version that was ever recorded, with its plan. */
async function readVersionIds(transaction: LedgerTransaction): Promise<Set<string>> {
  const rows = await transaction.selectFrom('plan_versions').select(['plan_id', 'version_id']).execute();
  return new Set(rows.map((row) => `${row.plan_id} ${row.version_id}`));
}

async function insertVersion(
  transaction: LedgerTransaction,
  data: PlanFileData,
  version: PlanVersion,
  by: { actor: string; now: Date },
): Promise<void> {
  await transaction
    .insertInto('plan_versions')
    .values({
      plan_id: data.plan,
      version_id: version.versionId,
      effective_from: new Date(version.effectiveFrom),
      content: JSON.stringify(data),
      recorded_by: by.actor,
      recorded_at: by.now,
    })
    .execute();
  await writeAudit(transaction, {
    actor: by.actor,
    action: 'plan.record',
    target: data.plan,
    details: { versionId: version.versionId, effectiveFrom: version.effectiveFrom },
    now: by.now,
  });
}
