import type { WireCustomer, WireCustomerCreate } from './resources.ts';
import { makeUlid } from './ulid.ts';
import { Problem } from './wire.ts';

/** Customers. Keys and subject keys share one name space: each belongs to one living customer only. */
export class CustomerStore {
  readonly #byId = new Map<string, WireCustomer>();
  readonly #idOfKey = new Map<string, string>();
  readonly #idOfSubject = new Map<string, string>();

  /** @throws Problem 409 */
  make(body: WireCustomerCreate, nowMs: number): WireCustomer {
    const now = new Date(nowMs).toISOString();
    const id = makeUlid(nowMs, this.#byId.size + 1);
    this.#checkFree(body, id);
    const subjectKeys = subjectKeysOf(body);
    if (new Set(subjectKeys).size < subjectKeys.length) throw subjectsTaken(subjectKeys);
    return withoutEmpty({ ...body, id, createdAt: now, updatedAt: now });
  }

  /** Replaces everything but identity; keys that stay keep their place. @throws Problem 409 */
  replace(current: WireCustomer, body: WireCustomerCreate, nowMs: number): WireCustomer {
    this.#checkFree(body, current.id);
    const wanted = new Set(subjectKeysOf(body));
    const kept = subjectKeysOf(current).filter((key) => wanted.has(key));
    for (const key of kept) wanted.delete(key);
    return withoutEmpty({
      ...body,
      usageAttribution: { subjectKeys: [...kept, ...wanted] },
      ...(current.currentSubscriptionId === undefined
        ? {}
        : { currentSubscriptionId: current.currentSubscriptionId }),
      id: current.id,
      createdAt: current.createdAt,
      updatedAt: new Date(nowMs).toISOString(),
    });
  }

  put(customer: WireCustomer): void {
    const previous = this.#byId.get(customer.id);
    if (previous?.key !== undefined) this.#idOfKey.delete(previous.key);
    for (const subject of subjectKeysOf(previous)) this.#idOfSubject.delete(subject);
    this.#byId.set(customer.id, customer);
    // A deleted customer frees its key and its subjects.
    if (customer.deletedAt) return;
    if (customer.key !== undefined) this.#idOfKey.set(customer.key, customer.id);
    for (const subject of subjectKeysOf(customer)) this.#idOfSubject.set(subject, customer.id);
  }

  /** By id or key; a deleted one is found by id only. @throws Problem 404 */
  get(idOrKey: string): WireCustomer {
    const found = this.#byId.get(idOrKey) ?? this.#byId.get(this.#idOfKey.get(idOrKey) ?? '');
    if (found === undefined) throw new Problem(404, `customer ${idOrKey} not found`);
    return found;
  }

  list(includeDeleted: boolean): WireCustomer[] {
    return [...this.#byId.values()].filter((customer) => includeDeleted || !customer.deletedAt);
  }

  /** Who the usage of a subject belongs to: the customer with that key, or else with that subject key. */
  withSubject(subject: string): WireCustomer | null {
    const id = this.#idOfKey.get(subject) ?? this.#idOfSubject.get(subject);
    return (id === undefined ? undefined : this.#byId.get(id)) ?? null;
  }

  /** Customer id by subject, for the given customers. @throws Problem 400 on an unknown one */
  subjectsOf(customerIds: readonly string[]): Map<string, string> {
    const owners = new Map<string, string>();
    for (const id of customerIds) {
      const customer = this.#byId.get(id);
      if (customer === undefined) throw new Problem(400, `customer ${id} not found`);
      if (customer.key !== undefined) owners.set(customer.key, id);
      for (const subject of subjectKeysOf(customer)) owners.set(subject, id);
    }
    return owners;
  }

  #checkFree(body: WireCustomerCreate, ownId: string): void {
    const isForeign = (owner: string | undefined) => owner !== undefined && owner !== ownId;
    const { key } = body;
    if (key !== undefined) {
      if (isForeign(this.#idOfKey.get(key)))
        throw new Problem(409, `customer key "${key}" is already in use`);
      const owner = this.#idOfSubject.get(key);
      if (isForeign(owner)) {
        throw new Problem(409, `key ${key} overlaps with subject of another customer: ${owner}`);
      }
    }
    const subjectKeys = subjectKeysOf(body);
    const isTaken = subjectKeys.some(
      (subject) => isForeign(this.#idOfSubject.get(subject)) || isForeign(this.#idOfKey.get(subject)),
    );
    if (isTaken) throw subjectsTaken(subjectKeys);
  }
}

/** It names all keys of the request, and not whose they are. */
function subjectsTaken(subjectKeys: readonly string[]): Problem {
  return new Problem(
    409,
    `one or multiple subject keys of [${subjectKeys.join(', ')}] are already associated with an different customer`,
  );
}

/** Empty metadata and attributions are left out of answers. */
function withoutEmpty({ metadata, usageAttribution, ...customer }: WireCustomer): WireCustomer {
  return {
    ...customer,
    ...(Object.keys(metadata ?? {}).length === 0 ? {} : { metadata }),
    ...((usageAttribution?.subjectKeys ?? []).length === 0 ? {} : { usageAttribution }),
  };
}

export function subjectKeysOf(
  customer: { usageAttribution?: { subjectKeys: string[] } } | null | undefined,
): string[] {
  return customer?.usageAttribution?.subjectKeys ?? [];
}
