import type { OpenMeter } from '@openmeter/sdk';
import { UpstreamError } from '../platform/errors.ts';
import type { CustomerAnswer } from './answer-shapes.ts';
import { callForJson } from './answers.ts';
import type { Write } from './customer-plan.ts';
import { customerBody, factsDiffer, sameBody, sameKeys, subjectKeysOf } from './customer-shape.ts';

/**
 * New subject keys of one request. OpenMeter inserts them in one statement of at most 65,535 parameters, four a key: 12,000
 * were seen to pass, in 28.7 seconds, and 17,000 to fail.
 */
const KEYS_PER_WRITE = 4_000;

export interface Written {
  openMeterId: string;
  /** A subscription has begun there and keeps the subject keys as they are; all else is written. */
  isFrozen: boolean;
}

/**
 * Makes one customer of OpenMeter so, in several requests where it gets many subject keys. Where OpenMeter does not let it
 * have another key, it keeps the one it has.
 * @throws UpstreamError
 */
export async function writeCustomer(
  sdk: OpenMeter,
  item: Write,
  signal: AbortSignal | undefined,
): Promise<Written> {
  if (item.current === null) return await createCustomer(sdk, item, signal);
  const { current } = item;
  try {
    for (const keys of growingKeys(item)) await replaceCustomer(sdk, item, current, keys, signal);
    return { openMeterId: current.id, isFrozen: false };
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    if (isFrozenKeys(error)) return await writeFacts(sdk, item, current, signal);
    // Deleted since it was listed. A deleted customer frees its names, so a new one takes its place.
    const isGone = error.statusCode === 404 || error.statusCode === 412;
    if (isGone && (await findLiving(sdk, current.id, signal)) === null) {
      return await createCustomer(sdk, { ...item, current: null }, signal);
    }
    const isRename = typeof current.key === 'string' && current.key !== item.key;
    if (error.code !== 'UPSTREAM_REJECTED' || !isRename) throw error;
    return await writeCustomer(sdk, { ...item, key: current.key ?? item.key }, signal);
  }
}

/** Writes a customer as it is, to see whether any can be written. @throws UpstreamError */
export async function rewriteCustomer(
  sdk: OpenMeter,
  openMeterId: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const current = await findLiving(sdk, openMeterId, signal);
  if (current === null) return;
  await callForJson('PUT /api/v1/customers/{customerIdOrKey}', signal, (options) =>
    sdk.customers.update(current.id, sameBody(current), options),
  );
}

/** Lists of keys, each with some more new ones; the first also lets go of what is not wanted. */
function* growingKeys({ current, subjectKeys }: Write): Generator<readonly string[]> {
  const wanted = new Set(subjectKeys);
  // Those that stay go in the order in which they are held: where keys are frozen, another order is a change.
  const kept = subjectKeysOf(current).filter((key) => wanted.has(key));
  for (const key of kept) wanted.delete(key);
  const added = [...wanted];
  for (let end = KEYS_PER_WRITE; ; end += KEYS_PER_WRITE) {
    yield [...kept, ...added.slice(0, end)];
    if (end >= added.length) return;
  }
}

async function replaceCustomer(
  sdk: OpenMeter,
  { wanted, key }: Write,
  current: CustomerAnswer,
  subjectKeys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  await callForJson('PUT /api/v1/customers/{customerIdOrKey}', signal, (options) =>
    sdk.customers.update(current.id, customerBody(wanted, current, subjectKeys, key), options),
  );
}

/** Everything but the subject keys, which stay as they are by now. */
async function writeFacts(
  sdk: OpenMeter,
  item: Write,
  listed: CustomerAnswer,
  signal: AbortSignal | undefined,
): Promise<Written> {
  const current = (await findLiving(sdk, listed.id, signal)) ?? listed;
  const held = subjectKeysOf(current);
  if (factsDiffer(item.wanted, current, item.key)) {
    await replaceCustomer(sdk, item, current, held, signal);
  }
  return { openMeterId: current.id, isFrozen: !sameKeys(held, item.subjectKeys) };
}

async function createCustomer(
  sdk: OpenMeter,
  item: Write,
  signal: AbortSignal | undefined,
): Promise<Written> {
  const first = item.subjectKeys.slice(0, KEYS_PER_WRITE);
  let made: CustomerAnswer;
  try {
    made = await callForJson('POST /api/v1/customers', signal, (options) =>
      sdk.customers.create(customerBody(item.wanted, null, first, item.key), options),
    );
  } catch (error) {
    if (!(error instanceof UpstreamError) || (!error.outcomeUnknown && error.statusCode !== 409)) throw error;
    // The lost answer may have been a success, or another process was quicker: look, and make it equal.
    const found = await findLiving(sdk, item.key, signal);
    if (found === null) throw error;
    made = found;
  }
  const isDone = !factsDiffer(item.wanted, made, item.key) && sameKeys(subjectKeysOf(made), item.subjectKeys);
  return isDone
    ? { openMeterId: made.id, isFrozen: false }
    : await writeCustomer(sdk, { ...item, current: made }, signal);
}

async function findLiving(
  sdk: OpenMeter,
  idOrKey: string,
  signal: AbortSignal | undefined,
): Promise<CustomerAnswer | null> {
  try {
    const found = await callForJson('GET /api/v1/customers/{customerIdOrKey}', signal, (options) =>
      sdk.customers.get(idOrKey, options),
    );
    return found.deletedAt === undefined || found.deletedAt === null ? found : null;
  } catch (error) {
    if (error instanceof UpstreamError && error.statusCode === 404) return null;
    throw error;
  }
}

function isFrozenKeys(error: UpstreamError): boolean {
  return error.statusCode === 400 && /cannot change subject keys/i.test(String(error.context.detail ?? ''));
}
