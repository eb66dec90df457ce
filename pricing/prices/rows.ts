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

/** What a price is for: the token types of usage, and others, which have no usage of their own yet. */
export const PRICE_KINDS = [...TOKEN_TYPES, 'embedding', 'image', 'second', 'provisioned_unit_hour'] as const;
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

export const PRICE_UNITS = ['token', 'thousand_tokens', 'million_tokens', 'image', 'second', 'hour'] as const;
export type PriceUnit = (typeof PRICE_UNITS)[number];

/** Kinds that are not counted in tokens, and the unit they are counted in. */
const UNIT_OF_KIND: Partial<Record<PriceKind, PriceUnit>> = {
  image: 'image',
  second: 'second',
  provisioned_unit_hour: 'hour',
};

/** As decimal exponent: how many units one price is for. */
const EXPONENT: Record<PriceUnit, number> = {
  token: 0,
  thousand_tokens: 3,
  million_tokens: 6,
  image: 0,
  second: 0,
  hour: 0,
};

/** In place of an amount: from this row on there is no price. */
export const RETIRED = 'retired';

/** Any region that has no row of its own. */
export const ANY_REGION = '*';

/**
 * One price from one instant on. It runs until the next row of the same key (model, deployment type, region, kind);
 * a `retired` row ends it. Rows are never edited: a row of the same key and instant supersedes.
 */
export interface PriceRow {
  model: string;
  deploymentType: DeploymentType;
  /** An Azure region (`swedencentral`), a data zone (`eu`, `us`), or `*`. */
  region: string;
  tokenType: PriceKind;
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

/** The row with everything usual filled in: global, any region, per million tokens, since ever. */
export function completePriceRow(input: PriceRowInput): PriceRow {
  return {
    deploymentType: 'global',
    region: ANY_REGION,
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
    effectiveFrom: null,
    retired: false,
    note: '',
    ...input,
  };
}

/** What makes two rows prices of the same thing. */
export function timelineKeyOf(
  row: Pick<PriceRow, 'model' | 'deploymentType' | 'region' | 'tokenType'>,
): string {
  return `${row.model} ${row.deploymentType} ${row.region} ${row.tokenType}`;
}

/** Names a row for people: its key and from when on. */
export function nameOfRow(row: PriceRow): string {
  return `${timelineKeyOf(row)} from ${row.effectiveFrom ?? 'the beginning'}`;
}

/**
 * The price of one token, image, second or hour in pico units of the currency; null for a retired price.
 * @throws RangeError when the amount is no decimal or does not come out even in pico units
 */
export function picoPerUnitOf(row: Pick<PriceRow, 'amount' | 'unit'>): bigint | null {
  if (row.amount === RETIRED) return null;
  return parseDecimal(row.amount, PICO_DIGITS - EXPONENT[row.unit]);
}

/** The unit goes with the kind: tokens by the token, thousand or million, the others in their own. */
export function unitFits(tokenType: PriceKind, unit: PriceUnit): boolean {
  const own = UNIT_OF_KIND[tokenType];
  return own === undefined ? unit.includes('token') : unit === own;
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
