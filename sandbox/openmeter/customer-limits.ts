import { subjectKeysOf } from './customer-store.ts';
import type { WireCustomer, WireCustomerCreate } from './resources.ts';
import { Problem } from './wire.ts';

/** Of one statement in Postgres; each subject key that is inserted takes four: namespace, customer, key and time. */
const STATEMENT_PARAMETERS_MAX = 65_535;
const PARAMETERS_PER_KEY = 4;
/** A changed customer goes to Kafka as one message. With short keys 40,000 were seen to pass and 50,000 to fail. */
const MESSAGE_KEYS_MAX = 45_000;
const MESSAGE_BYTES_MAX = 1_000_000;
const TEXT_ENCODER = new TextEncoder();

/**
 * What the server breaks on instead of refusing it: nothing of the request is stored.
 * @throws Problem 500
 */
export function breakOnSize(body: WireCustomerCreate, current: WireCustomer | null): void {
  const held = new Set(subjectKeysOf(current));
  const keys = subjectKeysOf(body);
  const addedCount = keys.filter((key) => !held.has(key)).length;
  if ([body.name, body.key ?? '', ...keys].some((text) => text.includes('\0'))) {
    throw new Problem(500, 'invalid byte sequence for encoding "UTF8": 0x00');
  }
  if (addedCount * PARAMETERS_PER_KEY > STATEMENT_PARAMETERS_MAX) {
    throw new Problem(500, 'failed to add customer subjects: extended protocol limited to 65535 parameters');
  }
  const byteCount = keys.reduce((sum, key) => sum + TEXT_ENCODER.encode(JSON.stringify(key)).length + 1, 0);
  if (keys.length > MESSAGE_KEYS_MAX || byteCount > MESSAGE_BYTES_MAX) {
    throw new Problem(500, 'failed to publish customer event: Broker: Message size too large');
  }
}

/**
 * An active subscription freezes the subject keys, in their order. Where the body names no attribution at all, the check
 * is not made and the keys are gone.
 * @throws Problem 400
 */
export function refuseFrozenKeys(body: WireCustomerCreate, current: WireCustomer): void {
  if (current.currentSubscriptionId === undefined || body.usageAttribution === undefined) return;
  const held = subjectKeysOf(current);
  const sent = body.usageAttribution.subjectKeys;
  if (held.length !== sent.length || held.some((key, index) => key !== sent[index])) {
    throw new Problem(400, 'cannot change subject keys for customer with active subscriptions');
  }
}
