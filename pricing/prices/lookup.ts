import { modelKey } from '../usage/names.ts';
import { findDeploymentRule, findServiceTier } from './deployments.ts';
import type { PriceAsked } from './price-at.ts';
import type { PriceBook, PriceQuery } from './price-book.ts';
import { findOfRequests, type PriceBounds, type RequestMissReason } from './requests.ts';
import {
  ANY_REGION,
  type DeploymentRule,
  type DeploymentType,
  type PriceKind,
  type PriceRow,
} from './rows.ts';
import { STAND_IN_NOTES, type StandInNote } from './stand-ins.ts';

export type { StandInNote } from './stand-ins.ts';

/** What a price rests on beside an exact match; shown, so that no guess is silent. */
export type PriceNote =
  | 'model_taken_from_deployment_rule'
  | 'model_taken_from_deployment_name'
  | 'dated_version_priced_as_its_family'
  | 'deployment_type_assumed_global'
  | StandInNote;

/** Why there is no price. None of them means that it is free. */
export type PriceMissReason = 'unknown_model' | RequestMissReason;

export type PriceLookup =
  | {
      found: true;
      model: string;
      row: PriceRow;
      /** Of one token; of one image, second, hour or the like for the kinds that are counted so. */
      picoUsdPerToken: bigint;
      notes: PriceNote[];
    }
  | {
      found: false;
      model: string | null;
      reason: PriceMissReason;
      /** Where what is not told decides the price: what it is at least and at most. Absent: not known. */
      between?: PriceBounds;
    };

const STAND_INS: ReadonlySet<string> = new Set(Object.values(STAND_IN_NOTES));

/** What stands in, of what a price rests on; null: it is a price of its own. */
export function standInOf(notes: readonly PriceNote[]): StandInNote | null {
  return notes.find((note): note is StandInNote => STAND_INS.has(note)) ?? null;
}

type Named = { model: string; notes: PriceNote[] };

/**
 * The cost of one token at the instant of use, or why there is none. A model without a price is never free.
 * The row of the region itself goes before the row of any region, the deployment type itself before global. Of a model with
 * prices for service tiers or sizes of requests, what is not told is not guessed: where it decides the price there is none,
 * only what it lies between.
 */
export function findPrice(book: PriceBook, query: PriceQuery, tokenType: PriceKind): PriceLookup {
  const { deployment = '', variant = '', at } = query;
  const rule = findDeploymentRule(book.deployments, deployment, at);
  const named = nameModel(book, query, rule);
  if (named === null) return { found: false, model: null, reason: 'unknown_model' };
  const { model } = named;
  const notes: PriceNote[] = [...named.notes];
  const wanted = query.deploymentType ?? rule?.deploymentType ?? deploymentTypeHint(deployment);
  const region = query.region ?? rule?.region ?? ANY_REGION;
  if (wanted === null && book.pricedByPlace.has(model)) notes.push('deployment_type_assumed_global');
  const asked: PriceAsked = { model, deploymentType: wanted ?? 'global', region, tokenType, variant, at };
  const told = query.serviceTier ?? findServiceTier(book.deployments, deployment, at);
  const found = findOfRequests(book, asked, { ...query, serviceTier: told });
  if (!found.found) return { ...found, model };
  const { row, picoUsdPerToken, note } = found;
  return { found: true, model, row, picoUsdPerToken, notes: note === null ? notes : [...notes, note] };
}

/** What list prices and markups on them are of: a standard request in the lowest context tier. */
export const STANDARD_REQUEST = { serviceTier: 'standard', requestInputTokenCount: 0n } as const;

/** Whether there is a price for what was asked, be it unknown which. */
export function hasPrice(lookup: { found: true } | { found: false; reason: PriceMissReason }): boolean {
  return (
    lookup.found || lookup.reason === 'service_tier_not_told' || lookup.reason === 'context_tier_not_told'
  );
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

/** What the words of a deployment's name say about its type; null when they say nothing. */
function deploymentTypeHint(deployment: string): DeploymentType | null {
  if (!/zone|global|glbl/i.test(deployment)) return null;
  const words = deployment.toLowerCase().split(/[^a-z]+/);
  if (words.some((word) => word === 'datazone' || word === 'dzone')) return 'data_zone';
  if (words.some((word, index) => word === 'data' && words[index + 1] === 'zone')) return 'data_zone';
  return words.some((word) => word === 'global' || word === 'glbl') ? 'global' : null;
}
