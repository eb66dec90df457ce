import { nearestNames } from '../../pricing/near-names.ts';
import { type PlanFileData, toPlan } from '../../pricing/plans/file.ts';
import type { GlobalMarkup, Plan, PlanVersion } from '../../pricing/plans/plan.ts';
import type { TokenType } from '../../pricing/usage/tokens.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { TallystickError } from '../platform/errors.ts';

/** Every plan with its versions, oldest first, by plan id. What a later recording replaced is not among them. */
export async function readPlans(database: LedgerDatabase | LedgerTransaction): Promise<Plan[]> {
  const rows = await database
    .selectFrom('plan_versions')
    .distinctOn(['plan_id', 'effective_from'])
    .select(['plan_id', 'content'])
    .orderBy('plan_id')
    .orderBy('effective_from')
    .orderBy('plan_version_id', 'desc')
    .execute();
  if (rows.length === 0) return [];
  const globalMarkups = await readGlobalMarkups(database);
  const byPlan = Map.groupBy(rows, (row) => row.plan_id);
  return [...byPlan.values()].map((versions) =>
    joinVersions(
      versions.map(({ content }) => content as PlanFileData),
      globalMarkups,
    ),
  );
}

/**
 * One plan.
 * @throws TallystickError NOT_FOUND with near names
 */
export async function readPlan(database: LedgerDatabase | LedgerTransaction, planId: string): Promise<Plan> {
  const plans = await readPlans(database);
  const found = plans.find((plan) => plan.planId === planId);
  if (found !== undefined) return found;
  throw unknownPlan(
    planId,
    plans.map((plan) => plan.planId),
  );
}

/**
 * One version, also one that was replaced before it came into force; with the plan as it was then written.
 * @throws TallystickError NOT_FOUND
 */
export async function readPlanVersion(
  database: LedgerDatabase,
  planId: string,
  versionId: string,
): Promise<{ plan: Plan; version: PlanVersion }> {
  const row = await database
    .selectFrom('plan_versions')
    .select('content')
    .where('plan_id', '=', planId)
    .where('version_id', '=', versionId)
    .orderBy('plan_version_id', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (row === undefined) {
    const { versions } = await readPlan(database, planId);
    throw new TallystickError(`Plan ${planId} has no version ${JSON.stringify(versionId.slice(0, 100))}.`, {
      code: 'NOT_FOUND',
      retry: false,
      fix: `It has ${versions.map((version) => version.versionId).join(', ')}.`,
    });
  }
  const plan = toPlan(row.content as PlanFileData, await readGlobalMarkups(database));
  const [version] = plan.versions;
  if (version === undefined) throw new RangeError(`version ${versionId} of plan ${planId} is stored empty`);
  return { plan, version };
}

/** The markup of the house, oldest first. */
export async function readGlobalMarkups(
  database: LedgerDatabase | LedgerTransaction,
): Promise<GlobalMarkup[]> {
  const rows = await database
    .selectFrom('global_markups')
    .distinctOn('effective_from')
    .select(['effective_from', 'markup_percent'])
    .orderBy('effective_from')
    .orderBy('global_markup_id', 'desc')
    .execute();
  return rows.map((row) => ({
    effectiveFrom: row.effective_from.toISOString(),
    markupPercent: row.markup_percent,
  }));
}

/** Features that usage has shown, sorted; null while there is none to know them from. */
export async function readUsedFeatures(database: LedgerDatabase): Promise<string[] | null> {
  const rows = await database
    .selectFrom('hourly_usage')
    .select('feature')
    .distinct()
    .where('feature', '!=', '')
    .orderBy('feature')
    .execute();
  return rows.length === 0 ? null : rows.map((row) => row.feature);
}

/** Which Stripe meter takes which usage. */
export async function readMeterBindings(
  database: LedgerDatabase,
): Promise<{ model: string; feature: string; tokenType: TokenType; meterId: string }[]> {
  return await database
    .selectFrom('meter_bindings')
    .select(['model', 'feature', 'token_type as tokenType', 'stripe_meter_id as meterId'])
    .orderBy('model')
    .orderBy('token_type')
    .orderBy('feature')
    .execute();
}

/** That nobody knows a plan of this name, and which ones there are. */
function unknownPlan(planId: string, known: readonly string[]): TallystickError {
  const near = nearestNames(known, planId.toLowerCase());
  const named = near.length > 0 ? near : known;
  return new TallystickError(`There is no plan ${JSON.stringify(planId.slice(0, 100))}.`, {
    code: 'NOT_FOUND',
    retry: false,
    fix: named.length === 0 ? 'No plan is stored yet.' : `There is ${named.join(', ')}.`,
    context: { planId: planId.slice(0, 100) },
  });
}

/** Head and features as the newest version was recorded with, all versions beneath. */
function joinVersions(contents: readonly PlanFileData[], globalMarkups: readonly GlobalMarkup[]): Plan {
  const newest = contents.at(-1);
  if (newest === undefined) throw new RangeError('a plan has at least one version');
  const versions = contents.flatMap((content) => content.versions);
  const features = [...new Set(contents.flatMap((content) => content.features ?? []))];
  return toPlan({ ...newest, features, versions }, globalMarkups);
}
