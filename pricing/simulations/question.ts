import { nearestNames } from '../near-names.ts';
import type { Plan } from '../plans/plan.ts';
import { resolveModel } from '../prices/lookup.ts';
import { nearModels } from '../prices/near-models.ts';
import type { PriceBook } from '../prices/price-book.ts';
import { type Fault, invalid, refuseFaults } from '../refusal.ts';
import { PreparedScenario } from './prepared.ts';
import type { Scenario } from './scenario.ts';

/** A scenario as it is asked for: its plan by name. */
export type AskedScenario = Omit<Scenario, 'plan' | 'markupPercent' | 'minimum' | 'discountPercent'> & {
  plan?: string | undefined;
  /** Of the plan; it holds for the whole period, whenever it begins. */
  planVersion?: string | undefined;
  markupPercent?: string | undefined;
  minimum?: { amount: string; currency: string } | undefined;
  discountPercent?: string | undefined;
};

/** What is read to know which scenarios a request means, as it was at one instant. */
export interface ScenarioFacts {
  priceBook: PriceBook;
  /** All of them, where a scenario names one. */
  plans: readonly Plan[];
  /** Features with usage in the period, where a scenario names some. */
  usedFeatures: readonly string[];
  hasUsage: boolean;
  /** First and last hour with usage, where the period has none; null when there is none at all. */
  extent: { first: Date; last: Date } | null;
}

/**
 * The scenarios that are meant.
 * @throws Refusal UNKNOWN_PLAN, UNKNOWN_MODEL, UNKNOWN_FEATURE with near names; VALIDATION for what cannot be applied,
 *   and for a period without usage
 */
export function decideScenarios(
  asked: readonly AskedScenario[],
  start: Date,
  facts: ScenarioFacts,
): Scenario[] {
  const { priceBook, plans } = facts;
  refuseFaults('UNKNOWN_PLAN', 'The simulation names plans that are not stored', faultyPlans(asked, plans));
  refuseFaults(
    'UNKNOWN_MODEL',
    'The simulation names what the price book does not hold',
    faultyModels(asked, priceBook),
  );
  // Before features: without any usage none of them has some.
  if (!facts.hasUsage) refusePeriod(facts.extent);
  refuseFaults(
    'UNKNOWN_FEATURE',
    'The simulation names features without usage in the period',
    faultyFeatures(asked, facts.usedFeatures),
  );
  const scenarios = asked.map(({ planVersion, ...given }, index) => {
    const plan = plans.find(({ planId }) => planId === given.plan) ?? null;
    const scenario: Scenario = {
      ...given,
      plan: plan === null || planVersion === undefined ? plan : alwaysAt(plan, planVersion),
      markupPercent: given.markupPercent ?? null,
      minimum: given.minimum ?? null,
      discountPercent: given.discountPercent ?? null,
    };
    checkScenario(scenario, index, start, priceBook);
    return scenario;
  });
  return scenarios;
}

/** Features that scenarios speak of. */
export function namedFeatures(asked: readonly AskedScenario[]): string[] {
  const named = asked.flatMap(({ withoutFeatures, sellPrices, sellChanges, modelSwaps }) => [
    ...withoutFeatures,
    ...[...sellPrices, ...sellChanges, ...modelSwaps]
      .map(({ feature }) => feature ?? '*')
      .filter((feature) => feature !== '*'),
  ]);
  return [...new Set(named)];
}

function checkScenario(scenario: Scenario, index: number, start: Date, book: PriceBook): void {
  const field = `scenarios[${index}]`;
  const first = scenario.plan?.versions[0];
  const month = new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth(), 1));
  if (first !== undefined && Date.parse(first.effectiveFrom) > month.getTime()) {
    throw invalid(
      `${field}.plan`,
      `${scenario.plan?.planId} is in force from ${first.effectiveFrom}, which is after ${month.toISOString()}`,
      'Begin the period later, or take a plan that was in force.',
    );
  }
  try {
    new PreparedScenario(scenario, book).check(month);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw invalid(field, error.message);
  }
}

function refusePeriod(extent: ScenarioFacts['extent']): never {
  throw invalid(
    'from',
    'no usage is stored of the period',
    extent === null
      ? 'Nothing is settled yet.'
      : `Usage is stored from ${extent.first.toISOString()} until ${extent.last.toISOString()}.`,
  );
}

function faultyPlans(asked: readonly AskedScenario[], plans: readonly Plan[]): Fault[] {
  const known = plans.map(({ planId }) => planId);
  return asked.flatMap(({ plan, planVersion }, index) => {
    if (plan === undefined) return [];
    const found = plans.find(({ planId }) => planId === plan);
    if (found === undefined) {
      const message = `there is no plan ${JSON.stringify(plan)}`;
      const fix = suggest(nearestNames(known, plan.toLowerCase()), known);
      return [{ field: `scenarios[${index}].plan`, message, fix }];
    }
    const versions = found.versions.map(({ versionId }) => versionId);
    if (planVersion === undefined || versions.includes(planVersion)) return [];
    const message = `${plan} has no version ${JSON.stringify(planVersion)}`;
    return [{ field: `scenarios[${index}].planVersion`, message, fix: suggest([], versions) }];
  });
}

/** The plan as if one of its versions had always been in force: what it would have brought before it is. */
function alwaysAt(plan: Plan, versionId: string): Plan {
  return {
    ...plan,
    versions: plan.versions
      .filter((version) => version.versionId === versionId)
      .map((version) => ({ ...version, effectiveFrom: '1970-01-01T00:00:00Z' })),
  };
}

function faultyModels(asked: readonly AskedScenario[], book: PriceBook): Fault[] {
  return asked.flatMap(({ costPrices, sellPrices, costChanges, sellChanges, modelSwaps }, index) => {
    const named: [string, string][] = [
      ...costPrices.map(({ model }): [string, string] => ['costPrices', model]),
      ...sellPrices.map(({ model }): [string, string] => ['sellPrices', model]),
      ...costChanges.map(({ model }): [string, string] => ['costChanges', model]),
      ...sellChanges.map(({ model }): [string, string] => ['sellChanges', model]),
      // What is swapped away may be a model that nobody knows a price of.
      ...modelSwaps.map(({ to }): [string, string] => ['modelSwaps', to]),
    ];
    return named
      .filter(([, model]) => model !== '*' && resolveModel(book, { model }) === null)
      .map(([list, model]) => ({
        field: `scenarios[${index}].${list}`,
        message: `no price is known for ${JSON.stringify(model)}`,
        fix: suggest(nearModels(book, model), book.models),
      }));
  });
}

function faultyFeatures(asked: readonly AskedScenario[], used: readonly string[]): Fault[] {
  return namedFeatures(asked)
    .filter((feature) => !used.includes(feature))
    .map((feature) => ({
      field: 'scenarios.feature',
      message: `no usage of ${JSON.stringify(feature)}`,
      fix: suggest(nearestNames(used, feature), used),
    }));
}

function suggest(near: readonly string[], known: readonly string[]): string {
  if (near.length > 0) return `near names: ${near.join(', ')}.`;
  return known.length === 0 ? 'none is stored yet.' : `known: ${known.slice(0, 50).join(', ')}.`;
}
