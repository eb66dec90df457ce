import { createHash } from 'node:crypto';
import type { CustomerReplaceUpdate } from '@openmeter/sdk';
import type { CustomerAnswer } from './answer-shapes.ts';
import type { MeteringCustomer } from './port.ts';

const NAME_LENGTH_MAX = 256;
const KEY_LENGTH_MAX = 256;
/**
 * Keys and subject keys of all customers share one name space in OpenMeter, and a user may be called like a customer:
 * nobody's user id begins so by chance.
 */
const KEY_PREFIX = 'tallystick:customer:';
const STRIPE_METADATA_KEY = 'stripeCustomerId';
/** By it a customer is found again whose key somebody changed. */
const ID_METADATA_KEY = 'tallystickCustomerId';
/** What others may have written on a customer, and an update would erase if it were left out. */
const FOREIGN_FIELDS = ['description', 'primaryEmail', 'currency', 'billingAddress'] as const;

/** What a customer is to be, beside its subject keys. */
export type CustomerFacts = Omit<MeteringCustomer, 'subjectKeys'>;

/** OpenMeter's key of a customer: before 0.5.0 the customer id itself. */
export function customerKeyOf(customerId: string): string {
  const key = `${KEY_PREFIX}${customerId}`;
  if (key.length <= KEY_LENGTH_MAX) return key;
  return `${KEY_PREFIX}sha256:${createHash('sha256').update(customerId).digest('hex')}`;
}

/** The customer id that a customer of OpenMeter carries in its metadata. */
export function markedCustomerId(customer: CustomerAnswer): string | null {
  return customer.metadata?.[ID_METADATA_KEY] ?? null;
}

/**
 * The body that makes `current` (null: nobody yet) into `wanted`. An update replaces a customer as a whole, so
 * what others wrote (address, currency, further metadata) is sent back unchanged. The subject keys are always named: a
 * body without them takes them all away, even where a subscription freezes them.
 */
export function customerBody(
  wanted: CustomerFacts,
  current: CustomerAnswer | null,
  subjectKeys: readonly string[],
  key: string,
): CustomerReplaceUpdate {
  const { [STRIPE_METADATA_KEY]: _previous, ...metadata } = current?.metadata ?? {};
  return {
    ...foreignFieldsOf(current),
    key,
    name: nameOf(wanted),
    metadata: {
      ...metadata,
      [ID_METADATA_KEY]: wanted.customerId,
      ...(wanted.stripeCustomerId === null ? {} : { [STRIPE_METADATA_KEY]: wanted.stripeCustomerId }),
    },
    usageAttribution: { subjectKeys: [...new Set(subjectKeys)] },
  };
}

/** The body that leaves a customer as it is. */
export function sameBody(current: CustomerAnswer): CustomerReplaceUpdate {
  return {
    ...foreignFieldsOf(current),
    ...(current.key ? { key: current.key } : {}),
    name: current.name,
    metadata: current.metadata ?? {},
    usageAttribution: { subjectKeys: subjectKeysOf(current) },
  };
}

function foreignFieldsOf(current: CustomerAnswer | null): Record<string, unknown> {
  return Object.fromEntries(
    FOREIGN_FIELDS.flatMap((field) => {
      const value = current?.[field];
      return value === undefined || value === null ? [] : [[field, value]];
    }),
  );
}

/** Whether anything but the subject keys differs. */
export function factsDiffer(wanted: CustomerFacts, current: CustomerAnswer, key: string): boolean {
  return (
    current.key !== key ||
    current.name !== nameOf(wanted) ||
    markedCustomerId(current) !== wanted.customerId ||
    (current.metadata?.[STRIPE_METADATA_KEY] ?? null) !== wanted.stripeCustomerId
  );
}

export function sameKeys(left: readonly string[], right: readonly string[]): boolean {
  const [leftKeys, rightKeys] = [new Set(left), new Set(right)];
  return leftKeys.size === rightKeys.size && [...leftKeys].every((key) => rightKeys.has(key));
}

export function subjectKeysOf(customer: CustomerAnswer | null): string[] {
  return customer?.usageAttribution?.subjectKeys ?? [];
}

/** OpenMeter wants 1 to 256 characters; a cut must not halve a character. */
function nameOf(customer: CustomerFacts): string {
  const name = customer.name.trim() === '' ? customer.customerId : customer.name;
  return name.slice(0, NAME_LENGTH_MAX).toWellFormed();
}
