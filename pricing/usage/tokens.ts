import {
  COUNTED_FIGURES,
  FIGURES,
  TOKEN_TYPES,
  type TokenType,
  type TypedFigure,
  typedPartsOf,
} from './shape.ts';

export { TOKEN_TYPES, type TokenType } from './shape.ts';

/** Tokens as the source reports them: prompt includes cached, completion includes reasoning. */
export type SourceTokenCounts = Record<(typeof FIGURES)[TypedFigure]['property'], bigint>;

/** Disjoint buckets of billed tokens: `prompt` is the uncached part. */
export type TokenBuckets = Record<TokenType, bigint>;

/** A figure with what is taken out of it, made once. */
interface FigureTree {
  figure: TypedFigure;
  property: keyof SourceTokenCounts;
  tokenType: TokenType;
  parts: FigureTree[];
}

const treeOf = (figure: TypedFigure): FigureTree => ({
  figure,
  property: FIGURES[figure].property,
  tokenType: FIGURES[figure].tokenType,
  parts: typedPartsOf(figure).map(treeOf),
});
const TREES = COUNTED_FIGURES.map(treeOf);

/**
 * Turns counts as the source reports them into disjoint buckets. This is the one place where parts (cached tokens) are
 * taken out of what counts them too (prompt tokens); the buckets always sum to prompt + completion of the input, so a
 * nonsensical cached count can move tokens between buckets but never make or lose one.
 *
 * A part is kept between nothing and what the parts before it leave of the whole. For a negative prompt count (a
 * correction) the same holds with the signs turned: cached is between the prompt count and nothing.
 */
export function toDisjointBuckets(counts: SourceTokenCounts): TokenBuckets {
  const buckets = emptyBuckets();
  for (const tree of TREES) divide(tree, counts[tree.property], (part) => counts[part.property], buckets);
  return buckets;
}

/** The same for figures by their names. */
export function bucketsOf(figures: Record<TypedFigure, bigint>): TokenBuckets {
  const buckets = emptyBuckets();
  for (const tree of TREES) divide(tree, figures[tree.figure], (part) => figures[part.figure], buckets);
  return buckets;
}

function divide(
  { tokenType, parts }: FigureTree,
  count: bigint,
  countOf: (part: FigureTree) => bigint,
  buckets: TokenBuckets,
): void {
  let rest = count;
  for (const part of parts) {
    const low = rest < 0n ? rest : 0n;
    const high = rest < 0n ? 0n : rest;
    const told = countOf(part);
    const kept = told < low ? low : told > high ? high : told;
    divide(part, kept, countOf, buckets);
    rest -= kept;
  }
  buckets[tokenType] = rest;
}

/** One bucket for each token type. */
export function mapBuckets(countOf: (tokenType: TokenType) => bigint): TokenBuckets {
  const buckets = {} as TokenBuckets;
  for (const tokenType of TOKEN_TYPES) buckets[tokenType] = countOf(tokenType);
  return buckets;
}

export function emptyBuckets(): TokenBuckets {
  return mapBuckets(() => 0n);
}

/** Tokens of one type alone. */
export function bucketOf(tokenType: TokenType, tokenCount: bigint): TokenBuckets {
  return { ...emptyBuckets(), [tokenType]: tokenCount };
}

/** All tokens of all types. */
export function sumBuckets(buckets: TokenBuckets): bigint {
  return TOKEN_TYPES.reduce((sum, tokenType) => sum + buckets[tokenType], 0n);
}
