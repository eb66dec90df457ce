import type { CustomerReplaceUpdate } from '@openmeter/sdk';
import { z } from 'zod';
import { UpstreamError } from '../platform/errors.ts';
import type { MeteringCustomer } from './port.ts';

const NAME_LENGTH_MAX = 256;
const STRIPE_METADATA_KEY = 'stripeCustomerId';
/** What others may have written on a customer, and an update would erase if it were left out. */
const FOREIGN_FIELDS = ['description', 'primaryEmail', 'currency', 'billingAddress'];

/** A customer as OpenMeter answers it. What we own is typed; the rest is kept as it came. */
export const customerAnswer = z.looseObject({
  id: z.string(),
  name: z.string(),
  key: z.string().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  usageAttribution: z.object({ subjectKeys: z.array(z.string()).nullish() }).nullish(),
  deletedAt: z.string().nullish(),
});
export type CustomerAnswer = z.output<typeof customerAnswer>;

export const customerPage = z.object({ totalCount: z.number(), items: z.array(customerAnswer) });

/**
 * The body that makes `current` (null: nobody yet) into `wanted`. An update replaces a customer as a whole, so
 * what others wrote (address, currency, further metadata) is sent back unchanged.
 */
export function customerBody(
  wanted: MeteringCustomer,
  current: CustomerAnswer | null,
  subjectKeys: readonly string[],
): CustomerReplaceUpdate {
  const foreign = FOREIGN_FIELDS.flatMap((field) => {
    const value = current?.[field];
    return value === undefined || value === null ? [] : [[field, value]];
  });
  const { [STRIPE_METADATA_KEY]: _previous, ...metadata } = current?.metadata ?? {};
  return {
    ...Object.fromEntries(foreign),
    key: wanted.customerId,
    name: nameOf(wanted),
    metadata: {
      ...metadata,
      ...(wanted.stripeCustomerId === null ? {} : { [STRIPE_METADATA_KEY]: wanted.stripeCustomerId }),
    },
    usageAttribution: { subjectKeys: [...new Set(subjectKeys)] },
  };
}

export function customerDiffers(wanted: MeteringCustomer, current: CustomerAnswer): boolean {
  return (
    current.name !== nameOf(wanted) ||
    (current.metadata?.[STRIPE_METADATA_KEY] ?? null) !== wanted.stripeCustomerId ||
    !sameKeys(subjectKeysOf(current), wanted.subjectKeys)
  );
}

export function sameKeys(left: readonly string[], right: readonly string[]): boolean {
  const [leftKeys, rightKeys] = [new Set(left), new Set(right)];
  return leftKeys.size === rightKeys.size && [...leftKeys].every((key) => rightKeys.has(key));
}

export function subjectKeysOf(customer: CustomerAnswer): string[] {
  return customer.usageAttribution?.subjectKeys ?? [];
}

/** OpenMeter wants 1 to 256 characters; a cut must not halve a character. */
function nameOf(customer: MeteringCustomer): string {
  const name = customer.name.trim() === '' ? customer.customerId : customer.name;
  return name.slice(0, NAME_LENGTH_MAX).toWellFormed();
}

/**
 * The refusal of one customer, told so that a person can act: a 409 is a key or subject that somebody else
 * holds, and `ownerOf` knows who held it when the customers were listed.
 */
export function explainRefusal(
  error: UpstreamError,
  wanted: MeteringCustomer,
  ownerOf: ReadonlyMap<string, CustomerAnswer>,
): UpstreamError {
  const { customerId } = wanted;
  const conflicts = wanted.subjectKeys.flatMap((subject) => {
    const owner = ownerOf.get(subject);
    return owner === undefined || owner.key === customerId ? [] : [{ subject, owner: owner.key ?? owner.id }];
  });
  const [conflict] = conflicts;
  const message =
    conflict === undefined
      ? `OpenMeter refused customer ${customerId} (${error.statusCode ?? 'no status'})`
      : `OpenMeter refused customer ${customerId}: subject ${JSON.stringify(conflict.subject)} belongs to customer ${conflict.owner}`;
  return new UpstreamError(message, {
    system: 'openmeter',
    code: 'UPSTREAM_REJECTED',
    retry: false,
    statusCode: error.statusCode,
    context: { ...error.context, customerId, conflicts },
    cause: error,
    fix:
      conflict === undefined
        ? 'Look at the detail and correct this customer in OpenMeter.'
        : `Remove the subject from customer ${conflict.owner} in OpenMeter, or assign it there in Tallystick too.`,
  });
}
