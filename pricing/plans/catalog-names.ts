import type { RateKey, SellRate } from '../rating/sell-rates.ts';

/** Limits of Stripe. */
const MAX_EVENT_NAME_LENGTH = 100;
const MAX_LOOKUP_KEY_LENGTH = 200;

/**
 * The meter event of a kind of usage, shared by all plans: `gpt-4o` and `prompt` give `gpt_4o_prompt_tokens`, a
 * feature follows it.
 * @throws RangeError when Stripe takes no name that long
 */
export function planEventName({ model, tokenType, feature }: RateKey): string {
  const base = `${model === '*' ? 'any_model' : slug(model)}_${tokenType}_tokens`;
  const name = feature === '*' ? base : `${base}_${slug(feature)}`;
  if (name.length <= MAX_EVENT_NAME_LENGTH) return name;
  throw new RangeError(`meter event ${name} has over ${MAX_EVENT_NAME_LENGTH} characters: use shorter names`);
}

/**
 * Names the price of a rate at Stripe, in every version of its plan.
 * @throws RangeError when Stripe takes no key that long
 */
export function planLookupKey(rate: SellRate): string {
  const key = `tallystick/${rate.rateId}`;
  if (key.length <= MAX_LOOKUP_KEY_LENGTH) return key;
  throw new RangeError(`lookup key ${key} has over ${MAX_LOOKUP_KEY_LENGTH} characters: use shorter names`);
}

function slug(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_');
}
