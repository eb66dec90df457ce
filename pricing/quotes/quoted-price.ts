import { findPrice, type PriceLookup, type PriceNote } from '../prices/lookup.ts';
import type { PriceBook } from '../prices/price-book.ts';
import type { TokenType } from '../usage/tokens.ts';
import type { QuoteUsage } from './usage.ts';

/** What is assumed of requests that do not exist yet; said with every cost that rests on it. */
export type QuotedPriceNote = 'service_tier_assumed_standard' | 'context_tier_of_the_average_request';

type Found = Extract<PriceLookup, { found: true }>;
type Missing = Extract<PriceLookup, { found: false }>;
type QuotedPrice =
  | (Omit<Found, 'notes'> & { notes: (PriceNote | QuotedPriceNote)[] })
  | (Missing & { notes: QuotedPriceNote[] });

/**
 * `findPrice` for usage that is asked about. Its requests are standard ones unless somebody says otherwise, as its deployment
 * is global; how large they are is not assumed.
 */
export function findQuotedPrice(
  book: PriceBook,
  usage: Omit<QuoteUsage, 'tokens' | 'feature'>,
  at: Date | undefined,
  tokenType: TokenType,
): QuotedPrice {
  const query = at === undefined ? usage : { ...usage, at };
  const told = findPrice(book, query, tokenType);
  const isAssumed = !told.found && told.reason === 'service_tier_not_told';
  const found = isAssumed ? findPrice(book, { ...query, serviceTier: 'standard' }, tokenType) : told;
  const notes: QuotedPriceNote[] = [
    ...(isAssumed ? (['service_tier_assumed_standard'] as const) : []),
    ...(usage.isAverageRequest === true && book.tiers.has(found.model ?? '')
      ? (['context_tier_of_the_average_request'] as const)
      : []),
  ];
  return found.found ? { ...found, notes: [...found.notes, ...notes] } : { ...found, notes };
}
