import type { RetailItem } from '../../pricing/retail/item.ts';
import { toTallystickError, UpstreamError } from '../platform/errors.ts';
import { REAL_RETRY_TOOLS, type RetryPolicy, type RetryTools } from '../platform/retry.ts';
import { parseExactJson } from './exact-json.ts';
import { firstPageUrl, nextPageUrl, type RetailQuery } from './retail-link.ts';
import { type RetailPage, readRetailPage } from './retail-page.ts';
import type { RetailPriceSource } from './retail-port.ts';
import { fetchBounded, type RetailFetch } from './retail-request.ts';
import { DEFAULT_RETRY_POLICY, retryRead } from './retry.ts';

export interface RetailPricesOptions extends Partial<RetailQuery> {
  /** AZURE_RETAIL_PRICES_URL: the host, e.g. https://prices.azure.com. */
  baseUrl: string;
  retryPolicy?: Partial<RetryPolicy>;
  retryTools?: Partial<RetryTools>;
  /** Longest time for one page, body included. */
  timeoutMs?: number;
  /** What really sends; the runtime's own by default. */
  fetch?: RetailFetch;
  /** Most pages of one list. Azure OpenAI has some ten pages of 1,000. */
  pageLimit?: number;
  /** Most bytes of one page. A page of 1,000 has about 700 KB. */
  pageByteLimit?: number;
}

/** A daily job has time, and no reason to hurry a public service. */
const RETAIL_RETRY_POLICY: RetryPolicy = { ...DEFAULT_RETRY_POLICY, deadlineMs: 300_000 };
/** Pages have 100 or 1,000 records by Microsoft's documentation (it has said both). */
const PAGE_GRAIN = 100;

/** The public price list of Azure, https://prices.azure.com: no account, no key. */
export function createRetailPrices(options: RetailPricesOptions): RetailPriceSource {
  const policy = { ...RETAIL_RETRY_POLICY, ...options.retryPolicy };
  const tools = { ...REAL_RETRY_TOOLS, ...options.retryTools };
  const { pageLimit = 500, pageByteLimit = 8 * 1_024 * 1_024, timeoutMs = 30_000 } = options;
  const send = options.fetch ?? fetch;

  const readPage = async (url: URL, signal: AbortSignal | undefined): Promise<RetailPage> => {
    const text = await retryRead(
      () => fetchBounded(send, url, { timeoutMs, byteLimit: pageByteLimit, signal }),
      policy,
      tools,
      signal,
    );
    return readRetailPage(text, parseExactJson);
  };

  return {
    async readPrices(signal) {
      const first = firstPageUrl(options.baseUrl, options);
      const items: RetailItem[] = [];
      for (let url: URL | null = first, pageCount = 1; ; pageCount += 1) {
        const page: RetailPage = await readPage(url, signal).catch((error) => {
          throw pageCount === 1 || signal?.aborted === true ? error : brokenOff(pageCount, error);
        });
        items.push(...page.items);
        url = page.nextLink === null ? null : nextPageUrl(page.nextLink, first, items.length);
        if (url !== null && pageCount >= pageLimit) throw tooLong(pageLimit);
        if (url !== null) continue;
        await proveEnd(page, items.length, signal);
        return { items, pageCount };
      }
    },
  };

  /**
   * The service has been seen to leave the link out although more was to come (2023-03-10). A last page that is full
   * proves nothing, so the page after it is asked for: it must be empty.
   */
  async function proveEnd(
    last: RetailPage,
    itemCount: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (last.items.length === 0 || last.items.length % PAGE_GRAIN !== 0) return;
    const url = firstPageUrl(options.baseUrl, options);
    url.searchParams.set('$skip', String(itemCount));
    const beyond = await readPage(url, signal).catch((error) => {
      throw signal?.aborted === true ? error : brokenOff(0, error);
    });
    if (beyond.items.length > 0) {
      throw partial(`The price list ended after ${itemCount} prices without a link, and goes on behind them`);
    }
  }
}

function brokenOff(pageNumber: number, cause: unknown): UpstreamError {
  const which = pageNumber === 0 ? 'its end could not be proven' : `page ${pageNumber} could not be read`;
  return partial(`The price list broke off: ${which}`, cause);
}

function tooLong(pageLimit: number): UpstreamError {
  return partial(`The price list has more than ${pageLimit} pages`);
}

/** Half a list would make the other half look withdrawn: nothing of it is used. */
function partial(message: string, cause?: unknown): UpstreamError {
  return new UpstreamError(message, {
    system: 'azure',
    code: 'PARTIAL_RESULT',
    retry: cause === undefined || toTallystickError(cause).retry,
    cause,
    fix: 'Nothing was applied; the next run reads the whole list again.',
  });
}
