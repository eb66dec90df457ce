/** A grant of billing credits, as Stripe tells of it. */
export interface CreditGrant {
  grantId: string;
  currency: string;
  /** 0 is used up first, 100 last. */
  priority: number;
  isPromotional: boolean;
  effectiveAt: Date;
  /** Null: never. */
  expiresAt: Date | null;
  createdAt: Date;
  isVoided: boolean;
  /** Null: for every price with a meter. */
  priceIds: readonly string[] | null;
}

/** What is left of a grant, in minor units. */
export interface CreditLeft {
  leftMinor: bigint;
  priceIds: readonly string[] | null;
}

/**
 * The grants that are for an invoice, those that are used up first before the others: by priority, expiry (none comes last),
 * category, when they took effect and when they were made. An invoice takes those in effect at its `period_end`.
 *
 * Source: docs.stripe.com/billing/subscriptions/usage-based/billing-credits, "Credit grant eligibility" and "Multiple credit
 * grants".
 */
export function grantsFor(
  grants: readonly CreditGrant[],
  { currency, endsAt }: { currency: string; endsAt: Date },
): CreditGrant[] {
  const keyOf = ({ priority, expiresAt, isPromotional, effectiveAt, createdAt }: CreditGrant) => [
    priority,
    expiresAt?.getTime() ?? Number.MAX_SAFE_INTEGER,
    isPromotional ? 0 : 1,
    effectiveAt.getTime(),
    createdAt.getTime(),
  ];
  return grants
    .filter(
      (grant) =>
        !grant.isVoided &&
        grant.currency === currency &&
        grant.effectiveAt <= endsAt &&
        (grant.expiresAt === null || grant.expiresAt > endsAt),
    )
    .toSorted((one, other) => {
      const others = keyOf(other);
      return (
        keyOf(one)
          .map((value, index) => value - (others[index] ?? 0))
          .find((difference) => difference !== 0) ?? 0
      );
    });
}

/** What each line takes of credits: these in their order, and of each the lines in theirs. */
export function useCredits(
  lines: readonly { priceId: string | null; amountMinor: bigint }[],
  credits: readonly CreditLeft[],
): bigint[] {
  const used = lines.map(() => 0n);
  for (const { leftMinor, priceIds } of credits) {
    let left = leftMinor;
    for (const [index, { priceId, amountMinor }] of lines.entries()) {
      if (priceId === null || (priceIds !== null && !priceIds.includes(priceId))) continue;
      const open = amountMinor - (used[index] ?? 0n);
      const amount = open < left ? open : left;
      if (amount <= 0n) continue;
      used[index] = (used[index] ?? 0n) + amount;
      left -= amount;
    }
  }
  return used;
}
