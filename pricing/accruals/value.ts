import { rateMeter } from '../closing/meter.ts';
import { FREE, type RatePrice } from '../rating/rate-price.ts';
import { splitAmount } from '../rating/rating.ts';
import type { BilledSpan } from './span.ts';

/** Tokens of a span before an instant, and all of it. */
export interface SpanTokens {
  before: bigint;
  all: bigint;
}

/**
 * What a span's usage before an instant comes to, in minor units: before the span nothing, at its end what its invoice's lines
 * charge, and in between what its price makes of the tokens so far, flat amounts of the tiers that they reach included. So what
 * is earned in windows that follow each other adds up to the invoice. Null: nothing rates it.
 */
export function valueAt(span: BilledSpan, instant: Date, tokens: SpanTokens): bigint | null {
  if (instant <= span.start) return 0n;
  const { amountMinor } = span;
  const price = span.isInTrial ? FREE : span.price;
  if (amountMinor === null) return price === null ? null : rate(span, price, tokens.before);
  if (instant >= span.end) return amountMinor;
  if (price !== null && rate(span, price, tokens.all) === amountMinor)
    return rate(span, price, tokens.before);
  // The lines charge something else than the price says: in proportion.
  return shareOf(amountMinor, tokens.before, tokens.all);
}

/** The part of an amount that some of its tokens have; all of it where they cannot be told apart. */
export function shareOf(amountMinor: bigint, tokenCount: bigint, of: bigint): bigint {
  const rest = of - tokenCount;
  if (tokenCount === 0n && of !== 0n) return 0n;
  if (tokenCount < 0n || rest <= 0n) return amountMinor;
  return splitAmount(amountMinor, [tokenCount, rest])[0] ?? amountMinor;
}

function rate({ before }: BilledSpan, price: RatePrice, tokenCount: bigint): bigint {
  return rateMeter((before?.tokenCount ?? 0n) + tokenCount, price, before) ?? 0n;
}
