import { addOutcomes } from './compare.ts';
import type { ScenarioOutcome } from './scenario.ts';

/** What customers of one currency come to together. */
export interface CurrencyTotals {
  /** Of the baseline; null: usage that is nobody's. */
  currency: string | null;
  customerCount: number;
  /** Of the baseline and of each scenario, in their order: one for each currency that it is paid in. */
  outcomes: ScenarioOutcome[][];
}

/** Sums by the currency of the baseline; under a scenario in another currency they are apart again. */
export class ScenarioTotals {
  readonly #byCurrency = new Map<string, { customerCount: number; sums: Map<string, ScenarioOutcome>[] }>();
  customerCount = 0;

  /** @param outcomes of the baseline and of each scenario */
  add(isNobody: boolean, outcomes: readonly ScenarioOutcome[]): void {
    if (!isNobody) this.customerCount += 1;
    const key = outcomes[0]?.currency ?? '';
    const entry = this.#byCurrency.get(key) ?? { customerCount: 0, sums: outcomes.map(() => new Map()) };
    this.#byCurrency.set(key, entry);
    if (!isNobody) entry.customerCount += 1;
    for (const [index, outcome] of outcomes.entries()) {
      const sums = entry.sums[index];
      const known = sums?.get(outcome.currency ?? '');
      sums?.set(outcome.currency ?? '', known === undefined ? outcome : addOutcomes(known, outcome));
    }
  }

  /** By currency; what is nobody's comes first. */
  list(): CurrencyTotals[] {
    return [...this.#byCurrency]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([currency, { customerCount, sums }]) => ({
        currency: currency === '' ? null : currency,
        customerCount,
        outcomes: sums.map((byCurrency) => [...byCurrency.values()]),
      }));
  }
}
