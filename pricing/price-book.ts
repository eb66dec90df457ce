import { PICO_DIGITS, parseDecimal } from './money.ts';
import { TOKEN_TYPES, type TokenType } from './tokens.ts';

/** How Azure runs a deployment; the same model costs more in a data zone than global. */
export const DEPLOYMENT_TYPES = ['global', 'data_zone'] as const;
export type DeploymentType = (typeof DEPLOYMENT_TYPES)[number];

export interface PriceRow {
  model: string;
  deploymentType: DeploymentType;
  tokenType: TokenType;
  usdPerMillionTokens: string;
  /** ISO instant of the first hour it holds for; null: for all times until a dated row follows. */
  effectiveFrom: string | null;
  /** Day of the list it was read from. */
  listedAt: string;
  /** Key into `sources`, and the entry there. */
  source: string;
  sourceKey: string;
}

/** A price book as it is written down; the data files beside this one have this shape. */
export interface PriceBookData {
  version: string;
  provider: string;
  currency: string;
  sources: Record<string, { title: string; asOf: string; note: string }>;
  models: { model: string; aliases: string[] }[];
  prices: PriceRow[];
}

export interface PriceBook {
  readonly version: string;
  readonly currency: string;
  /** Canonical names, sorted. */
  readonly models: readonly string[];
  /** Canonical name by canonical name or alias. */
  readonly canonicalByName: ReadonlyMap<string, string>;
  readonly rowByKey: ReadonlyMap<string, { row: PriceRow; picoUsdPerToken: bigint }>;
}

export type PriceQuery = {
  model: string;
  /** Free text chosen by whoever made the deployment: only a hint. */
  deployment?: string;
  /** Said outright; wins over any hint in the deployment's name. */
  deploymentType?: DeploymentType;
};

/** What a price rests on beside an exact match; shown, so that no guess is silent. */
export type PriceNote =
  | 'model_taken_from_deployment_name'
  | 'dated_version_priced_as_its_family'
  | 'deployment_type_assumed_global'
  | 'priced_as_global_for_want_of_a_data_zone_price';

export type PriceLookup =
  | { found: true; model: string; row: PriceRow; picoUsdPerToken: bigint; notes: PriceNote[] }
  | { found: false; model: string | null; reason: 'unknown_model' | 'no_price_for_token_type' };

/**
 * Checks and indexes a price book.
 * @throws RangeError when a price is zero, negative or not exact in pico-USD per token, when a row names an
 *   unknown model or source, or when two rows or names collide
 */
export function createPriceBook(data: PriceBookData): PriceBook {
  const canonicalByName = new Map<string, string>();
  for (const { model, aliases } of data.models) {
    for (const name of [model, ...aliases]) {
      if (name !== normalizeModelName(name)) throw new RangeError(`${name} is not in normal form`);
      if (canonicalByName.has(name)) throw new RangeError(`${name} is named twice`);
      canonicalByName.set(name, model);
    }
  }
  const rowByKey = new Map<string, { row: PriceRow; picoUsdPerToken: bigint }>();
  for (const row of data.prices) {
    const key = keyOf(row.model, row.deploymentType, row.tokenType);
    // 10^6 tokens of 10^12 pico: six decimals of USD per million tokens are exact.
    const picoUsdPerToken = parseDecimal(row.usdPerMillionTokens, PICO_DIGITS - 6);
    if (picoUsdPerToken <= 0n) throw new RangeError(`${key} has no positive price`);
    if (canonicalByName.get(row.model) !== row.model) throw new RangeError(`${key} prices an unlisted model`);
    if (data.sources[row.source] === undefined) throw new RangeError(`${key} has an unlisted source`);
    if (!TOKEN_TYPES.includes(row.tokenType)) throw new RangeError(`${key} has an unknown token type`);
    if (!DEPLOYMENT_TYPES.includes(row.deploymentType))
      throw new RangeError(`${key}: unknown deployment type`);
    if (rowByKey.has(key)) throw new RangeError(`${key} is priced twice`);
    rowByKey.set(key, { row, picoUsdPerToken });
  }
  return {
    version: data.version,
    currency: data.currency,
    models: data.models.map((entry) => entry.model).sort(),
    canonicalByName,
    rowByKey,
  };
}

/** The cost of one token, or why there is none. A model without a price is never free. */
export function findPrice(book: PriceBook, query: PriceQuery, tokenType: TokenType): PriceLookup {
  const named = resolveModel(book, query);
  if (named === null) return { found: false, model: null, reason: 'unknown_model' };
  const { model } = named;
  const notes: PriceNote[] = [...named.notes];
  const hinted = query.deploymentType ?? deploymentTypeHint(query.deployment ?? '');
  const hasDataZonePrices = book.rowByKey.has(keyOf(model, 'data_zone', 'prompt'));
  if (hinted === null && hasDataZonePrices) notes.push('deployment_type_assumed_global');
  const exact = book.rowByKey.get(keyOf(model, hinted ?? 'global', tokenType));
  const priced = exact ?? book.rowByKey.get(keyOf(model, 'global', tokenType));
  if (priced === undefined) return { found: false, model, reason: 'no_price_for_token_type' };
  if (exact === undefined) notes.push('priced_as_global_for_want_of_a_data_zone_price');
  return { found: true, model, row: priced.row, picoUsdPerToken: priced.picoUsdPerToken, notes };
}

/** The canonical name of a model, or null when the book does not know it. */
export function resolveModel(
  book: PriceBook,
  query: PriceQuery,
): { model: string; notes: PriceNote[] } | null {
  const named = resolveName(book, query.model);
  if (named !== null) return named;
  // A gateway that sends no model still names the deployment, which often is called after its model. A model
  // that is named but unknown stays unknown: its deployment's name proves nothing.
  if (normalizeModelName(query.model) !== '' && normalizeModelName(query.model) !== 'unknown') return null;
  const fromDeployment = resolveName(book, query.deployment ?? '');
  if (fromDeployment === null) return null;
  return { ...fromDeployment, notes: ['model_taken_from_deployment_name', ...fromDeployment.notes] };
}

const ISO_DATE_SUFFIX = /-20\d{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/;

function resolveName(book: PriceBook, name: string): { model: string; notes: PriceNote[] } | null {
  const normal = normalizeModelName(name);
  const exact = book.canonicalByName.get(normal);
  if (exact !== undefined) return { model: exact, notes: [] };
  const family = book.canonicalByName.get(normal.replace(ISO_DATE_SUFFIX, ''));
  return family === undefined ? null : { model: family, notes: ['dated_version_priced_as_its_family'] };
}

/** Lower case, without surrounding space and without the provider in front (`azure/gpt-4o`). */
export function normalizeModelName(name: string): string {
  return name
    .trim()
    .toLowerCase()
    .replace(/^(?:azure|openai)\//, '');
}

/** What the words of a deployment's name say about its type; null when they say nothing. */
function deploymentTypeHint(deployment: string): DeploymentType | null {
  const words = deployment.toLowerCase().split(/[^a-z]+/);
  if (words.some((word) => word === 'datazone' || word === 'dzone')) return 'data_zone';
  if (words.some((word, index) => word === 'data' && words[index + 1] === 'zone')) return 'data_zone';
  return words.some((word) => word === 'global' || word === 'glbl') ? 'global' : null;
}

function keyOf(model: string, deploymentType: DeploymentType, tokenType: TokenType): string {
  return `${model} ${deploymentType} ${tokenType}`;
}
