import type { CustomerCreate, CustomerReplaceUpdate, OpenMeter } from '@openmeter/sdk';
import { z } from 'zod';
import { UpstreamError } from '../errors.ts';
import { callForJson } from './answers.ts';
import type { MeteringCustomer } from './port.ts';

/** Customers written at the same time; each is one small Postgres transaction on OpenMeter's side. */
const CONCURRENCY = 8;
const LIST_PAGE_SIZE = 1_000;
const NAME_LENGTH_MAX = 256;
const STRIPE_METADATA_KEY = 'stripeCustomerId';

/** Fields we own are typed; the rest is kept as it came and sent back, because an update replaces everything. */
const customerAnswer = z.looseObject({
  id: z.string(),
  name: z.string(),
  key: z.string().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  usageAttribution: z.object({ subjectKeys: z.array(z.string()).nullish() }).nullish(),
});
type CustomerAnswer = z.output<typeof customerAnswer>;
const customerPage = z.object({ totalCount: z.number(), items: z.array(customerAnswer) });

/** One write: `current` is null for a creation. */
interface Write {
  wanted: MeteringCustomer;
  current: CustomerAnswer | null;
  subjectKeys: readonly string[];
}

/**
 * Makes OpenMeter's customers equal to these: `key` is the customer id, the subject keys are all internal user
 * ids, Stripe's id is kept in metadata. Writes only what differs; customers not named are left alone.
 *
 * A subject belongs to one customer only, so subjects that move are first taken away and then given. One
 * customer that OpenMeter refuses does not keep the others from being written.
 * @throws UpstreamError the first refusal, with every refused customer in `context.refused`
 */
export async function upsertCustomers(
  sdk: OpenMeter,
  customers: readonly MeteringCustomer[],
  signal: AbortSignal | undefined,
): Promise<void> {
  if (customers.length === 0) return;
  const existing = await listCustomers(sdk, signal);
  const byKey = new Map(
    existing.flatMap((customer) => (customer.key ? [[customer.key, customer] as const] : [])),
  );
  const ownerOf = new Map(
    existing.flatMap((customer) => subjectKeysOf(customer).map((key) => [key, customer] as const)),
  );

  const releases: Write[] = [];
  const writes: Write[] = [];
  const wantedOwner = new Map(
    customers.flatMap((customer) => customer.subjectKeys.map((key) => [key, customer.customerId] as const)),
  );
  for (const wanted of customers) {
    const current = byKey.get(wanted.customerId) ?? null;
    const held = current === null ? [] : subjectKeysOf(current);
    const kept = held.filter((key) => wanted.subjectKeys.includes(key));
    const givesAway = held.some((key) => !kept.includes(key) && wantedOwner.has(key));
    if (givesAway) releases.push({ wanted, current, subjectKeys: kept });
    if (current === null || differs(wanted, current))
      writes.push({ wanted, current, subjectKeys: wanted.subjectKeys });
  }

  const failures: { customerId: string; error: UpstreamError }[] = [];
  const write = async (item: Write) => {
    try {
      await writeCustomer(sdk, item, signal);
    } catch (error) {
      if (!(error instanceof UpstreamError) || error.code !== 'UPSTREAM_REJECTED') throw error;
      failures.push({ customerId: item.wanted.customerId, error: explainRefusal(item, error, ownerOf) });
    }
  };
  await forEachBounded(releases, write);
  await forEachBounded(writes, write);
  const [first] = failures;
  if (first === undefined) return;
  throw new UpstreamError(first.error.message, {
    system: 'openmeter',
    code: 'UPSTREAM_REJECTED',
    retry: false,
    statusCode: first.error.statusCode,
    context: { ...first.error.context, refused: failures.map((failure) => failure.customerId) },
    cause: first.error,
    ...(first.error.fix === undefined ? {} : { fix: first.error.fix }),
  });
}

async function listCustomers(sdk: OpenMeter, signal: AbortSignal | undefined): Promise<CustomerAnswer[]> {
  const customers = new Map<string, CustomerAnswer>();
  for (let page = 1; ; page += 1) {
    const known = customers.size;
    const answer = await callForJson('GET /api/v1/customers', customerPage, signal, (options) =>
      sdk.customers.list({ page, pageSize: LIST_PAGE_SIZE, orderBy: 'id', order: 'ASC' }, options),
    );
    for (const customer of answer.items) customers.set(customer.id, customer);
    if (customers.size >= answer.totalCount || customers.size === known) return [...customers.values()];
  }
}

