import type { OpenMeter } from '@openmeter/sdk';
import type { CustomerAnswer } from './answer-shapes.ts';
import { callForJson } from './answers.ts';
import { customerKeyOf, factsDiffer, markedCustomerId, sameKeys, subjectKeysOf } from './customer-shape.ts';
import type { MeteringCustomer } from './port.ts';

/** Subject keys of one page, about: a page of customers with tens of thousands each would be gigabytes. */
const KEYS_PER_PAGE = 100_000;
const PAGE_SIZE_MIN = 20;
const PAGE_SIZE_MAX = 1_000;

/** What the ledger calls users and customers. */
export interface WantedNames {
  subjects: ReadonlySet<string>;
  /** Customer id by the key that the customer has, or is to have, in OpenMeter. */
  idByKey: ReadonlyMap<string, string>;
}

/** A name that the ledger wants, where it is now. */
export interface NameHolder {
  openMeterId: string;
  /** What a person finds it by. */
  label: string;
  isKey: boolean;
}

/**
 * What of OpenMeter's customers matters. Those that are as they should be are kept as their ids only, so that memory
 * grows with the ledger's subjects and not with OpenMeter's.
 */
export interface Listing {
  /** Customers that differ, by our customer id. */
  matches: ReadonlyMap<string, CustomerAnswer>;
  /** Our customer ids of those that need nothing. */
  settled: ReadonlySet<string>;
  /** OpenMeter's id of one of them. */
  settledOpenMeterId: string | null;
  holders: ReadonlyMap<string, NameHolder>;
}

export function namesOf(customers: readonly MeteringCustomer[]): WantedNames {
  const subjects = new Set<string>();
  for (const { subjectKeys } of customers) for (const key of subjectKeys) subjects.add(key);
  const idByKey = new Map(customers.map(({ customerId }) => [customerKeyOf(customerId), customerId]));
  return { subjects, idByKey };
}

/**
 * The subject keys of a customer: its users, without one who is called like a customer's key. The customer id was the key
 * once, and usage may be sent under it: it stays as a subject key, unless it is somebody's user.
 */
export function wantedKeysOf(
  wanted: MeteringCustomer,
  current: CustomerAnswer | null,
  names: WantedNames,
): string[] {
  const { customerId } = wanted;
  const keys = [...new Set(wanted.subjectKeys)].filter((key) => !names.idByKey.has(key));
  const wasName = current?.key === customerId || subjectKeysOf(current).includes(customerId);
  if (wasName && !names.subjects.has(customerId)) keys.push(customerId);
  return keys;
}

/** Reads all customers of OpenMeter, page by page. @throws UpstreamError */
export async function listCustomers(
  sdk: OpenMeter,
  customers: readonly MeteringCustomer[],
  names: WantedNames,
  signal: AbortSignal | undefined,
): Promise<Listing> {
  const wantedById = new Map(customers.map((customer) => [customer.customerId, customer]));
  const seen = new Set<string>();
  const matches = new Map<string, CustomerAnswer>();
  const ranks = new Map<string, number>();
  const settled = new Set<string>();
  const holders = new Map<string, NameHolder>();
  let settledOpenMeterId: string | null = null;

  const take = (customer: CustomerAnswer) => {
    const match = matchOf(customer, wantedById, names);
    const wanted = match === null ? undefined : wantedById.get(match.customerId);
    if (match !== null && wanted !== undefined && match.rank < (ranks.get(match.customerId) ?? Infinity)) {
      ranks.set(match.customerId, match.rank);
      if (isSettled(wanted, customer, names)) {
        matches.delete(match.customerId);
        settled.add(match.customerId);
        settledOpenMeterId ??= customer.id;
        return;
      }
      matches.set(match.customerId, customer);
    }
    const label = customer.key ?? customer.id;
    const note = (name: string, isKey: boolean) => {
      if (names.subjects.has(name) || names.idByKey.has(name)) {
        holders.set(name, { openMeterId: customer.id, label, isKey });
      }
    };
    for (const key of subjectKeysOf(customer)) note(key, false);
    if (customer.key) note(customer.key, true);
  };

  const keysPerCustomer = names.subjects.size / customers.length;
  const fitting = Math.floor(KEYS_PER_PAGE / Math.max(1, keysPerCustomer));
  const pageSize = Math.min(PAGE_SIZE_MAX, Math.max(PAGE_SIZE_MIN, fitting));
  for (let page = 1; ; page += 1) {
    const known = seen.size;
    const answer = await callForJson('GET /api/v1/customers', signal, (options) =>
      sdk.customers.list({ page, pageSize, orderBy: 'id', order: 'ASC' }, options),
    );
    for (const customer of answer.items) {
      if (seen.has(customer.id)) continue;
      seen.add(customer.id);
      take(customer);
    }
    if (seen.size >= answer.totalCount || seen.size === known) break;
  }
  return { matches, settled, settledOpenMeterId, holders };
}

/** Whose it is: by its key, by the id in its metadata, or by the key of before 0.5.0. The lowest rank is the surest. */
function matchOf(
  customer: CustomerAnswer,
  wantedById: ReadonlyMap<string, MeteringCustomer>,
  names: WantedNames,
): { customerId: string; rank: number } | null {
  const byKey = names.idByKey.get(customer.key ?? '');
  if (byKey !== undefined) return { customerId: byKey, rank: 0 };
  const marked = markedCustomerId(customer);
  if (marked !== null) return { customerId: marked, rank: 1 };
  return customer.key && wantedById.has(customer.key) ? { customerId: customer.key, rank: 2 } : null;
}

function isSettled(wanted: MeteringCustomer, customer: CustomerAnswer, names: WantedNames): boolean {
  return (
    !factsDiffer(wanted, customer, customerKeyOf(wanted.customerId)) &&
    sameKeys(subjectKeysOf(customer), wantedKeysOf(wanted, customer, names))
  );
}
