import { formatDecimal, PICO_DIGITS, parseDecimal, withoutExponent } from '../money.ts';
import type { PriceKind } from '../prices/rows.ts';
import { modelKey } from '../usage/names.ts';
import { type FeedPrice, type FeedReading, type NotUnderstood, perMillion } from './price.ts';

/** Entries of other providers are no prices of Azure. */
const AZURE_KEY = /^azure(?:_ai)?\//;
/** Sizes, qualities and other things before the model that make it another price. */
const PLACES: Readonly<Record<string, Pick<FeedPrice, 'deploymentType' | 'region'>>> = {
  global: { deploymentType: 'global', region: '*' },
  'global-standard': { deploymentType: 'global', region: '*' },
  us: { deploymentType: 'data_zone', region: 'us' },
  eu: { deploymentType: 'data_zone', region: 'eu' },
  apac: { deploymentType: 'data_zone', region: 'apac' },
  'us-gov': { deploymentType: 'data_zone', region: 'us-gov' },
};

const KINDS: Readonly<Record<string, PriceKind>> = {
  input_cost_per_token: 'prompt',
  output_cost_per_token: 'completion',
  cache_read_input_token_cost: 'prompt_cached',
  cache_creation_input_token_cost: 'prompt_cache_write_5m',
  cache_creation_input_token_cost_above_1hr: 'prompt_cache_write_1h',
  input_cost_per_audio_token: 'prompt_audio',
  output_cost_per_audio_token: 'completion_audio',
  cache_read_input_audio_token_cost: 'prompt_cached_audio',
  input_cost_per_image_token: 'prompt_image',
  output_cost_per_image_token: 'completion_image',
  input_cost_per_second: 'second',
  output_cost_per_video_per_second: 'second',
  output_cost_per_image: 'image',
};
const FIELD = /^(.+?)(?:_above_(\d{1,4})k_tokens)?(_batches|_priority|_flex)?$/;
/** Fields that are no price of usage: limits, what is supported, and the like. */
const PRICE_FIELD = /cost|price/;

type Entry = Readonly<Record<string, unknown>>;

/**
 * The Azure and Foundry prices of LiteLLM's `model_prices_and_context_window` map. It names no dates.
 * @param map with every number as its text, so that no price was ever a float (parseExactJson)
 * @throws RangeError when it is no such map
 */
export function readLitellmMap(map: unknown): FeedReading & { retiredOn: Map<string, string> } {
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    throw new RangeError('is no map of models: an object with an entry for each is expected');
  }
  const entries = Object.entries(map as Record<string, Entry>).filter(([key]) => AZURE_KEY.test(key));
  if (entries.length === 0) throw new RangeError('holds no entry under azure/ or azure_ai/');
  const prices: FeedPrice[] = [];
  const notUnderstood: NotUnderstood[] = [];
  const retiredOn = new Map<string, string>();
  for (const [key, entry] of entries) {
    if (typeof entry !== 'object' || entry === null) {
      notUnderstood.push({
        sourceKey: key,
        field: '',
        value: String(entry).slice(0, 60),
        why: 'is no entry',
      });
      continue;
    }
    const retired = entry['deprecation_date'];
    if (typeof retired === 'string') retiredOn.set(key, retired);
    const place = placeOf(key);
    for (const [field, value] of Object.entries(entry)) {
      if (!PRICE_FIELD.test(field) || field === 'source' || isZero(value)) continue;
      const read =
        place === null ? 'is no plain name of a model' : readField(key, place, entry, field, value);
      if (typeof read === 'string') {
        notUnderstood.push({ sourceKey: key, field, value: JSON.stringify(value).slice(0, 60), why: read });
      } else prices.push(read);
    }
  }
  return { prices, notUnderstood, retiredOn };
}

type Place = Pick<FeedPrice, 'model' | 'deploymentType' | 'region'>;

function placeOf(key: string): Place | null {
  const [first = '', ...rest] = key.replace(AZURE_KEY, '').split('/');
  if (rest.length === 0) return { model: modelKey(first), deploymentType: 'global', region: '*' };
  const place = PLACES[first];
  return place === undefined || rest.length > 1 ? null : { model: modelKey(rest[0] ?? ''), ...place };
}

/** Zero is what the map writes where nothing is charged or known; the book holds no such row. */
function isZero(value: unknown): boolean {
  return typeof value === 'string' && /^-?0*(?:\.0*)?(?:e.*)?$/i.test(value);
}

function readField(
  sourceKey: string,
  place: Place,
  entry: Entry,
  field: string,
  value: unknown,
): FeedPrice | string {
  const [, base = '', thousands, way] = FIELD.exec(field) ?? [];
  const kind = KINDS[base];
  if (kind === undefined) return 'is no field that the price book has a kind for';
  if (typeof value !== 'string') return 'is no number';
  if (value.startsWith('-')) return 'is negative';
  if (base === 'cache_creation_input_token_cost' && isBelowPrompt(value, entry)) {
    return 'is less than the prompt: no write to a cache, but reads filed under the wrong name';
  }
  const isToken = kind !== 'second' && kind !== 'image';
  try {
    return {
      ...place,
      deploymentType: way === '_batches' ? 'batch' : place.deploymentType,
      tokenType: kind === 'prompt' && entry['mode'] === 'embedding' ? 'embedding' : kind,
      serviceTier: way === '_priority' ? 'priority' : way === '_flex' ? 'flex' : 'standard',
      aboveInputTokenCount: thousands === undefined ? 0 : Number(thousands) * 1_000,
      amount: isToken ? perMillion(value) : perOne(value),
      unit: isToken ? 'million_tokens' : kind,
      effectiveFrom: null,
      sourceKey,
    };
  } catch {
    return 'has more decimals than the book holds';
  }
}

function isBelowPrompt(value: string, { input_cost_per_token: prompt }: Entry): boolean {
  return typeof prompt === 'string' && Number(value) < Number(prompt);
}

function perOne(literal: string): string {
  return formatDecimal(parseDecimal(withoutExponent(literal), PICO_DIGITS), PICO_DIGITS, 2);
}
