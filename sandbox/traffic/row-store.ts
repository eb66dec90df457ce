import { METRIC_NAMES, type Traffic, type TrafficRow } from './row.ts';

/** Traffic whose rows are all known from the start: few enough to keep. */
export class RowStore implements Traffic {
  /** Oldest first, by ingestion. */
  #rows: TrafficRow[];
  #totals: Map<string, bigint> | null = null;

  constructor(rows: readonly TrafficRow[]) {
    this.#rows = [...rows].sort(byIngestion);
  }

  rowsIngestedBetween(startMs: number, endMs: number): TrafficRow[] {
    return this.#rows.slice(this.#indexOf(startMs), this.#indexOf(endMs));
  }

  tokenTotal(): bigint {
    let total = 0n;
    for (const tokens of this.tokenTotalByTenant().values()) total += tokens;
    return total;
  }

  tokenTotalByTenant(): Map<string, bigint> {
    this.#totals ??= countTokens(this.#rows);
    return new Map(this.#totals);
  }

  get lastIngestionMs(): number {
    return this.#rows.at(-1)?.ingestedMs ?? 0;
  }

  inject(rows: TrafficRow[]): void {
    this.#rows = [...this.#rows, ...rows].sort(byIngestion);
    this.#totals = null;
  }

  /** Place of the first row that is ingested at an instant or later. */
  #indexOf(instantMs: number): number {
    let [low, high] = [0, this.#rows.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#rows[middle]?.ingestedMs ?? 0) < instantMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Ingestion instant, then id: the order of the rows does not depend on the order of generation. */
export function byIngestion(left: TrafficRow, right: TrafficRow): number {
  return (
    left.ingestedMs - right.ingestedMs ||
    left.ingestedTicks - right.ingestedTicks ||
    (left.itemId < right.itemId ? -1 : left.itemId > right.itemId ? 1 : 0)
  );
}

/** Prompt and completion, each (id, metric) once; broken counts are nobody's tokens. By tenant. */
export function countTokens(rows: readonly TrafficRow[]): Map<string, bigint> {
  const totals = new Map<string, bigint>();
  const seen = new Set<string>();
  for (const row of rows) {
    if (row.metricName !== METRIC_NAMES.prompt && row.metricName !== METRIC_NAMES.completion) continue;
    if (typeof row.sum !== 'number' || !Number.isSafeInteger(row.sum) || row.sum < 0) continue;
    const key = `${row.itemId}\u0000${row.metricName}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const tenantKey = row.properties.tenantId ?? '';
    totals.set(tenantKey, (totals.get(tenantKey) ?? 0n) + BigInt(row.sum));
  }
  return totals;
}
