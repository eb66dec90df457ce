import { UpstreamError } from '../platform/errors.ts';

/** What is asked of the price list. */
export interface RetailQuery {
  /** `serviceName`; values are case-sensitive. Microsoft has renamed it before (Azure OpenAI, Cognitive Services). */
  serviceName: string;
  /** What `productName` must contain; the service sells other makers' models as well. */
  productWords: string;
  /** Prices are set in USD; other currencies are for reference only, as Microsoft says. */
  currency: string;
}

const DEFAULT_RETAIL_QUERY: RetailQuery = {
  serviceName: 'Foundry Models',
  productWords: 'OpenAI',
  currency: 'USD',
};

const PATH = '/api/retail/prices';
const API_VERSION = '2023-01-01-preview';

/** The address of the first page. */
export function firstPageUrl(baseUrl: string, query: Partial<RetailQuery>): URL {
  const serviceName = query.serviceName ?? DEFAULT_RETAIL_QUERY.serviceName;
  const productWords = query.productWords ?? DEFAULT_RETAIL_QUERY.productWords;
  const url = new URL(PATH, baseUrl);
  url.searchParams.set('api-version', API_VERSION);
  url.searchParams.set('currencyCode', `'${query.currency ?? DEFAULT_RETAIL_QUERY.currency}'`);
  url.searchParams.set(
    '$filter',
    `serviceName eq ${quote(serviceName)} and contains(productName, ${quote(productWords)})`,
  );
  return url;
}

/** OData text: a quote inside is doubled. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/**
 * Where `NextPageLink` leads, if that is the next page of the same list: the same origin and path (the service
 * writes its port, `:443`, which is the same), and behind what was read.
 * @throws UpstreamError UPSTREAM_REJECTED when it leads elsewhere; PARTIAL_RESULT when it repeats or skips prices
 */
export function nextPageUrl(link: string, first: URL, readCount: number): URL {
  const next = URL.canParse(link, first.href) ? new URL(link, first) : null;
  if (
    next === null ||
    next.origin !== first.origin ||
    next.pathname !== first.pathname ||
    next.username + next.password !== ''
  ) {
    throw new UpstreamError('The price list names a next page at another address, which is not followed', {
      system: 'azure',
      code: 'UPSTREAM_REJECTED',
      retry: false,
      // No more of the address than where it leads: the rest may be anything.
      context: { origin: next?.origin ?? 'unreadable', expected: first.origin },
      fix: 'Check AZURE_RETAIL_PRICES_URL: a proxy in front of the price list must rewrite NextPageLink.',
    });
  }
  if (next.searchParams.get('$skip') !== String(readCount)) {
    throw new UpstreamError('The next page of the price list does not begin where this one ended', {
      system: 'azure',
      code: 'PARTIAL_RESULT',
      retry: true,
      context: { readCount },
      fix: 'Nothing was applied; the next run reads the whole list again.',
    });
  }
  return next;
}
