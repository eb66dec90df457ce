import type { OpenMeter } from '@openmeter/sdk';
import { UpstreamError } from '../platform/errors.ts';
import { callForJson } from './answers.ts';
import {
  type CustomerAnswer,
  customerAnswer,
  customerBody,
  customerDiffers,
  customerPage,
  explainRefusal,
  sameKeys,
  subjectKeysOf,
} from './customer-shape.ts';
import type { MeteringCustomer } from './port.ts';

/** Customers written at the same time; each is one small transaction on OpenMeter's side. */
const CONCURRENCY = 8;
const LIST_PAGE_SIZE = 1_000;

/** One customer to write; `current` is null for a creation. */
interface Write {
  wanted: MeteringCustomer;
  current: CustomerAnswer | null;
  /** All of the wanted ones, or fewer while subjects are on the move. */
  subjectKeys: readonly string[];
}

/**
 * Makes OpenMeter's customers equal to these: `key` is the customer id, the subject keys are all internal user
 * ids, Stripe's id is kept in metadata. Writes only what differs; customers not named are left alone.
 *
 * A subject belongs to one customer only, so subjects that move are taken away first and given then. One
 * customer that OpenMeter refuses does not keep the others from being written.
 * @throws UpstreamError UPSTREAM_REJECTED for the first refused customer, all of them in `context.refused`;
 *   UPSTREAM_THROTTLED, UPSTREAM_UNAVAILABLE at once (call again: what is done already will not differ)
 */
export async function upsertCustomers(
  sdk: OpenMeter,
  customers: readonly MeteringCustomer[],
  signal: AbortSignal | undefined,
): Promise<void> {
  if (customers.length === 0) return;
  const existing = await listCustomers(sdk, signal);
  const { releases, writes } = planWrites(customers, existing);
  const ownerOf = new Map(
    existing.flatMap((customer) => subjectKeysOf(customer).map((key) => [key, customer] as const)),
  );

  const refusals: UpstreamError[] = [];
  const refused: string[] = [];
  const write = async (item: Write) => {
    try {
      await writeCustomer(sdk, item, signal);
    } catch (error) {
      if (!(error instanceof UpstreamError) || error.code !== 'UPSTREAM_REJECTED') throw error;
      refusals.push(explainRefusal(error, item.wanted, ownerOf));
      refused.push(item.wanted.customerId);
    }
  };
  await forEachBounded(releases, write);
  await forEachBounded(writes, write);
  const [first] = refusals;
  if (first === undefined) return;
  first.context.refused = refused;
  throw first;
}

function planWrites(customers: readonly MeteringCustomer[], existing: readonly CustomerAnswer[]) {
  const byKey = new Map(
    existing.flatMap((customer) => (customer.key ? [[customer.key, customer] as const] : [])),
  );
  const wantedSubjects = new Set(customers.flatMap((customer) => customer.subjectKeys));
  const releases: Write[] = [];
  const writes: Write[] = [];
  for (const wanted of customers) {
    const current = byKey.get(wanted.customerId) ?? null;
    if (current !== null && !customerDiffers(wanted, current)) continue;
    const keeps = new Set(wanted.subjectKeys);
    const held = current === null ? [] : subjectKeysOf(current);
    const kept = held.filter((key) => keeps.has(key));
    const givesAway = held.some((key) => !keeps.has(key) && wantedSubjects.has(key));
    if (givesAway) releases.push({ wanted, current, subjectKeys: kept });
    if (!givesAway || !sameKeys(kept, wanted.subjectKeys)) {
      writes.push({ wanted, current, subjectKeys: wanted.subjectKeys });
    }
  }
  return { releases, writes };
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
  if (current === null) {
    await createCustomer(sdk, item, signal);
    return;
  }
  try {
    await callForJson('PUT /api/v1/customers/{id}', customerAnswer, signal, (options) =>
      sdk.customers.update(current.id, customerBody(wanted, current, subjectKeys), options),
    );
  } catch (error) {
    // Deleted since it was listed. A deleted customer frees its key, so a new one takes its place.
    const isGone = error instanceof UpstreamError && (error.statusCode === 404 || error.statusCode === 412);
    if (!isGone || (await findLiving(sdk, wanted.customerId, signal)) !== null) throw error;
    await createCustomer(sdk, { ...item, current: null }, signal);
  }
}

async function createCustomer(sdk: OpenMeter, item: Write, signal: AbortSignal | undefined): Promise<void> {
  try {
    await callForJson('POST /api/v1/customers', customerAnswer, signal, (options) =>
      sdk.customers.create(customerBody(item.wanted, null, item.subjectKeys), options),
    );
  } catch (error) {
    if (!(error instanceof UpstreamError) || (!error.outcomeUnknown && error.statusCode !== 409)) throw error;
    // The lost answer may have been a success, or another process was quicker: look, and make it equal.
    const made = await findLiving(sdk, item.wanted.customerId, signal);
    if (made === null) throw error;
    if (customerDiffers(item.wanted, made)) await writeCustomer(sdk, { ...item, current: made }, signal);
  }
}

async function findLiving(
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
