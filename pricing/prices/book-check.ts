import { modelKey, nameKey } from '../usage/names.ts';
import { isPattern } from './deployments.ts';
import {
  DEPLOYMENT_TYPES,
  type DeploymentRule,
  hasServiceTiers,
  isByToken,
  nameOfRow,
  normalizeInstant,
  PRICE_KINDS,
  PRICE_UNITS,
  type PriceBookData,
  type PriceRow,
  picoPerUnitOf,
  RETIRED,
  SERVICE_TIERS,
  startOf,
  timelineKeyOf,
  unitFits,
} from './rows.ts';

/** What is wrong with one entry of a price book. */
export interface PriceProblem {
  /** The row or rule itself; null when it is about a model or a source. */
  entry: PriceRow | DeploymentRule | null;
  /** Names the entry for people. */
  subject: string;
  field: string;
  message: string;
  fix?: string;
}

/** A price this many times the one before it, or this part of it, is taken for a slip of the unit. */
const ABSURD_FACTOR = 100n;

const MAX_TEXT_LENGTH = 1_000;
const REGION = /^(?:\*|[a-z0-9][a-z0-9-]{0,63})$/;
/** As it stands in the key of a price: without brackets. */
const VARIANT = /^[a-z0-9][a-z0-9 ._-]{0,63}$/;
/** More input than any model takes in a request. */
const MAX_CONTEXT_TOKENS = 1_000_000_000;
const DAY = /^\d{4}-\d\d-\d\d$/;

/** Everything that is wrong with a price book; empty when it may be used. */
export function checkPriceBook(data: PriceBookData): PriceProblem[] {
  const context = priceContextOf(data);
  const rowProblems = data.prices.flatMap((row) => checkPriceRow(row, context));
  const broken = new Set(rowProblems.map(({ entry }) => entry));
  return [
    ...checkModels(data),
    ...rowProblems,
    // What a broken row says of its time or amount proves nothing against its neighbours.
    ...checkTimelines(data.prices.filter((row) => !broken.has(row))),
    ...checkDeployments(data.deployments, context.models),
  ];
}

/** What a single row must fit to. */
export interface PriceContext {
  currency: string;
  models: ReadonlySet<string>;
  sources: ReadonlySet<string>;
}

export function priceContextOf(data: PriceBookData): PriceContext {
  return {
    currency: data.currency,
    models: new Set(data.models.map(({ model }) => model)),
    sources: new Set(Object.keys(data.sources)),
  };
}

function checkModels({ models }: PriceBookData): PriceProblem[] {
  const seen = new Set<string>();
  return models.flatMap(({ model, aliases }) =>
    [model, ...aliases].flatMap((name) => {
      const problem = (message: string) => ({ entry: null, subject: name, field: 'models', message });
      if (name === '' || name !== modelKey(name)) return [problem('is not in normal form')];
      if (seen.has(name)) return [problem('is named twice')];
      seen.add(name);
      return [];
    }),
  );
}

type AddProblem = (field: keyof PriceRow, message: string, fix?: string) => void;

/** What is wrong with a row by itself. */
export function checkPriceRow(row: PriceRow, context: PriceContext): PriceProblem[] {
  const problems: PriceProblem[] = [];
  const add: AddProblem = (field, message, fix) =>
    problems.push({
      entry: row,
      subject: nameOfRow(row),
      field,
      message,
      ...(fix === undefined ? {} : { fix }),
    });
  if (row.model === '' || row.model !== modelKey(row.model)) add('model', 'is not in normal form');
  else if (!context.models.has(row.model)) add('model', 'is not listed under models');
  if (!DEPLOYMENT_TYPES.includes(row.deploymentType)) {
    add('deploymentType', 'is unknown', `Use ${DEPLOYMENT_TYPES.join(', ')}.`);
  }
  if (!REGION.test(row.region)) {
    add('region', 'is no region', 'Use the name of an Azure region, e.g. swedencentral, or *.');
  }
  if (!PRICE_KINDS.includes(row.tokenType)) add('tokenType', 'is unknown', `Use ${PRICE_KINDS.join(', ')}.`);
  checkTiers(row, add);
  if (!PRICE_UNITS.includes(row.unit)) add('unit', 'is unknown', `Use ${PRICE_UNITS.join(', ')}.`);
  else if (PRICE_KINDS.includes(row.tokenType) && !unitFits(row.tokenType, row.unit)) {
    add('unit', `does not go with ${row.tokenType}`);
  }
  if (row.currency !== context.currency) {
    add('currency', `is not ${context.currency}, the currency of this book`, 'One book has one currency.');
  }
  const amountProblem = PRICE_UNITS.includes(row.unit) ? judgeAmount(row) : null;
  if (amountProblem !== null) add('amount', amountProblem);
  if (row.effectiveFrom !== null && row.effectiveFrom !== normalizeInstant(row.effectiveFrom)) {
    add('effectiveFrom', 'is no UTC instant to the second', 'Write it like 2026-01-31T00:00:00Z.');
  }
  if (!context.sources.has(row.source)) add('source', 'is not listed under sources');
  if (row.listedAt !== '' && (!DAY.test(row.listedAt) || normalizeInstant(row.listedAt) === null)) {
    add('listedAt', 'is no day', 'Write it like 2026-01-31.');
  }
  for (const field of ['source', 'sourceKey', 'note', 'allowAbsurd', 'allowGap'] as const) {
    const message = judgeText(row[field]);
    if (message !== null) add(field, message);
  }
  return problems;
}

