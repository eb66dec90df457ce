import { resolveModel } from '../prices/lookup.ts';
import type { PriceBook } from '../prices/price-book.ts';
import { FIGURES } from '../usage/shape.ts';
import type { SourceTokenCounts, TokenType } from '../usage/tokens.ts';
import { untoldParts } from '../usage/untold.ts';
import type { GivenUsage, UntoldUsage } from './question.ts';
import type { QuoteUsage } from './usage.ts';

/** Whether one of these models has prices for parts of its tokens: only then it matters whether they were told. */
export function arePartsPriced(book: PriceBook, models: readonly string[]): boolean {
  return models.some((model) => book.pricedByPart.has(resolveModel(book, { model })?.model ?? model));
}

/** What a person leaves out was not told; a prompt or a completion without tokens has no parts. */
export function untoldOf(given: GivenUsage, counts: SourceTokenCounts): TokenType[] {
  return untoldParts({
    isTold: ({ property, root }) => given[property] !== undefined || counts[FIGURES[root].property] === 0n,
    tokensOf: (figure) => counts[FIGURES[figure].property],
  });
}

/** Usage that was read, with what its source did not tell. */
export function withUntold(usage: readonly QuoteUsage[], untold: readonly UntoldUsage[]): QuoteUsage[] {
  if (untold.length === 0) return [...usage];
  return usage.map((entry) => {
    const found = untold.find(
      ({ model, deployment }) => model === entry.model && deployment === (entry.deployment ?? ''),
    );
    return found === undefined ? entry : { ...entry, untold: found.untold };
  });
}