async function writeCustomer(sdk: OpenMeter, item: Write, signal: AbortSignal | undefined): Promise<void> {
  const { wanted, current, subjectKeys } = item;
  const create = (customer: CustomerCreate) =>
    callForJson('POST /api/v1/customers', customerAnswer, signal, (options) =>
      sdk.customers.create(customer, options),
    );
  if (current === null) {
    try {
      await create(bodyOf(wanted, null, subjectKeys));
    } catch (error) {
      if (!(error instanceof UpstreamError) || !error.outcomeUnknown) throw error;
      // The lost answer may have been a success: look before creating a second time.
      const made = await findByKey(sdk, wanted.customerId, signal);
      if (made === null) throw error;
      if (differs(wanted, made)) await writeCustomer(sdk, { ...item, current: made }, signal);
    }
    return;
  }
  try {
    await callForJson(`PUT /api/v1/customers/${current.id}`, customerAnswer, signal, (options) =>
      sdk.customers.update(current.id, bodyOf(wanted, current, subjectKeys), options),
    );
  } catch (error) {
    // Deleted since the listing. A deleted customer frees its key, so a new one takes its place.
    const isGone = error instanceof UpstreamError && (error.statusCode === 404 || error.statusCode === 412);
    if (!isGone || (await findByKey(sdk, wanted.customerId, signal)) !== null) throw error;
    await create(bodyOf(wanted, null, subjectKeys));
  }
}

async function findByKey(
  sdk: OpenMeter,
  customerId: string,
  signal: AbortSignal | undefined,
): Promise<CustomerAnswer | null> {
  try {
    const found = await callForJson('GET /api/v1/customers/{key}', customerAnswer, signal, (options) =>
      sdk.customers.get(customerId, options),
    );
    return found.deletedAt === undefined || found.deletedAt === null ? found : null;
  } catch (error) {
    if (error instanceof UpstreamError && error.statusCode === 404) return null;
    throw error;
  }
}

/** Keeps what others wrote (address, currency, further metadata) and replaces what is ours. */
function bodyOf(
  wanted: MeteringCustomer,
  current: CustomerAnswer | null,
  subjectKeys: readonly string[],
): CustomerReplaceUpdate {
  const foreign = Object.fromEntries(
    ['description', 'primaryEmail', 'currency', 'billingAddress']
      .filter((field) => current?.[field] !== undefined && current[field] !== null)
      .map((field) => [field, current?.[field]]),
  );
  const { [STRIPE_METADATA_KEY]: _previous, ...metadata } = current?.metadata ?? {};
  return {
    ...foreign,
    key: wanted.customerId,
    name: nameOf(wanted),
    metadata: {
      ...metadata,
      ...(wanted.stripeCustomerId === null ? {} : { [STRIPE_METADATA_KEY]: wanted.stripeCustomerId }),
    },
    usageAttribution: { subjectKeys: [...new Set(subjectKeys)] },
  };
}

function differs(wanted: MeteringCustomer, current: CustomerAnswer): boolean {
  const held = new Set(subjectKeysOf(current));
  const keys = new Set(wanted.subjectKeys);
  return (
    current.name !== nameOf(wanted) ||
    (current.metadata?.[STRIPE_METADATA_KEY] ?? null) !== wanted.stripeCustomerId ||
    held.size !== keys.size ||
    ![...keys].every((key) => held.has(key))
  );
}

function nameOf(customer: MeteringCustomer): string {
  return (customer.name.trim() === '' ? customer.customerId : customer.name).slice(0, NAME_LENGTH_MAX);
}

function subjectKeysOf(customer: CustomerAnswer): string[] {
  return customer.usageAttribution?.subjectKeys ?? [];
}

/** A 409 is a subject or key that someone else holds: say who, as far as the listing knew. */
function explainRefusal(
  item: Write,
  error: UpstreamError,
  ownerOf: ReadonlyMap<string, CustomerAnswer>,
): UpstreamError {
  const { customerId } = item.wanted;
  const conflicts = item.subjectKeys.flatMap((subject) => {
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
        ? 'Look at the detail above and correct this customer in OpenMeter.'
        : `Remove the subject from customer ${conflict.owner} in OpenMeter, or assign it there in Tallystick too.`,
  });
}

async function forEachBounded<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let item = items[next]; item !== undefined; item = items[next]) {
      next += 1;
      await work(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, items.length) }, worker));
}