/** What is wrong with what the price depends on beside place and kind. */
function checkTiers(row: PriceRow, add: AddProblem): void {
  const { serviceTier, aboveInputTokenCount: above, variant, tokenType, deploymentType } = row;
  if (!SERVICE_TIERS.includes(serviceTier)) {
    add('serviceTier', 'is unknown', `Use ${SERVICE_TIERS.join(', ')}; batch is a deploymentType.`);
  } else if (serviceTier !== 'standard' && !hasServiceTiers(deploymentType)) {
    add('serviceTier', `does not go with ${deploymentType}, which has no service tiers`);
  } else if (serviceTier !== 'standard' && PRICE_KINDS.includes(tokenType) && !isByToken(tokenType)) {
    add('serviceTier', `does not go with ${tokenType}, which is not counted in tokens`);
  }
  if (!Number.isSafeInteger(above) || above < 0 || above > MAX_CONTEXT_TOKENS) {
    add('aboveInputTokenCount', 'is no number of tokens', `Use 0 to ${MAX_CONTEXT_TOKENS}.`);
  } else if (above > 0 && PRICE_KINDS.includes(tokenType) && !isByToken(tokenType)) {
    add('aboveInputTokenCount', `does not go with ${tokenType}, which is not counted in tokens`);
  }
  if (variant === '') return;
  if (!VARIANT.test(variant)) add('variant', 'is no short plain text', 'Write it like 1024x1024 high.');
  else if (PRICE_KINDS.includes(tokenType) && isByToken(tokenType)) {
    add('variant', `does not go with ${tokenType}, which is counted in tokens`);
  }
}

/** Postgres stores neither a zero character nor half of a surrogate pair. */
function judgeText(text: string): string | null {
  if (text.length > MAX_TEXT_LENGTH) return `has more than ${MAX_TEXT_LENGTH} characters`;
  return text.includes('\0') || !text.isWellFormed() ? 'holds a zero character or half a character' : null;
}

/** Embeddings answer with no text: their price lists say zero for what cannot be used. */
function isZeroMeant({ model, tokenType, allowAbsurd }: PriceRow): boolean {
  return allowAbsurd !== '' || (tokenType === 'completion' && /embed/.test(model));
}

