/** What can go wrong with one page of the price list. */
const RETAIL_FAULTS = [
  /** 429 without, and with, a Retry-After of one second. */
  'throttled',
  'throttled_with_retry_after',
  /** 500. */
  'failed',
  /** The page without its link, as if it were the last one. */
  'no_next_link',
  /** The page with half of the prices that it counts. */
  'half_page',
  /** A link to another host. */
  'foreign_link',
  /** A link that leaves out a page. */
  'skipping_link',
  /** A body that is cut off. */
  'cut_body',
  /** No answer for as long as the caller waits. */
  'hang',
] as const;
export type RetailFault = (typeof RETAIL_FAULTS)[number];

export interface RetailFaultSettings {
  /** Played once each, one for every page asked for, in this order; null lets one pass. */
  next?: (RetailFault | null)[];
  /** Played for every page once `next` is used up. */
  always?: RetailFault | null;
}

export class RetailFaultPlan {
  #next: (RetailFault | null)[] = [];
  #always: RetailFault | null = null;

  /** A field left out keeps its present value. */
  set({ next, always }: RetailFaultSettings): void {
    if (next !== undefined) this.#next = [...next];
    if (always !== undefined) this.#always = always;
  }

  draw(): RetailFault | null {
    return this.#next.shift() ?? this.#always;
  }
}
