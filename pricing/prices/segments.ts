import { countedText } from '../usage/names.ts';
import type { TokenType } from '../usage/tokens.ts';
import { hasUntoldWrites, type UntoldReason, untoldReason } from '../usage/untold.ts';
import { findPrice, hasPrice, type PriceMissReason, type PriceNote, resolveModel } from './lookup.ts';
import type { PriceBook, PriceQuery } from './price-book.ts';
import type { PriceBounds } from './requests.ts';
import { nameOfRow, startOf } from './rows.ts';

const HOUR_MS = 3_600_000;

/** What usage says about itself that decides its price. */
export interface PricedKind {
  model: string;
  deployment: string;
  tokenType: TokenType;
}

/** Hours in which nobody told how many tokens of a deployment's model are of these token types. */
export interface UntoldHours {
  model: string;
  deployment: string;
  start: Date;
  end: Date;
  untold: readonly TokenType[];
}

/** Hours in which requests to a deployment's model may have been larger than the lowest context tier; never more than this. */
export interface LargeHours {
  model: string;
  deployment: string;
  start: Date;
  end: Date;
  mostInputTokenCount: bigint;
}

/** A run of hours in which a kind of usage has one price, or one reason for having none. */
export interface PriceSegment extends PricedKind {
  start: Date;
  end: Date;
  /** Null: unknown, with the reason. */
  picoUsdPerToken: bigint | null;
  reason: PriceMissReason | UntoldReason | null;
  /** Where it is unknown because of what was not told of requests, and both are known: what it lies between. */
  between: PriceBounds | null;
  /** Names the row it rests on. */
  reference: string | null;
  notes: (PriceNote | UntoldReason)[];
}

/**
 * The hours of a window at which some price or some rule about deployments changes. Usage is kept by the hour, and
 * the price at the beginning of an hour holds for all of it: a change within an hour counts from the next one.
 */
export function priceBreaks(book: PriceBook, window: { start: Date; end: Date }): Date[] {
  const breaks = new Set<number>();
  for (const entry of [...book.data.prices, ...book.data.deployments]) {
    const hourMs = Math.ceil(startOf(entry) / HOUR_MS) * HOUR_MS;
    if (hourMs > window.start.getTime() && hourMs < window.end.getTime()) breaks.add(hourMs);
  }
  return [...breaks].sort((left, right) => left - right).map((hourMs) => new Date(hourMs));
}

/**
 * Models, as these kinds of usage name them, that have prices for audio, images or cache writes in a window: only of them
 * it matters what nobody told.
 */
export function modelsPricedByPart(
  book: PriceBook,
  kinds: readonly Pick<PricedKind, 'model' | 'deployment'>[],
  window: { start: Date; end: Date },
): string[] {
  const starts = [window.start, ...priceBreaks(book, window)];
  const isPriced = ({ model, deployment }: Pick<PricedKind, 'model' | 'deployment'>) =>
    starts.some((at) => book.pricedByPart.has(resolveModel(book, { model, deployment, at })?.model ?? ''));
  return [...new Set(kinds.filter(isPriced).map(({ model }) => model))];
}

/**
 * Models, as these kinds of usage name them, whose requests cost another price above some size, and the least such size: only
 * of them it matters how large requests were. Null: there is none.
 */
export function modelsPricedBySize(
  book: PriceBook,
  kinds: readonly Pick<PricedKind, 'model' | 'deployment'>[],
  window: { start: Date; end: Date },
): { models: string[]; threshold: number } | null {
  const starts = [window.start, ...priceBreaks(book, window)];
  const models = new Set<string>();
  let threshold = Number.POSITIVE_INFINITY;
  for (const { model, deployment } of kinds) {
    for (const at of starts) {
      const least = book.tiers
        .get(resolveModel(book, { model, deployment, at })?.model ?? '')
        ?.thresholds.at(-1);
      if (least === undefined) continue;
      models.add(model);
      threshold = Math.min(threshold, least);
    }
  }
  return models.size === 0 ? null : { models: [...models], threshold };
}

