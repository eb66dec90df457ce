import path from 'node:path';
import { DAY_MS } from '../../src/platform/clock.ts';
import { Journal } from '../journal.ts';
import { RETAIL_METERS, type RetailMeter, sandboxMeterId } from './retail-catalog.ts';

/** A change of the list, in virtual time. */
export interface RetailChange {
  meterId: string;
  /** The new price for one unit of measure; null: the meter is listed no more. */
  retailPrice: string | null;
  /** From when on it holds, and what `effectiveStartDate` will say. */
  effectiveMs: number;
  /** When the list shows it; `effectiveMs` when left out. Before that it is announced beside the old price. */
  publishedMs?: number;
}

/** One row of the list as it is shown. */
export interface ShownPrice {
  meter: RetailMeter;
  retailPrice: string;
  effectiveMs: number;
}

/** What every listed price began with. */
const LISTED_SINCE_MS = Date.UTC(2024, 7, 1);

/** What happens in every world: a small change after a week, a large one after two, and a meter that goes. */
function usualChanges(startMs: number): RetailChange[] {
  return [
    { meterId: sandboxMeterId(11), retailPrice: '0.00064', effectiveMs: startMs + 7 * DAY_MS },
    { meterId: sandboxMeterId(17), retailPrice: '0.012', effectiveMs: startMs + 14 * DAY_MS },
    { meterId: sandboxMeterId(45), retailPrice: null, effectiveMs: startMs + 21 * DAY_MS },
  ];
}

/** The list over time: the catalog, the usual changes, and those that somebody asked for, which are kept. */
export class RetailState {
  readonly #changes: RetailChange[];
  readonly #journal: Journal<{ at: number; change: RetailChange }>;

  constructor(startMs: number, stateDirectory: string | null) {
    this.#journal = new Journal(
      stateDirectory === null ? null : path.join(stateDirectory, 'retail.journal.jsonl'),
    );
    this.#changes = [
      ...usualChanges(startMs),
      ...this.#journal.takeReplay().map((entry) => entry.change),
    ].sort(byTime);
  }

  schedule(change: RetailChange, nowMs: number): void {
    this.#journal.append({ at: nowMs, change });
    this.#changes.push(change);
    this.#changes.sort(byTime);
  }

  /** What the list shows at an instant, always in the same order. */
  shownAt(nowMs: number): ShownPrice[] {
    return RETAIL_METERS.flatMap((meter) => {
      const changes = this.#changes.filter((change) => change.meterId === meter.meterId);
      const begun = changes.filter((change) => change.effectiveMs <= nowMs);
      const announced = changes.filter(
        (change) => change.effectiveMs > nowMs && (change.publishedMs ?? change.effectiveMs) <= nowMs,
      );
      const last = begun.at(-1) ?? { retailPrice: meter.retailPrice, effectiveMs: LISTED_SINCE_MS };
      return [last, ...announced].flatMap(({ retailPrice, effectiveMs }) =>
        retailPrice === null ? [] : [{ meter, retailPrice, effectiveMs }],
      );
    });
  }

  close(): void {
    this.#journal.close();
  }
}

function byTime(left: RetailChange, right: RetailChange): number {
  return left.effectiveMs - right.effectiveMs;
}
