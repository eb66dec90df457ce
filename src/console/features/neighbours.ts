/** The cost of a request of one feature; null: it had none. */
export interface RequestCost {
  picoUsd: bigint;
  requestCount: bigint;
}

/**
 * How many times what the middle one of the others costs, a request of this one costs; two middle ones count as their
 * mean. Null where there is no other to compare with, or one of the two is nothing.
 */
export function timesNeighbours(features: readonly RequestCost[], index: number): number | null {
  const each = features.map(({ picoUsd, requestCount }) =>
    requestCount > 0n && picoUsd > 0n ? Number(picoUsd) / Number(requestCount) : null,
  );
  const own = each[index] ?? null;
  const others = each
    .filter((cost, place): cost is number => place !== index && cost !== null)
    .sort((one, other) => one - other);
  if (own === null || others.length === 0) return null;
  const upper = others[Math.floor(others.length / 2)] ?? 0;
  const lower = others[Math.ceil(others.length / 2) - 1] ?? upper;
  return own / ((upper + lower) / 2);
}
