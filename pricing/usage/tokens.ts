import {
  COUNTED_FIGURES,
  FIGURES,
  isPartOf,
  TOKEN_TYPES,
  type TokenType,
  TYPED_FIGURES,
  type TypedFigure,
} from './shape.ts';

export { TOKEN_TYPES, type TokenType } from './shape.ts';

/** Normalised figures that feed token types: prompt and completion include all their parts. */
export type SourceTokenCounts = Record<(typeof FIGURES)[TypedFigure]['property'], bigint>;

/** Disjoint buckets of billed tokens: `prompt` is what no other bucket holds of it. */
export type TokenBuckets = Record<TokenType, bigint>;

/** A figure of a bucket, and how often it is added (below zero: taken out). */
export interface BucketTerm {
  figure: TypedFigure;
  times: number;
}

/**
 * The figures that each figure's own bucket is the sum of: itself once, less its parts, more what two of its parts both
 * count (inclusion and exclusion, so that every token is in one bucket). Statements are made of the same terms.
 */
export const BUCKET_TERMS: ReadonlyMap<TypedFigure, readonly BucketTerm[]> = new Map(
  TYPED_FIGURES.map((whole) => {
    const parts = TYPED_FIGURES.filter((figure) => isPartOf(figure, whole));
    const timesOf = (figure: TypedFigure): number =>
      figure === whole
        ? 1
        : -parts
            .filter((other) => other !== figure && isPartOf(figure, other))
            .reduce((sum, other) => sum + timesOf(other), 0);
    const terms = parts.map((figure) => ({ figure, times: timesOf(figure) }));
    return [whole, terms.filter(({ times }) => times !== 0)];
  }),
);

/** Figures that cannot be true together: the parts of `whole` leave a bucket of the other sign, or exceed it. */
export interface Disagreement {
  whole: TypedFigure;
  wholeTokenCount: bigint;
  /** The token type whose bucket would be on the other side of zero than the rest. */
  tokenType: TokenType;
}

/** What `bucketsOf` refuses: figures that contradict each other are never cut to fit. */
export class CountsDisagreeError extends Error {
  override readonly name = 'CountsDisagreeError';
  readonly code = 'COUNTS_DISAGREE';
  readonly retry = false;
  readonly disagreement: Disagreement;

  constructor(disagreement: Disagreement) {
    super(
      `counts disagree: the parts of ${disagreement.whole} ${disagreement.wholeTokenCount} are not within it`,
    );
    this.disagreement = disagreement;
  }
}

/**
 * Turns normalised figures into disjoint buckets, which sum to prompt + completion. All figures may be negative (a
 * correction): then so are the buckets.
 * @throws CountsDisagreeError when a part exceeds what its whole leaves for it
 */
export function bucketsOf(figures: Readonly<Record<TypedFigure, bigint>>): TokenBuckets {
  const buckets = divide(figures);
  const disagreement = judge(figures, buckets);
  if (disagreement !== null) throw new CountsDisagreeError(disagreement);
  return buckets;
}

/** The same for figures that lie side by side under their properties. @throws CountsDisagreeError */
export function toDisjointBuckets(counts: SourceTokenCounts): TokenBuckets {
  const figures = {} as Record<TypedFigure, bigint>;
  for (const name of TYPED_FIGURES) figures[name] = counts[FIGURES[name].property];
  return bucketsOf(figures);
}

/** Why `bucketsOf` would refuse these figures; null: it would not. */
export function findDisagreement(figures: Readonly<Record<TypedFigure, bigint>>): Disagreement | null {
  return judge(figures, divide(figures));
}

function divide(figures: Readonly<Record<TypedFigure, bigint>>): TokenBuckets {
  const buckets = {} as TokenBuckets;
  for (const [whole, terms] of BUCKET_TERMS) {
    let count = 0n;
    for (const { figure, times } of terms) {
      if (times === 1) count += figures[figure];
      else if (times === -1) count -= figures[figure];
      else count += BigInt(times) * figures[figure];
    }
    buckets[FIGURES[whole].tokenType] = count;
  }
  return buckets;
}

/** Token types of each counted figure and all its parts. */
const FAMILIES = COUNTED_FIGURES.map((whole) => ({
  whole,
  tokenTypes: TYPED_FIGURES.filter((name) => isPartOf(name, whole)).map((name) => FIGURES[name].tokenType),
}));

function judge(figures: Readonly<Record<TypedFigure, bigint>>, buckets: TokenBuckets): Disagreement | null {
  for (const { whole, tokenTypes } of FAMILIES) {
    const isPositive = tokenTypes.some((tokenType) => buckets[tokenType] > 0n);
    const odd = tokenTypes.find((tokenType) => buckets[tokenType] < 0n);
    if (isPositive && odd !== undefined) return { whole, wholeTokenCount: figures[whole], tokenType: odd };
  }
  return null;
}

/** Sums of the events among others that were collected before contradictions were held back, where one contradicts itself. */
export type FormerCounts = Readonly<Record<'prompt' | 'cachedPrompt', bigint>>;

/**
 * The figures of an hour, or of a part of it, in which what was counted formerly stays as it was billed: cached tokens beyond
 * the prompt were left out of their bucket, by the sum of the hour or part. Everything else is exact.
 * @param former sums of those events, which `figures` include
 */
export function countFormerly<Figures extends Readonly<Record<TypedFigure, bigint>>>(
  figures: Figures,
  former: FormerCounts,
): Figures {
  const leftOut = former.cachedPrompt - former.prompt;
  return leftOut > 0n ? { ...figures, cachedPrompt: figures.cachedPrompt - leftOut } : figures;
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

/** What goes into requests: the prompt with all its parts. */
const INPUT_TYPES = TYPED_FIGURES.filter((figure) => isPartOf(figure, 'prompt')).map(
  (figure) => FIGURES[figure].tokenType,
);

export function sumInput(buckets: TokenBuckets): bigint {
  return INPUT_TYPES.reduce((sum, tokenType) => sum + buckets[tokenType], 0n);
}

/** All tokens of all types. */
export function sumBuckets(buckets: TokenBuckets): bigint {
  return TOKEN_TYPES.reduce((sum, tokenType) => sum + buckets[tokenType], 0n);
}
