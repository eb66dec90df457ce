import { FIGURES, type FigureName, TYPED_FIGURES, type TypedFigure } from './shape.ts';
import type { TokenType } from './tokens.ts';

/** Why the cost of tokens is not known although their price is: nobody said what they are made of. */
export type UntoldReason = 'audio_not_told' | 'image_not_told' | 'cache_writes_not_told';

/**
 * Parts that a source may leave out although they have a price of their own. Untold cached tokens are none of them: a
 * source that leaves them out says that all of the prompt is charged in full.
 */
const REASON_BY_PART = {
  promptAudio: 'audio_not_told',
  promptImage: 'image_not_told',
  cachedPromptAudio: 'audio_not_told',
  cacheWrite5m: 'cache_writes_not_told',
  cacheWrite1h: 'cache_writes_not_told',
  completionAudio: 'audio_not_told',
  completionImage: 'image_not_told',
} as const satisfies Partial<Record<TypedFigure, UntoldReason>>;
type TellableFigure = keyof typeof REASON_BY_PART;

/** Counts of the parts side by side; left out is not told. */
export type ToldParts = { [Property in (typeof FIGURES)[TellableFigure]['property']]?: bigint | undefined };

export interface TellablePart {
  figure: TellableFigure;
  property: keyof ToldParts;
  tokenType: TokenType;
  reason: UntoldReason;
  /** The figures that count its tokens, too. */
  wholes: readonly TypedFigure[];
  /** The one of them that is part of no other: all of the prompt, or of the completion. */
  root: TypedFigure;
  /** Token types whose tokens it may be that nobody said. */
  hiddenIn: ReadonlySet<TokenType>;
}

export const TELLABLE_PARTS: readonly TellablePart[] = TYPED_FIGURES.filter(isTellableFigure).map(
  (figure) => {
    const wholes = wholesOf(figure);
    const { tokenType, property } = FIGURES[figure];
    return {
      figure,
      property,
      tokenType,
      reason: REASON_BY_PART[figure],
      wholes,
      root: wholes.find((whole) => FIGURES[whole].partOf.length === 0) ?? figure,
      hiddenIn: new Set(wholes.map((whole) => FIGURES[whole].tokenType)),
    };
  },
);

const PART_BY_TOKEN_TYPE = new Map<string, TellablePart>(
  TELLABLE_PARTS.map((part) => [part.tokenType, part]),
);

/** Whether a price of this kind makes it matter that somebody says how many tokens are of it. */
export function isTellable(priceKind: string): boolean {
  return PART_BY_TOKEN_TYPE.has(priceKind);
}

/** What is known of some usage. */
export interface Told {
  /** Whether it was said how many tokens are of this part, be it none. */
  isTold(part: TellablePart): boolean;
  tokensOf(figure: TypedFigure): bigint;
}

/**
 * Token types of which nobody said how many tokens there are. A part of two figures is told, too, where one of them is
 * told and holds nothing.
 */
export function untoldParts(told: Told): TokenType[] {
  const isFigureTold = (figure: TypedFigure): boolean => {
    const part = PART_BY_TOKEN_TYPE.get(FIGURES[figure].tokenType);
    return part === undefined || isTold(part);
  };
  const isTold = (part: TellablePart): boolean =>
    told.isTold(part) ||
    part.wholes.some((whole) => whole !== part.root && told.tokensOf(whole) === 0n && isFigureTold(whole));
  return TELLABLE_PARTS.filter((part) => !isTold(part)).map(({ tokenType }) => tokenType);
}

/**
 * Why the cost of tokens of a type is unknown; null when it is not. It is where a part that nobody told may be hidden in
 * them and has a price of its own; of a part of two figures that each have one, how they overlap matters, too.
 * @param untold parts that nobody told; @param isPriced whether the model has a price for a token type
 */
export function untoldReason(
  untold: readonly TokenType[],
  tokenType: TokenType,
  isPriced: (tokenType: TokenType) => boolean,
): Exclude<UntoldReason, 'cache_writes_not_told'> | null {
  for (const name of untold) {
    const part = PART_BY_TOKEN_TYPE.get(name);
    if (part === undefined || part.reason === 'cache_writes_not_told' || !part.hiddenIn.has(tokenType))
      continue;
    const between = part.wholes.filter((whole) => whole !== part.root);
    const overlaps = between.length > 1 && between.every((whole) => isPriced(FIGURES[whole].tokenType));
    if (overlaps || isPriced(name)) return part.reason;
  }
  return null;
}

/**
 * Whether tokens that nobody counted may have cost something beside those that are known: a source that cannot show
 * what is written to the cache shows the rest of the prompt.
 */
export function hasUntoldWrites(
  untold: readonly TokenType[],
  isPriced: (tokenType: TokenType) => boolean,
): boolean {
  return untold.some(
    (name) => PART_BY_TOKEN_TYPE.get(name)?.reason === 'cache_writes_not_told' && isPriced(name),
  );
}

function isTellableFigure(figure: TypedFigure): figure is TellableFigure {
  return figure in REASON_BY_PART;
}

function wholesOf(figure: TypedFigure): TypedFigure[] {
  const direct = FIGURES[figure].partOf as readonly FigureName[] as readonly TypedFigure[];
  return [...new Set([...direct, ...direct.flatMap(wholesOf)])];
}
