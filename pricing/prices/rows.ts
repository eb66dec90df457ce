import { PICO_DIGITS, parseDecimal } from '../money.ts';
import { TOKEN_TYPES } from '../usage/tokens.ts';

/** How Azure runs a deployment; the same model costs more in a data zone than global. */
export const DEPLOYMENT_TYPES = [
  'global',
  'data_zone',
  'regional',
  'batch',
  'developer',
  'provisioned',
] as const;
export type DeploymentType = (typeof DEPLOYMENT_TYPES)[number];

/** How soon Azure answers a request: priority costs more than standard, flex less. Batch is a deployment type. */
export const SERVICE_TIERS = ['standard', 'priority', 'flex'] as const;
export type ServiceTier = (typeof SERVICE_TIERS)[number];

/** Whether requests to such a deployment have a service tier: batch and bought capacity have none. */
export function hasServiceTiers(deploymentType: DeploymentType): boolean {
  return deploymentType !== 'batch' && deploymentType !== 'provisioned';
}

/** What a price is for: the token types of usage, and others, which have no usage of their own yet. */
export const PRICE_KINDS = [
  ...TOKEN_TYPES,
  'embedding',
  'image',
  'second',
  'minute',
  'page',
  'character',
  'search',
  'session',
  'hosting_hour',
  'provisioned_unit_hour',
] as const;
export type PriceKind = (typeof PRICE_KINDS)[number];

/** What prices of audio were called before usage had such tokens; files that say so are still read. */
const FORMER_KINDS: Readonly<Record<string, PriceKind>> = {
  audio_prompt: 'prompt_audio',
  audio_prompt_cached: 'prompt_cached_audio',
  audio_completion: 'completion_audio',
};

/** The kind by its name of today; what is no kind stays as it is. */
export function normalizePriceKind(text: string): string {
  return FORMER_KINDS[text] ?? text;
}

/** What is counted, and as decimal exponent of how many of it one price is. */
const UNITS = {
  token: { counts: 'token', exponent: 0 },
  thousand_tokens: { counts: 'token', exponent: 3 },
  million_tokens: { counts: 'token', exponent: 6 },
  image: { counts: 'image', exponent: 0 },
  second: { counts: 'second', exponent: 0 },
  minute: { counts: 'minute', exponent: 0 },
  hour: { counts: 'hour', exponent: 0 },
  page: { counts: 'page', exponent: 0 },
  thousand_pages: { counts: 'page', exponent: 3 },
  character: { counts: 'character', exponent: 0 },
  thousand_characters: { counts: 'character', exponent: 3 },
  million_characters: { counts: 'character', exponent: 6 },
  search: { counts: 'search', exponent: 0 },
  thousand_searches: { counts: 'search', exponent: 3 },
  session: { counts: 'session', exponent: 0 },
} as const satisfies Record<string, { counts: string; exponent: number }>;
export type PriceUnit = keyof typeof UNITS;
export const PRICE_UNITS = Object.keys(UNITS) as [PriceUnit, ...PriceUnit[]];

/** Kinds that are not counted in tokens, and the unit they are usually priced by. */
const UNIT_OF_KIND: Partial<Record<PriceKind, PriceUnit>> = {
  image: 'image',
  second: 'second',
  minute: 'minute',
  page: 'page',
  character: 'character',
  search: 'search',
  session: 'session',
  hosting_hour: 'hour',
  provisioned_unit_hour: 'hour',
};

/** In place of an amount: from this row on there is no price. */
export const RETIRED = 'retired';

/** Any region that has no row of its own. */
export const ANY_REGION = '*';

/**
 * One price from one instant on. It runs until the next row of the same key (model, deployment type, region, kind, variant,
 * service tier, context tier); a `retired` row ends it. Rows are never edited: a row of the same key and instant supersedes.
 */
export interface PriceRow {
  model: string;
  deploymentType: DeploymentType;
  /** An Azure region (`swedencentral`), a data zone (`eu`, `us`), or `*`. */
  region: string;
  tokenType: PriceKind;
  /** Which of what is not counted in tokens, in lower case: size and quality of an image (`1024x1024 high`); empty: any. */
  variant: string;
  serviceTier: ServiceTier;
  /**
   * The context tier: holds for all tokens of a request with more input tokens than this, cached ones and writes included;
   * 0: of every request that no higher tier takes.
   */
  aboveInputTokenCount: number;
  /** Lower case; the book's. */
  currency: string;
  /** Exact decimal text for one `unit`, or `retired`. */
  amount: string;
  unit: PriceUnit;
  /** `YYYY-MM-DDTHH:MM:SSZ` of the first second it holds for; null: since ever. */
  effectiveFrom: string | null;
  /** Key into `sources`, and the entry there. */
  source: string;
  sourceKey: string;
  /** Day of the list it was read from. */
  listedAt: string;
  note: string;
  /** Whether a second source says the same. */
  confirmed: boolean;
  /** Why a value a hundred times the one before it, or a hundredth, is right; empty: it would not be. */
  allowAbsurd: string;
  /** Why the time without a price before this row is right; empty: it would not be. */
  allowGap: string;
}

