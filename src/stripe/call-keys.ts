/** What a write's idempotency keys are made of. */
export interface CallIntent {
  /** What is meant to happen once, however often it is tried. */
  intent: string;
  /** Digest of all that is sent. */
  content: string;
}

/**
 * Which key each write goes out under. Stripe keeps its first answer under an idempotency key for a day, a refusal too, so
 * a call that was refused and may succeed now needs another one: the keys of an intent are numbered, and how many are
 * spent is kept where it survives us. So no two keys of an intent are ever in doubt at once.
 */
export interface CallKeys {
  /** How many keys must not be used again. */
  countSpent(call: CallIntent): Promise<number>;
  /** Commits that so many are spent. Called before the next one is used; fewer than are known change nothing. */
  spend(call: CallIntent, spentCount: number): Promise<void>;
}

/** For callers without a ledger: known as long as they live. After that, a repeated refusal says itself that it is old. */
export function createMemoryKeys(): CallKeys {
  const counts = new Map<string, number>();
  const nameOf = ({ intent, content }: CallIntent) => `${intent}.${content}`;
  return {
    countSpent: async (call) => counts.get(nameOf(call)) ?? 0,
    spend: async (call, spentCount) => {
      counts.set(nameOf(call), Math.max(counts.get(nameOf(call)) ?? 0, spentCount));
    },
  };
}
