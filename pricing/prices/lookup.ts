import { modelKey } from '../usage/names.ts';
import { findDeploymentRule } from './deployments.ts';
import type { PriceBook, PriceEntry, PriceQuery } from './price-book.ts';
import {
  ANY_REGION,
  type DeploymentRule,
  type DeploymentType,
  type PriceKind,
  type PriceRow,
  timelineKeyOf,
} from './rows.ts';

/** What a price rests on beside an exact match; shown, so that no guess is silent. */
export type PriceNote =
  | 'model_taken_from_deployment_rule'
  | 'model_taken_from_deployment_name'
  | 'dated_version_priced_as_its_family'
  | 'deployment_type_assumed_global'
  | 'priced_as_global_for_want_of_a_data_zone_price'
  | 'priced_as_global_for_want_of_a_regional_price'
  | 'priced_as_global_for_want_of_a_batch_price'
  | 'priced_as_global_for_want_of_a_developer_price';

/** Why there is no price. None of them means that it is free. */
export type PriceMissReason =
  | 'unknown_model'
  | 'no_price_for_token_type'
  | 'no_price_at_that_time'
  | 'price_retired'
  | 'priced_by_provisioned_unit_hour';

export type PriceLookup =
  | {
      found: true;
      model: string;
      row: PriceRow;
      /** Of one token; of one image, second or hour for the kinds that are counted so. */
      picoUsdPerToken: bigint;
      notes: PriceNote[];
    }
  | { found: false; model: string | null; reason: PriceMissReason };

/** That another price stands in for one that the book does not have. */
export type StandInNote = Extract<PriceNote, `priced_as_global_${string}`>;

/** Without a price of their own these are priced as global, which is said; provisioned never is. */
const FALLBACK_NOTE: Partial<Record<DeploymentType, StandInNote>> = {
  data_zone: 'priced_as_global_for_want_of_a_data_zone_price',
  regional: 'priced_as_global_for_want_of_a_regional_price',
  batch: 'priced_as_global_for_want_of_a_batch_price',
  developer: 'priced_as_global_for_want_of_a_developer_price',
};

const STAND_INS: ReadonlySet<string> = new Set(Object.values(FALLBACK_NOTE));

/** What stands in, of what a price rests on; null: it is a price of its own. */
export function standInOf(notes: readonly PriceNote[]): StandInNote | null {
  return notes.find((note): note is StandInNote => STAND_INS.has(note)) ?? null;
}

type Named = { model: string; notes: PriceNote[] };

/**
 * The cost of one token at the instant of use, or why there is none. A model without a price is never free.
 * The row of the region itself goes before the row of any region, the deployment type itself before global.
 */
export function findPrice(book: PriceBook, query: PriceQuery, tokenType: PriceKind): PriceLookup {
  const rule = findDeploymentRule(book.deployments, query.deployment ?? '', query.at);
  const named = nameModel(book, query, rule);
  if (named === null) return { found: false, model: null, reason: 'unknown_model' };
  const { model } = named;
  const notes: PriceNote[] = [...named.notes];
  const wanted = query.deploymentType ?? rule?.deploymentType ?? deploymentTypeHint(query.deployment ?? '');
  const region = query.region ?? rule?.region ?? ANY_REGION;
  if (wanted === null && book.pricedByPlace.has(model)) notes.push('deployment_type_assumed_global');
  const own = priceAt(book, { model, deploymentType: wanted ?? 'global', region, tokenType }, query.at);
  if (typeof own === 'object') return { ...own, found: true, model, notes };
  if (wanted === 'provisioned' && tokenType !== 'provisioned_unit_hour') {
    return { found: false, model, reason: 'priced_by_provisioned_unit_hour' };
  }
  const note = wanted === null ? undefined : FALLBACK_NOTE[wanted];
  if (note === undefined || own === 'price_retired') return { found: false, model, reason: own };
  const global = priceAt(book, { model, deploymentType: 'global', region, tokenType }, query.at);
  if (typeof global === 'object') return { ...global, found: true, model, notes: [...notes, note] };
  return { found: false, model, reason: global === 'no_price_for_token_type' ? own : global };
}