/**
 * Each kind's prices over a window, which must begin and end on whole hours; neighbours that are equal are one.
 * @param untoldHours of models with prices for parts of their tokens; others do not matter
 * @param largeHours of models whose requests cost another price above some size; null: how large they were is not known
 */
export function priceSegments(
  book: PriceBook,
  kinds: readonly PricedKind[],
  window: { start: Date; end: Date },
  untoldHours: readonly UntoldHours[] = [],
  largeHours: readonly LargeHours[] | null = null,
): PriceSegment[] {
  const starts = [window.start, ...priceBreaks(book, window)];
  return kinds.flatMap((kind) => {
    const untold = hoursOf(kind, untoldHours);
    const large = largeHours === null ? null : hoursOf(kind, largeHours);
    const told = [...untold, ...(large ?? [])];
    const ofKind = told.length === 0 ? starts : withBreaks(starts, told, window);
    const segments: PriceSegment[] = [];
    for (const [index, start] of ofKind.entries()) {
      const hours = { start, end: ofKind[index + 1] ?? window.end };
      const segment = priceAt(book, kind, hours, untold, large);
      const last = segments.at(-1);
      if (last !== undefined && isSamePrice(last, segment)) last.end = segment.end;
      else segments.push(segment);
    }
    return segments;
  });
}

/** Usage of before names had keys is kept as its names were told. */
function hoursOf<Hours extends UntoldHours | LargeHours>(kind: PricedKind, all: readonly Hours[]): Hours[] {
  if (all.length === 0) return [];
  const model = countedText('model', kind.model);
  const deployment = countedText('deployment', kind.deployment);
  return all.filter((hours) => hours.model === model && hours.deployment === deployment);
}

function withBreaks(
  starts: readonly Date[],
  told: readonly Pick<UntoldHours, 'start' | 'end'>[],
  window: { start: Date; end: Date },
): Date[] {
  const breaks = told
    .flatMap(({ start, end }) => [start.getTime(), end.getTime()])
    .filter((at) => at > window.start.getTime() && at < window.end.getTime());
  return [...new Set([...starts.map((start) => start.getTime()), ...breaks])]
    .sort((left, right) => left - right)
    .map((at) => new Date(at));
}

function priceAt(
  book: PriceBook,
  kind: PricedKind,
  { start, end }: { start: Date; end: Date },
  untoldHours: readonly UntoldHours[],
  largeHours: readonly LargeHours[] | null,
): PriceSegment {
  const { model, deployment, tokenType } = kind;
  const isDuring = (hours: { start: Date; end: Date }) => hours.start <= start && start < hours.end;
  const query: PriceQuery = {
    model,
    deployment,
    at: start,
    ...(largeHours === null
      ? {}
      : { mostInputTokenCount: largeHours.find(isDuring)?.mostInputTokenCount ?? 0n }),
  };
  const found = findPrice(book, query, tokenType);
  const untold = untoldHours.find(isDuring)?.untold ?? [];
  const isPriced = (part: TokenType) => hasPrice(findPrice(book, query, part));
  const hidden = hasPrice(found) ? untoldReason(untold, tokenType, isPriced) : null;
  const reason = found.found ? hidden : found.reason;
  const between = !found.found && hidden === null ? (found.between ?? null) : null;
  const price =
    found.found && reason === null
      ? {
          picoUsdPerToken: found.picoUsdPerToken,
          reason,
          reference: nameOfRow(found.row),
          notes:
            tokenType === 'prompt' && hasUntoldWrites(untold, isPriced)
              ? [...found.notes, 'cache_writes_not_told' as const]
              : found.notes,
        }
      : { picoUsdPerToken: null, reason, reference: null, notes: [] };
  return { model, deployment, tokenType, start, end, between, ...price };
}

function isSamePrice(left: PriceSegment, right: PriceSegment): boolean {
  return (
    left.picoUsdPerToken === right.picoUsdPerToken &&
    left.reason === right.reason &&
    left.between?.leastPicoUsdPerToken === right.between?.leastPicoUsdPerToken &&
    left.between?.mostPicoUsdPerToken === right.between?.mostPicoUsdPerToken &&
    left.reference === right.reference &&
    left.notes.join() === right.notes.join()
  );
}
