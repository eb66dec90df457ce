import { nearestNames } from '../near-names.ts';
import { findPrice, resolveModel, STANDARD_REQUEST } from '../prices/lookup.ts';
import type { PriceBook } from '../prices/price-book.ts';
import { modelKey, nameKey } from '../usage/names.ts';
import { caught, statedPriceProblems } from './check-price.ts';
import { globalMarkupAt, type Plan, type PlanProblem, type PlanRate, type PlanVersion } from './plan.ts';
import { markedUpUnitAmount, wholeMinorOf } from './price.ts';

export interface PlanContext {
  book: PriceBook;
  /** Features that usage has shown; null when there is no usage to know them from: then none is refused. */
  features: readonly string[] | null;
}

/** Beyond this a markup is a slip of the finger: a price a hundred times the cost. */
const HIGHEST_MARKUP_PERCENT = 10_000;

/** Everything that is wrong with a plan, each with its place and what to write instead; empty when nothing is. */
export function planProblems(plan: Plan, context: PlanContext): PlanProblem[] {
  return [
    ...currencyProblems(plan),
    ...plan.versions.flatMap((version, index) => [
      ...orderProblems(plan, index),
      ...versionProblems(plan, version, `versions[${index}]`),
      ...version.rates.flatMap((rate, position) =>
        rateProblems({ plan, version, rate, path: `versions[${index}].rates[${position}]`, ...context }),
      ),
      ...clashProblems(version, `versions[${index}].rates`, context.book),
    ]),
  ];
}

function currencyProblems({ currency }: Plan): PlanProblem[] {
  const known = Intl.supportedValuesOf('currency').map((code) => code.toLowerCase());
  if (known.includes(currency)) return [];
  return [unknownName('currency', 'currency', currency, known)];
}

function orderProblems({ versions }: Plan, index: number): PlanProblem[] {
  const before = versions[index - 1]?.effectiveFrom;
  const own = versions[index]?.effectiveFrom;
  if (before === undefined || own === undefined || own > before) return [];
  const message =
    own === before ? `two versions are of ${own}` : `${own} comes after ${before}, and is earlier`;
  return [
    { path: `versions[${index}].effectiveFrom`, message, fix: 'Put versions in order, the oldest first.' },
  ];
}

function versionProblems(plan: Plan, version: PlanVersion, path: string): PlanProblem[] {
  const minimum = version.minimum;
  return [
    ...(version.markupPercent === null ? [] : markupProblems(version.markupPercent, `${path}.markupPercent`)),
    ...(minimum === null
      ? []
      : caught(`${path}.minimum`, 'Write an amount that the currency can be paid in, 0 or more.', () =>
          wholeMinorOf(minimum, plan.currency),
        )),
  ];
}

interface RateInput extends PlanContext {
  plan: Plan;
  version: PlanVersion;
  rate: PlanRate;
  path: string;
}

function rateProblems(input: RateInput): PlanProblem[] {
  const { plan, rate, path } = input;
  return [
    ...nameProblems(input),
    ...(rate.price.kind === 'markup'
      ? markupRateProblems(input, rate.price)
      : statedPriceProblems(plan.currency, rate, path)),
  ];
}

function nameProblems({ plan, rate, path, book, features }: RateInput): PlanProblem[] {
  const problems: PlanProblem[] = [];
  if (rate.model !== '*' && resolveModel(book, { model: rate.model }) === null) {
    problems.push(unknownName(`${path}.model`, 'model', rate.model, book.models));
  }
  const known = features === null ? null : [...new Set([...features, ...plan.features])];
  const isKnown = known?.some((name) => nameKey(name) === nameKey(rate.feature)) ?? true;
  if (rate.feature !== '*' && known !== null && !isKnown) {
    const problem = unknownName(`${path}.feature`, 'feature', rate.feature, known);
    problems.push({ ...problem, fix: `${problem.fix} A new one is listed under "features" of the plan.` });
  }
  return problems;
}