function judgeAmount(row: PriceRow): string | null {
  try {
    const pico = picoPerUnitOf(row);
    if (pico === null || pico > 0n) return null;
    if (pico < 0n) return 'is negative';
    return isZeroMeant(row)
      ? null
      : 'is zero; a price that ended is "retired"; say in allowAbsurd why it is free';
  } catch (error) {
    if (row.amount.includes(',')) return 'has a comma; write 2.50 with a point, and thousands without a mark';
    return `is not exact: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** What is wrong between rows of the same key: two at one instant, a hole, a step that looks like a slip. */
function checkTimelines(rows: readonly PriceRow[]): PriceProblem[] {
  const timelines = new Map<string, PriceRow[]>();
  for (const row of rows) {
    const timeline = timelines.get(timelineKeyOf(row)) ?? [];
    timeline.push(row);
    timelines.set(timelineKeyOf(row), timeline);
  }
  return [...timelines.values()].flatMap((timeline) => {
    timeline.sort((left, right) => (startOf(left) < startOf(right) ? -1 : 1));
    return timeline.flatMap((row, index) =>
      judgeStep(timeline[index - 1], row, pricedBefore(timeline, index)),
    );
  });
}

function pricedBefore(timeline: readonly PriceRow[], index: number): PriceRow | undefined {
  return timeline.slice(0, index).findLast((row) => row.amount !== RETIRED);
}

function judgeStep(
  before: PriceRow | undefined,
  row: PriceRow,
  lastPriced: PriceRow | undefined,
): PriceProblem[] {
  const problem = (field: string, message: string, fix?: string): PriceProblem[] => [
    { entry: row, subject: nameOfRow(row), field, message, ...(fix === undefined ? {} : { fix }) },
  ];
  if (before !== undefined && startOf(before) === startOf(row)) {
    return problem('effectiveFrom', 'overlaps: there is another price of the same from the same instant on');
  }
  if (row.amount === RETIRED) {
    if (before === undefined) return problem('amount', 'ends a price that never began');
    return before.amount === RETIRED ? problem('amount', 'ends a price that has ended already') : [];
  }
  if (before?.amount === RETIRED && row.allowGap === '') {
    return problem(
      'effectiveFrom',
      `leaves a gap: there is no price from ${before.effectiveFrom ?? 'the beginning'} until then`,
      'Let it begin where the last price ends, or say in allowGap why there was none.',
    );
  }
  if (lastPriced !== undefined && row.allowAbsurd === '' && isAbsurd(lastPriced, row)) {
    return problem('amount', absurdMessage(lastPriced, row), ABSURD_FIX);
  }
  return [];
}

export const ABSURD_FIX = 'Check the unit; if it is right, say why in allowAbsurd.';

export function absurdMessage(before: PriceRow, row: PriceRow): string {
  return (
    `is absurd: ${row.amount} for one ${row.unit} is more than ${ABSURD_FACTOR} times, or less than a hundredth of, ` +
    `the ${before.amount} for one ${before.unit} before it`
  );
}

/** More than a hundred times the other, or less than a hundredth of it. Retired rows are never absurd. */
export function isAbsurd(before: PriceRow, after: PriceRow): boolean {
  const was = picoPerUnitOf(before);
  const becomes = picoPerUnitOf(after);
  if (was === null || becomes === null) return false;
  return becomes > was * ABSURD_FACTOR || becomes * ABSURD_FACTOR < was;
}

function checkDeployments(rules: readonly DeploymentRule[], models: ReadonlySet<string>): PriceProblem[] {
  const seen = new Set<string>();
  return rules.flatMap((rule) => {
    const key = JSON.stringify([rule.deployment, rule.effectiveFrom]);
    const isTwice = seen.has(key);
    seen.add(key);
    return checkDeployment(rule, models, isTwice);
  });
}

function checkDeployment(
  rule: DeploymentRule,
  models: ReadonlySet<string>,
  isTwice: boolean,
): PriceProblem[] {
  const problems: PriceProblem[] = [];
  const add = (field: keyof DeploymentRule, message: string) =>
    problems.push({ entry: rule, subject: `deployment ${rule.deployment}`, field, message });
  const { deployment, model, deploymentType, region, serviceTier, effectiveFrom } = rule;
  if (deployment === '' || deployment.length > 256 || deployment !== nameKey(deployment)) {
    add('deployment', 'is not in normal form: 1 to 256 characters in lower case, without space around it');
  }
  if (isTwice) add('effectiveFrom', 'overlaps: there is another rule for the same from the same instant on');
  if (model !== null && !models.has(model)) add('model', 'is not in the price book');
  if (deploymentType !== null && !DEPLOYMENT_TYPES.includes(deploymentType)) {
    add('deploymentType', 'is unknown');
  }
  if (region !== null && !REGION.test(region)) add('region', 'is no region');
  if (serviceTier !== null && !SERVICE_TIERS.includes(serviceTier)) add('serviceTier', 'is unknown');
  if (effectiveFrom !== null && effectiveFrom !== normalizeInstant(effectiveFrom)) {
    add('effectiveFrom', 'is no UTC instant to the second');
  }
  const saysSomething = model !== null || deploymentType !== null || region !== null || serviceTier !== null;
  if (rule.retired === saysSomething) {
    add(
      'model',
      rule.retired
        ? 'must be empty where a rule ends'
        : 'or a type, a region or a service tier must be given',
    );
  }
  if (model !== null && isPattern(deployment) && deployment.replace(/[*?]/g, '') === '') {
    add('deployment', 'fits every name, so that no unknown model would ever be noticed');
  }
  const noteMessage = judgeText(rule.note);
  if (noteMessage !== null) add('note', noteMessage);
  return problems;
}
