import { makeUlid, type WireCustomer, type WireCustomerCreate } from './resources.ts';
import { Problem } from './wire.ts';

/** Customers; key and subject keys belong to one living customer only. */
export class CustomerStore {
  readonly #byId = new Map<string, WireCustomer>();
  readonly #idOfKey = new Map<string, string>();
  readonly #idOfSubject = new Map<string, string>();

  /** @throws Problem 409 */
  make(body: WireCustomerCreate, nowMs: number): WireCustomer {
    const now = new Date(nowMs).toISOString();
    const id = makeUlid(nowMs, this.#byId.size + 1);
    this.#checkFree(body, id);
    return { ...body, id, createdAt: now, updatedAt: now };
  }

  /** Replaces everything but identity. @throws Problem 409 */
  replace(current: WireCustomer, body: WireCustomerCreate, nowMs: number): WireCustomer {
    this.#checkFree(body, current.id);
    return {
      ...body,
      id: current.id,
      createdAt: current.createdAt,
      updatedAt: new Date(nowMs).toISOString(),
    };
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

  /** Who the usage of a subject belongs to: the customer with that key or that subject key. */
  withSubject(subject: string): WireCustomer | null {
    const id = this.#idOfSubject.get(subject) ?? this.#idOfKey.get(subject);
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
    const keyOwner = body.key === undefined ? undefined : this.#idOfKey.get(body.key);
    if (keyOwner !== undefined && keyOwner !== ownId) {
      throw new Problem(409, `customer with key ${body.key} already exists`);
    }
    for (const subject of subjectKeysOf(body)) {
      const owner = this.#idOfSubject.get(subject);
      if (owner !== undefined && owner !== ownId) {
        throw new Problem(
          409,
          `one or more subject keys are already associated with another customer: ${subject}`,
        );
      }
    }
  }
}

function subjectKeysOf(customer: { usageAttribution?: { subjectKeys: string[] } } | undefined): string[] {
  return customer?.usageAttribution?.subjectKeys ?? [];
}
