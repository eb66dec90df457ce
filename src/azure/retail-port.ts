import type { RetailItem } from '../../pricing/retail/item.ts';

/** The whole list at one time. */
interface RetailPriceList {
  items: RetailItem[];
  pageCount: number;
}

/** What the price synchronization needs of Azure. */
export interface RetailPriceSource {
  /**
   * Reads all pages, or none.
   * @throws UpstreamError PARTIAL_RESULT when pages came but not all of them; throttled, unavailable (after retries)
   *   or rejected when not even the first one did
   */
  readPrices(signal?: AbortSignal): Promise<RetailPriceList>;
}
