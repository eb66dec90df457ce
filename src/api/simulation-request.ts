import { nearestNames, nearNames } from '../../pricing/near-names.ts';
import type { PriceBook } from '../../pricing/price-book.ts';
import { resolveModel } from '../../pricing/price-lookup.ts';
import { PreparedScenario, type Scenario } from '../../pricing/scenario.ts';
import { DAY_MS, type TimeWindow } from '../clock.ts';
import { TallystickError, ValidationError } from '../errors.ts';
import { readPlans } from '../ledger/plans.ts';
import { listUsedFeatures } from '../ledger/quote-usage.ts';
import type { ApiDependencies } from './dependencies.ts';
import type { SimulationRequest } from './simulation-schemas.ts';
import { readWindow } from './usage-window.ts';

interface Fault {
  field: string;
  message: string;
  fix?: string;
}

/** @throws ValidationError unless the period is whole UTC days that are over */
export function readSimulationWindow(request: SimulationRequest, now: Date): TimeWindow {
  const window = readWindow(request);
  for (const [field, instant] of [['from', window.start] as const, ['to', window.end] as const]) {
    if (instant.getTime() % DAY_MS !== 0) {
      throw new ValidationError(field, 'must be midnight UTC', 'Costs are kept by the UTC day.');
    }
  }
  if (window.start > now) {
    throw new ValidationError('from', 'lies in the future', `It is ${now.toISOString()} now.`);
  }
  if (window.end.getTime() - DAY_MS > now.getTime()) {
    throw new ValidationError(
      'to',
      'lies in the future',
      `A simulation is of usage that was; end at ${new Date(Math.ceil(now.getTime() / DAY_MS) * DAY_MS).toISOString()} or before.`,
    );
  }
  return window;
}

/**
 * The scenarios that a request means.
 * @throws TallystickError UNKNOWN_PLAN, UNKNOWN_MODEL, UNKNOWN_FEATURE with near names; ValidationError for what
 *   cannot be applied
 */
export async function readScenarios(
  { database }: ApiDependencies,
  request: SimulationRequest,
  window: TimeWindow,
  book: PriceBook,
): Promise<Scenario[]> {
  const plans = request.scenarios.some(({ plan }) => plan !== undefined) ? await readPlans(database) : [];
  refuse('UNKNOWN_PLAN', 'The simulation names plans that are not stored', faultyPlans(request, plans));
  refuse(
    'UNKNOWN_MODEL',
    'The simulation names what the price book does not hold',
    faultyModels(request, book),
  );
  const named = request.scenarios.flatMap(({ withoutFeatures, sellPrices }) => [
    ...withoutFeatures,
    ...sellPrices.map(({ feature }) => feature).filter((feature) => feature !== '*'),
  ]);
  if (named.length > 0) {
    const used = await listUsedFeatures(database, window);
    const unknown = [...new Set(named)].filter((feature) => !used.includes(feature));
    refuse(
      'UNKNOWN_FEATURE',
      'The simulation names features without usage in the period',
      unknown.map((feature) => ({
        field: 'scenarios.withoutFeatures',
        message: `no usage of ${JSON.stringify(feature)}`,
        fix: suggest(nearestNames(used, feature), used),
      })),
    );
  }
  return request.scenarios.map((given, index) => {
    const scenario: Scenario = {
      ...given,
      plan: plans.find(({ planId }) => planId === given.plan) ?? null,
      markupPercent: given.markupPercent ?? null,
    };
    checkScenario(scenario, index, window, book);
    return scenario;
  });
}

function checkScenario(scenario: Scenario, index: number, window: TimeWindow, book: PriceBook): void {
  const field = `scenarios[${index}]`;
  const first = scenario.plan?.versions[0];
  const month = new Date(Date.UTC(window.start.getUTCFullYear(), window.start.getUTCMonth(), 1));
  if (first !== undefined && Date.parse(first.effectiveFrom) > month.getTime()) {
    throw new ValidationError(
      `${field}.plan`,
      `${scenario.plan?.planId} is in force from ${first.effectiveFrom}, which is after ${month.toISOString()}`,
      'Begin the period later, or take a plan that was in force.',
    );
  }
  try {
    new PreparedScenario(scenario, book).check(month);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ValidationError(field, error.message);
  }
}

function faultyPlans(request: SimulationRequest, plans: readonly { planId: string }[]): Fault[] {
  const known = plans.map(({ planId }) => planId);
  return request.scenarios.flatMap(({ plan }, index) =>
    plan === undefined || known.includes(plan)
      ? []
      : [
          {
            field: `scenarios[${index}].plan`,
            message: `there is no plan ${JSON.stringify(plan)}`,
            fix: suggest(nearestNames(known, plan.toLowerCase()), known),
          },
        ],
  );
}

function faultyModels(request: SimulationRequest, book: PriceBook): Fault[] {
  return request.scenarios.flatMap(({ costPrices, sellPrices, modelSwaps }, index) => {
    const named: [string, string][] = [
      ...costPrices.map(({ model }): [string, string] => ['costPrices', model]),
      ...sellPrices.map(({ model }): [string, string] => ['sellPrices', model]),
      // What is swapped away may be a model that nobody knows a price of.
      ...modelSwaps.map(({ to }): [string, string] => ['modelSwaps', to]),
    ];
    return named
      .filter(([, model]) => model !== '*' && resolveModel(book, { model }) === null)
      .map(([list, model]) => ({
        field: `scenarios[${index}].${list}`,
        message: `no price is known for ${JSON.stringify(model)}`,
        fix: suggest(nearNames(book, model), book.models),
      }));
  });
}

function suggest(near: readonly string[], known: readonly string[]): string {
  if (near.length > 0) return `near names: ${near.join(', ')}.`;
  return known.length === 0 ? 'none is stored yet.' : `known: ${known.slice(0, 50).join(', ')}.`;
}

function refuse(
  code: 'UNKNOWN_PLAN' | 'UNKNOWN_MODEL' | 'UNKNOWN_FEATURE',
  message: string,
  errors: readonly Fault[],
): void {
  if (errors.length === 0) return;
  const sentences = errors.slice(0, 5).map((fault) => `${fault.message}; ${fault.fix}`);
  throw new TallystickError(`${message}: ${sentences.join(' ')}`, {
    code,
    retry: false,
    context: { errors },
  });
}
