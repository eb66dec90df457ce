import type { OpenMeter } from '@openmeter/sdk';
import { UpstreamError } from '../platform/errors.ts';
import { listCustomers, namesOf } from './customer-listing.ts';
import { planWrites, type Write } from './customer-plan.ts';
import { failedCustomer, frozenKeys, refusedCustomer } from './customer-problems.ts';
import { rewriteCustomer, writeCustomer } from './customer-writes.ts';
import type { CustomerProblem, MeteringCustomer } from './port.ts';

/** Customers written at the same time; each is one small transaction on OpenMeter's side. */
const CONCURRENCY = 8;
/** So many in a row, and it is asked whether OpenMeter takes anybody. */
const FAILURES_IN_A_ROW = 5;

/**
 * Makes OpenMeter's customers equal to these: the key is made of the customer id, the subject keys are all internal user
 * ids, both ids are kept in metadata. Writes only what differs; customers not named are left alone.
 *
 * A name belongs to one customer only, so what moves is taken away first and given then. What OpenMeter does not take of one
 * customer is answered and does not keep the others from being written; a customer on which it breaks while it takes
 * others is that customer's problem, and no outage.
 * @throws UpstreamError UPSTREAM_THROTTLED at once; UPSTREAM_UNAVAILABLE when it takes nobody (call again: what is done
 *   already will not differ)
 */
export async function upsertCustomers(
  sdk: OpenMeter,
  customers: readonly MeteringCustomer[],
  signal: AbortSignal | undefined,
): Promise<CustomerProblem[]> {
  if (customers.length === 0) return [];
  const names = namesOf(customers);
  const listing = await listCustomers(sdk, customers, names, signal);
  const { releases, writes, problems } = planWrites(customers, listing, names);
  const found = new Map<string, CustomerProblem>();
  for (const problem of problems) found.set(problem.customerId, problem);
  const failures: { item: Write; error: UpstreamError }[] = [];
  let failuresInARow = 0;
  /** OpenMeter's id of one that can be written, if any. */
  let writable = listing.settledOpenMeterId;

  const takesNobody = async (): Promise<boolean> => {
    if (writable === null) return failures.length > 1;
    try {
      await rewriteCustomer(sdk, writable, signal);
      return false;
    } catch (error) {
      if (isBroken(error, signal)) return true;
      throw error;
    }
  };
  const write = async (item: Write) => {
    const { customerId } = item.wanted;
    try {
      const written = await writeCustomer(sdk, item, signal);
      if (written.isFrozen) found.set(customerId, frozenKeys(customerId));
      writable = written.openMeterId;
      failuresInARow = 0;
    } catch (error) {
      if (error instanceof UpstreamError && error.code === 'UPSTREAM_REJECTED') {
        found.set(customerId, refusedCustomer(customerId, error));
        return;
      }
      if (!isBroken(error, signal)) throw error;
      failures.push({ item, error });
      failuresInARow += 1;
      if (failuresInARow < FAILURES_IN_A_ROW) return;
      failuresInARow = 0;
      if (await takesNobody()) throw error;
    }
  };
  await forEachBounded(releases, write);
  await forEachBounded(writes, write);
  const [first] = failures;
  if (first !== undefined && failuresInARow > 0 && (await takesNobody())) throw first.error;
  for (const { item, error } of failures) {
    const { customerId } = item.wanted;
    found.set(customerId, failedCustomer(customerId, item.subjectKeys.length, error));
  }
  return [...found.values()];
}

/** It may be about this one customer: an error of the server, or no answer in time. */
function isBroken(error: unknown, signal: AbortSignal | undefined): error is UpstreamError {
  if (!(error instanceof UpstreamError) || error.code !== 'UPSTREAM_UNAVAILABLE') return false;
  const { statusCode } = error;
  return signal?.aborted !== true && (statusCode === undefined || statusCode === 408 || statusCode >= 500);
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