/** The canonical name of a model, or null when the book does not know it. */
export function resolveModel(book: PriceBook, query: PriceQuery): Named | null {
  return nameModel(book, query, findDeploymentRule(book.deployments, query.deployment ?? '', query.at));
}

function nameModel(book: PriceBook, query: PriceQuery, rule: DeploymentRule | null): Named | null {
  const named = resolveName(book, query.model);
  // A rule is a person's word about the deployment; what the gateway calls the model is only its name there.
  if (rule !== null && rule.model !== null) {
    if (named?.model === rule.model) return named;
    return { model: rule.model, notes: ['model_taken_from_deployment_rule'] };
  }
  if (named !== null) return named;
  // Some gateways write the deployment's name where the model's belongs.
  const ofName = findDeploymentRule(book.deployments, query.model, query.at);
  if (ofName !== null && ofName.model !== null) {
    return { model: ofName.model, notes: ['model_taken_from_deployment_rule'] };
  }
  // A gateway that sends no model still names the deployment, which often is called after its model. A model
  // that is named but unknown stays unknown: its deployment's name proves nothing.
  if (modelKey(query.model) !== '' && modelKey(query.model) !== 'unknown') return null;
  const fromDeployment = resolveName(book, query.deployment ?? '');
  if (fromDeployment === null) return null;
  return { ...fromDeployment, notes: ['model_taken_from_deployment_name', ...fromDeployment.notes] };
}

const ISO_DATE_SUFFIX = /-20\d{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/;

function resolveName(book: PriceBook, name: string): Named | null {
  // Usage mostly names models as the book does.
  const asIs = book.canonicalByName.get(name);
  if (asIs !== undefined) return { model: asIs, notes: [] };
  const normal = modelKey(name);
  const exact = book.canonicalByName.get(normal);
  if (exact !== undefined) return { model: exact, notes: [] };
  const family = book.canonicalByName.get(normal.replace(ISO_DATE_SUFFIX, ''));
  return family === undefined ? null : { model: family, notes: ['dated_version_priced_as_its_family'] };
}

type Key = Pick<PriceRow, 'model' | 'deploymentType' | 'region' | 'tokenType'>;

/**
 * The price of the region itself, else of any region. The prompt of an embedding model is priced as an embedding.
 * A retired row is an answer: nothing less specific stands in for what somebody ended.
 */
function priceAt(
  book: PriceBook,
  key: Key,
  at: Date | undefined,
): { row: PriceRow; picoUsdPerToken: bigint } | PriceMissReason {
  let reason: PriceMissReason = 'no_price_for_token_type';
  for (const region of key.region === ANY_REGION ? [ANY_REGION] : [key.region, ANY_REGION]) {
    for (const tokenType of key.tokenType === 'prompt' ? PROMPT_KINDS : [key.tokenType]) {
      const timeline = book.timelines.get(timelineKeyOf({ ...key, region, tokenType }));
      if (timeline === undefined) continue;
      const entry = entryAt(timeline, at);
      if (entry === undefined) reason = 'no_price_at_that_time';
      else if (entry.picoPerUnit === null) return 'price_retired';
      else return { row: entry.row, picoUsdPerToken: entry.picoPerUnit };
    }
  }
  return reason;
}

const PROMPT_KINDS = ['prompt', 'embedding'] as const;

/** The last row that starts at or before the instant. Rows run until the next one begins, to the second. */
function entryAt(timeline: readonly PriceEntry[], at: Date | undefined): PriceEntry | undefined {
  if (at === undefined) return timeline.at(-1);
  const atMs = at.getTime();
  return timeline.findLast(({ startMs }) => startMs <= atMs);
}

/** What the words of a deployment's name say about its type; null when they say nothing. */
function deploymentTypeHint(deployment: string): DeploymentType | null {
  if (!/zone|global|glbl/i.test(deployment)) return null;
  const words = deployment.toLowerCase().split(/[^a-z]+/);
  if (words.some((word) => word === 'datazone' || word === 'dzone')) return 'data_zone';
  if (words.some((word, index) => word === 'data' && words[index + 1] === 'zone')) return 'data_zone';
  return words.some((word) => word === 'global' || word === 'glbl') ? 'global' : null;
}
