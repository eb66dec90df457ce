/** What was recorded of items without a meter, by the second. */
export class UsageRecords {
  readonly #byItem = new Map<string, Map<number, bigint>>();

  put(itemId: string, timestampSeconds: number, quantity: bigint, action: 'set' | 'increment'): bigint {
    const records = this.#byItem.get(itemId) ?? new Map<number, bigint>();
    this.#byItem.set(itemId, records);
    const before = action === 'set' ? 0n : (records.get(timestampSeconds) ?? 0n);
    records.set(timestampSeconds, before + quantity);
    return before + quantity;
  }

  /** Records are seen at once: they are not aggregated behind the scenes. */
  total(itemId: string, range: { fromMs: number; untilMs: number }): bigint {
    let total = 0n;
    for (const [seconds, quantity] of this.#byItem.get(itemId) ?? []) {
      if (seconds * 1_000 >= range.fromMs && seconds * 1_000 < range.untilMs) total += quantity;
    }
    return total;
  }

  itemIds(): Iterable<string> {
    return this.#byItem.keys();
  }
}
