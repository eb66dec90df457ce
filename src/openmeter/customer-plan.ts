import type { CustomerAnswer } from './answer-shapes.ts';
import { type Listing, type NameHolder, type WantedNames, wantedKeysOf } from './customer-listing.ts';
import { frozenKeys, takenNames } from './customer-problems.ts';
import { type CustomerFacts, customerKeyOf, factsDiffer, sameKeys, subjectKeysOf } from './customer-shape.ts';
import type { CustomerProblem, MeteringCustomer } from './port.ts';

/** One customer to write; `current` is null for a creation. */
export interface Write {
  wanted: CustomerFacts;
  current: CustomerAnswer | null;
  /** OpenMeter's key. */
  key: string;
  /** All of the wanted ones, or fewer while subjects are on the move. */
  subjectKeys: readonly string[];
}

export interface WritePlan {
  /** What lets go of names that others take; to be done first. */
  releases: Write[];
  writes: Write[];
  problems: CustomerProblem[];
}

/** What one customer is to become, before it is held against the others. */
interface Aim {
  wanted: MeteringCustomer;
  current: CustomerAnswer | null;
  key: string;
  keys: string[];
  isFrozen: boolean;
  /** It is frozen, and attributed otherwise than it should be. */
  isHeldBack: boolean;
  /** Subject keys that it does not hold yet. */
  added: string[];
}

/**
 * Decides what is written. A name belongs to one customer only, so names that move are let go of first and given then; a
 * name that its holder does not let go of is left out and told, and the rest of the customer is written.
 */
export function planWrites(
  customers: readonly MeteringCustomer[],
  listing: Listing,
  names: WantedNames,
): WritePlan {
  const aims = customers
    .filter(({ customerId }) => !listing.settled.has(customerId))
    .map((wanted) => aimOf(wanted, listing.matches.get(wanted.customerId) ?? null, names));
  const aimByOpenMeterId = new Map(aims.flatMap((aim) => (aim.current ? [[aim.current.id, aim]] : [])));
  const holderOf = (name: string, own: CustomerAnswer | null): NameHolder | null => {
    const holder = listing.holders.get(name);
    if (holder === undefined || holder.openMeterId === own?.id) return null;
    const aim = aimByOpenMeterId.get(holder.openMeterId);
    if (aim === undefined) return holder;
    const letsGo = holder.isKey ? aim.key !== name : !aim.isFrozen && !aim.keys.includes(name);
    return letsGo ? null : holder;
  };

  const plan: WritePlan = { releases: [], writes: [], problems: [] };
  const takers = new Map(aims.flatMap((aim) => aim.added.map((name) => [name, aim] as const)));
  for (const aim of aims) {
    const { wanted, current, isFrozen } = aim;
    const held = subjectKeysOf(current);
    const taken = aim.added.flatMap((name) => {
      const holder = holderOf(name, current);
      return holder === null ? [] : [{ name, holder }];
    });
    for (const name of wanted.subjectKeys) {
      const owner = names.idByKey.get(name);
      if (owner !== undefined) {
        taken.push({ name, holder: { openMeterId: '', label: owner, isKey: true } });
      }
    }
    const keyHolder = holderOf(aim.key, current);
    if (keyHolder !== null) taken.push({ name: aim.key, holder: keyHolder });
    const problem = takenNames(wanted.customerId, taken);
    if (problem !== null) plan.problems.push(problem);
    // Without a key of its own nobody can be made.
    if (keyHolder !== null && current === null) continue;
    const key = keyHolder === null ? aim.key : (current?.key ?? aim.key);

    if (aim.isHeldBack) plan.problems.push(frozenKeys(wanted.customerId));
    const missing = new Set(taken.map(({ name }) => name));
    const subjectKeys = isFrozen ? held : aim.keys.filter((name) => !missing.has(name));
    if (current !== null && !factsDiffer(wanted, current, key) && sameKeys(held, subjectKeys)) continue;

    const keeps = new Set(subjectKeys);
    const isTaken = (name: string) => takers.has(name) && takers.get(name) !== aim;
    const givesAway =
      held.some((name) => !keeps.has(name) && isTaken(name)) ||
      (current?.key && current.key !== key && isTaken(current.key));
    const kept = held.filter((name) => keeps.has(name));
    if (givesAway) plan.releases.push({ wanted, current, key, subjectKeys: kept });
    if (!givesAway || !sameKeys(kept, subjectKeys)) plan.writes.push({ wanted, current, key, subjectKeys });
  }
  return plan;
}

function aimOf(wanted: MeteringCustomer, current: CustomerAnswer | null, names: WantedNames): Aim {
  const isFrozen = typeof current?.currentSubscriptionId === 'string';
  const keys = wantedKeysOf(wanted, current, names);
  const heldKeys = subjectKeysOf(current);
  const held = new Set(heldKeys);
  // Its old key cannot become a subject key before the subscription ends, and usage may be attributed by it.
  const needsOldKey =
    isFrozen &&
    current?.key === wanted.customerId &&
    keys.includes(wanted.customerId) &&
    !held.has(wanted.customerId);
  return {
    wanted,
    current,
    key: needsOldKey ? wanted.customerId : customerKeyOf(wanted.customerId),
    keys,
    isFrozen,
    isHeldBack: isFrozen && !sameKeys(needsOldKey ? [...heldKeys, wanted.customerId] : heldKeys, keys),
    added: isFrozen ? [] : keys.filter((name) => !held.has(name)),
  };
}