function markupRateProblems(
  { plan, version, rate, path, book }: RateInput,
  price: Extract<PlanRate['price'], { kind: 'markup' }>,
): PlanProblem[] {
  if (plan.currency !== book.currency) {
    const message = `a markup is on costs in ${book.currency}, and the plan is in ${plan.currency}`;
    return [{ path, message, fix: `State the price in ${plan.currency}: perMillion, graduated or volume.` }];
  }
  const problems = price.percent === null ? [] : markupProblems(price.percent, `${path}.markupPercent`);
  const at = new Date(version.effectiveFrom);
  if ((price.percent ?? version.markupPercent ?? globalMarkupAt(plan, at)) === null) {
    const message = 'has no price, and neither it nor the plan nor the house has a markup then';
    problems.push({ path, message, fix: 'State a price, or a markupPercent.' });
  }
  if (rate.includedTokens !== null && (rate.model === '*' || rate.tokenType === '*')) {
    const message = 'is one allowance, and the rate becomes many, one for each model and token type';
    problems.push({ path: `${path}.includedTokens`, message, fix: 'Name the model and the token type.' });
  } else if (rate.includedTokens === 0n) {
    problems.push({ path: `${path}.includedTokens`, message: 'is 0', fix: 'Leave it out, or include some.' });
  }
  const { tokenType, model } = rate;
  if (tokenType !== '*' && model !== '*' && resolveModel(book, { model }) !== null) {
    const query = { ...STANDARD_REQUEST, model, deploymentType: price.deploymentType, at };
    if (!findPrice(book, query, tokenType).found) {
      const message = `the price book has no ${tokenType} price of ${model} then: there is nothing to mark up`;
      problems.push({ path, message, fix: 'State the price, or add the cost to the price book.' });
    }
  }
  return problems;
}

function markupProblems(percent: string, path: string): PlanProblem[] {
  const fix = `Write per cent from 0 to ${HIGHEST_MARKUP_PERCENT}, with at most 4 decimals.`;
  const malformed = caught(path, fix, () => markedUpUnitAmount(1n, percent, 'usd'));
  if (malformed.length > 0 || Number(percent) <= HIGHEST_MARKUP_PERCENT) return malformed;
  return [{ path, message: `${percent} % is absurd`, fix }];
}

/** Rates between which nothing decides. */
function clashProblems({ rates }: PlanVersion, path: string, book: PriceBook): PlanProblem[] {
  const problems: PlanProblem[] = [];
  const firstByKey = new Map<string, number>();
  for (const [index, rate] of rates.entries()) {
    const model = resolveModel(book, { model: rate.model })?.model ?? rate.model;
    const key = JSON.stringify([modelKey(model), rate.tokenType, nameKey(rate.feature)]);
    const first = firstByKey.get(key);
    if (first === undefined) firstByKey.set(key, index);
    else {
      const message = `prices the same as ${path}[${first}]: ${rate.model}, ${rate.tokenType}, ${rate.feature}`;
      problems.push({ path: `${path}[${index}]`, message, fix: 'Keep one of the two.' });
    }
  }
  for (const [index, rate] of rates.entries()) {
    if (rate.model !== '*' || rate.feature === '*' || rate.price.kind === 'markup') continue;
    const wide = rates.findIndex(
      (other) =>
        other.model === '*' &&
        other.feature === '*' &&
        other.price.kind === 'markup' &&
        (other.tokenType === '*' || other.tokenType === rate.tokenType),
    );
    if (wide < 0) continue;
    const message = `never applies: ${path}[${wide}] becomes a rate for each model, and a model wins over a feature`;
    problems.push({ path: `${path}[${index}]`, message, fix: 'Name the models of the feature.' });
  }
  return problems;
}

function unknownName(
  path: string,
  kind: NonNullable<PlanProblem['unknown']>,
  given: string,
  known: readonly string[],
): PlanProblem {
  const near = nearestNames(known, given.toLowerCase());
  const fix =
    near.length > 0 ? `Near names: ${near.join(', ')}.` : `None of the ${known.length} known is near.`;
  return { path, message: `${JSON.stringify(given)} is no ${kind} we know`, fix, unknown: kind };
}
