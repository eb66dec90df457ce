/** Exact fractions of the lists' own digits: what the product computes with is not used here. */

export interface ListedFigure {
  /** As the list names it, lower case, without provider and place. */
  name: string;
  deploymentType: string;
  region: string;
  tokenType: string;
  /** 10^-18 USD for one token, image or second. */
  atto: bigint;
  where: string;
}

const ATTO_DIGITS = 18;

/** `2.5e-06` in 10^-18; null when it has finer digits. */
export function attoOf(literal: string): bigint | null {
  const [mantissa = '', exponent = '0'] = literal.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const places = ATTO_DIGITS + Number(exponent) - fraction.length;
  const digits = BigInt(whole + fraction);
  if (places >= 0) return digits * 10n ** BigInt(places);
  const divisor = 10n ** BigInt(-places);
  return digits % divisor === 0n ? digits / divisor : null;
}

const TOKENS: [field: string, tokenType: string][] = [
  ['input_cost_per_token', 'prompt'],
  ['output_cost_per_token', 'completion'],
  ['cache_read_input_token_cost', 'prompt_cached'],
  ['cache_creation_input_token_cost', 'prompt_cache_write_5m'],
  ['cache_creation_input_token_cost_above_1hr', 'prompt_cache_write_1h'],
  ['input_cost_per_audio_token', 'prompt_audio'],
  ['output_cost_per_audio_token', 'completion_audio'],
  ['cache_read_input_audio_token_cost', 'prompt_cached_audio'],
  ['input_cost_per_image_token', 'prompt_image'],
  ['output_cost_per_image_token', 'completion_image'],
];
const ZONES = ['us', 'eu', 'apac', 'us-gov'];

/** The token prices of LiteLLM's map for Azure and Foundry, standard and in batch; sizes of images are no plain names. */
export function figuresOfLitellm(text: string): ListedFigure[] {
  const map = JSON.parse(text, ((_key: string, value: unknown, context: { source?: string }) =>
    typeof value === 'number' ? (context.source ?? '') : value) as (
    key: string,
    value: unknown,
  ) => unknown) as Record<string, Record<string, unknown>>;
  const figures: ListedFigure[] = [];
  for (const [where, entry] of Object.entries(map)) {
    const parts = where.toLowerCase().split('/');
    if (parts[0] !== 'azure' && parts[0] !== 'azure_ai') continue;
    const name = parts.at(-1) ?? '';
    const place = parts.length === 2 ? 'global' : (parts[1] ?? '');
    const isZone = ZONES.includes(place);
    if (parts.length > 3 || !(isZone || place.startsWith('global'))) continue;
    for (const [field, kind] of TOKENS) {
      for (const way of ['', '_batches']) {
        const literal = entry[field + way];
        const atto = typeof literal === 'string' ? attoOf(literal) : null;
        if (atto === null || atto === 0n) continue;
        const prompt = attoOf(String(entry.input_cost_per_token ?? '0')) ?? 0n;
        // A write to a cache never costs less than not writing.
        if (field === 'cache_creation_input_token_cost' && atto < prompt) continue;
        const tokenType = kind === 'prompt' && entry.mode === 'embedding' ? 'embedding' : kind;
        const deploymentType = way === '' ? (isZone ? 'data_zone' : 'global') : 'batch';
        figures.push({
          name,
          deploymentType,
          region: isZone ? place : '*',
          tokenType,
          atto,
          where: `${where} ${field}${way}`,
        });
      }
    }
  }
  return figures;
}

/** How genai-prices calls the price of each kind, for a million. */
export const GENAI_FIELDS: Record<string, string> = {
  prompt: 'input_mtok',
  embedding: 'input_mtok',
  prompt_cached: 'cache_read_mtok',
  prompt_cache_write_5m: 'cache_write_mtok',
  prompt_cache_write_1h: 'cache_write_1h_mtok',
  completion: 'output_mtok',
  prompt_audio: 'input_audio_mtok',
  prompt_cached_audio: 'cache_audio_read_mtok',
  completion_audio: 'output_audio_mtok',
  prompt_image: 'input_image_mtok',
  completion_image: 'output_image_mtok',
};