/** Says what an Azure deployment is, by its name or a pattern, from one instant on. */
export interface DeploymentRule {
  /** A name, or a pattern in which `*` stands for any text and `?` for one character. Lower case. */
  deployment: string;
  /** The model it serves; null: the usage says. */
  model: string | null;
  deploymentType: DeploymentType | null;
  region: string | null;
  /** The tier of its requests; null: the most specific of the other rules that fit and say one. */
  serviceTier: ServiceTier | null;
  /** As in a price row. */
  effectiveFrom: string | null;
  /** From this rule on nothing is said about the name. */
  retired: boolean;
  note: string;
}

interface PriceSource {
  title: string;
  asOf: string;
  note: string;
}

/** A price book as it is written down; the data files beside this one have this shape. */
export interface PriceBookData {
  version: string;
  provider: string;
  currency: string;
  sources: Record<string, PriceSource>;
  models: { model: string; aliases: string[] }[];
  deployments: DeploymentRule[];
  prices: PriceRow[];
}

/** A price row in which only what has no usual value must be given. */
export type PriceRowInput = Pick<PriceRow, 'model' | 'tokenType' | 'amount'> & Partial<PriceRow>;

/** The row with everything usual filled in: global, any region, standard, any request, per million tokens, since ever. */
export function completePriceRow(input: PriceRowInput): PriceRow {
  return {
    deploymentType: 'global',
    region: ANY_REGION,
    variant: '',
    serviceTier: 'standard',
    aboveInputTokenCount: 0,
    currency: 'usd',
    unit: UNIT_OF_KIND[input.tokenType] ?? 'million_tokens',
    effectiveFrom: null,
    source: 'manual',
    sourceKey: '',
    listedAt: '',
    note: '',
    confirmed: false,
    allowAbsurd: '',
    allowGap: '',
    ...input,
  };
}

/** A deployment rule in which only what has no usual value must be given. */
export function completeDeploymentRule(
  input: Pick<DeploymentRule, 'deployment'> & Partial<DeploymentRule>,
): DeploymentRule {
  return {
    model: null,
    deploymentType: null,
    region: null,
    serviceTier: null,
    effectiveFrom: null,
    retired: false,
    note: '',
    ...input,
  };
}

/** What makes two rows prices of the same thing; what is left out is as usual, and is not said. */
export type TimelineKey = Pick<PriceRow, 'model' | 'deploymentType' | 'region' | 'tokenType'> &
  Partial<Pick<PriceRow, 'variant' | 'serviceTier' | 'aboveInputTokenCount'>>;

export function timelineKeyOf(row: TimelineKey): string {
  const { variant = '', serviceTier = 'standard', aboveInputTokenCount = 0 } = row;
  let key = `${row.model} ${row.deploymentType} ${row.region} ${row.tokenType}`;
  if (variant !== '') key += ` (${variant})`;
  if (serviceTier !== 'standard') key += ` ${serviceTier}`;
  if (aboveInputTokenCount !== 0) key += ` above ${aboveInputTokenCount}`;
  return key;
}

/** Names a row for people: its key and from when on. */
export function nameOfRow(row: PriceRow): string {
  return `${timelineKeyOf(row)} from ${row.effectiveFrom ?? 'the beginning'}`;
}

/**
 * The price of one token, image, second, hour or the like in pico units of the currency; null for a retired price.
 * @throws RangeError when the amount is no decimal or does not come out even in pico units
 */
export function picoPerUnitOf(row: Pick<PriceRow, 'amount' | 'unit'>): bigint | null {
  if (row.amount === RETIRED) return null;
  return parseDecimal(row.amount, PICO_DIGITS - UNITS[row.unit].exponent);
}

/** The unit goes with the kind: tokens by the token, thousand or million, the others by what they are counted in. */
export function unitFits(tokenType: PriceKind, unit: PriceUnit): boolean {
  return UNITS[unit].counts === UNITS[UNIT_OF_KIND[tokenType] ?? 'token'].counts;
}

/** Whether usage of this kind is tokens of requests, so that its price may depend on how many a request has. */
export function isByToken(tokenType: PriceKind): boolean {
  return UNIT_OF_KIND[tokenType] === undefined;
}

const INSTANT = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.0{1,9})?)?(?:Z|\+00:00))?$/;

/**
 * The instant in the one form in which the book writes it, `YYYY-MM-DDTHH:MM:SSZ`; null when the text is no UTC
 * instant to the second. A day alone is its midnight.
 */
export function normalizeInstant(text: string): string | null {
  const [match, year, month, day, hour = '00', minute = '00', second = '00'] = INSTANT.exec(text) ?? [];
  if (match === undefined) return null;
  const normal = `${year}-${month}-${day}T${hour}:${minute}:${second}Z`;
  const milliseconds = Date.parse(normal);
  // A date that is not in the calendar would roll over into the next month.
  return Number.isNaN(milliseconds) || !new Date(milliseconds).toISOString().startsWith(normal.slice(0, 19))
    ? null
    : normal;
}

/** Milliseconds since 1970; minus infinity for a row that holds since ever. */
export function startOf(entry: { effectiveFrom: string | null }): number {
  return entry.effectiveFrom === null ? Number.NEGATIVE_INFINITY : Date.parse(entry.effectiveFrom);
}

/** Keys of sources are short plain words. */
export function isSourceKey(text: string): boolean {
  return /^[A-Za-z0-9][\w .:/@+-]{0,199}$/.test(text);
}
