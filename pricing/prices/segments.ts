import { countedText } from '../usage/names.ts';
import type { TokenType } from '../usage/tokens.ts';
import { hasUntoldWrites, type UntoldReason, untoldReason } from '../usage/untold.ts';
import { findPrice, hasPrice, type PriceMissReason, type PriceNote, resolveModel } from './lookup.ts';
import type { PriceBook, PriceQuery } from './price-book.ts';
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

/** A run of hours in which a kind of usage has one price, or one reason for having none. */
export interface PriceSegment extends PricedKind {
  start: Date;
  end: Date;
  /** Null: unknown, with the reason. */
  picoUsdPerToken: bigint | null;
  reason: PriceMissReason | UntoldReason | null;
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
 * Each kind's prices over a window, which must begin and end on whole hours; neighbours that are equal are one.
 * @param untoldHours of models with prices for parts of their tokens; others do not matter
 */
export function priceSegments(
  book: PriceBook,
  kinds: readonly PricedKind[],
  window: { start: Date; end: Date },
  untoldHours: readonly UntoldHours[] = [],
): PriceSegment[] {
  const starts = [window.start, ...priceBreaks(book, window)];
  return kinds.flatMap((kind) => {
    const untold = untoldHours.length === 0 ? [] : untoldHoursOf(kind, untoldHours);
    const ofKind = untold.length === 0 ? starts : withBreaks(starts, untold, window);
    const segments: PriceSegment[] = [];
    for (const [index, start] of ofKind.entries()) {
      const hours = { start, end: ofKind[index + 1] ?? window.end };
      const segment = priceAt(book, kind, hours, untold);
      const last = segments.at(-1);
      if (last !== undefined && isSamePrice(last, segment)) last.end = segment.end;
      else segments.push(segment);
    }
    return segments;
  });
}

/** Usage of before names had keys is kept as its names were told. */
function untoldHoursOf(kind: PricedKind, untoldHours: readonly UntoldHours[]): UntoldHours[] {
  const model = countedText('model', kind.model);
  const deployment = countedText('deployment', kind.deployment);
  return untoldHours.filter((hours) => hours.model === model && hours.deployment === deployment);
}

function withBreaks(
  starts: readonly Date[],
  untold: readonly UntoldHours[],
  window: { start: Date; end: Date },
): Date[] {
  const breaks = untold
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
): PriceSegment {
  const { model, deployment, tokenType } = kind;
  const query: PriceQuery = { model, deployment, at: start };
  const found = findPrice(book, query, tokenType);
  const untold = untoldHours.find((hours) => hours.start <= start && start < hours.end)?.untold ?? [];
  const isPriced = (part: TokenType) => hasPrice(findPrice(book, query, part));
  const reason = found.found ? untoldReason(untold, tokenType, isPriced) : found.reason;
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
  return { model, deployment, tokenType, start, end, ...price };
}

function isSamePrice(left: PriceSegment, right: PriceSegment): boolean {
  return (
    left.picoUsdPerToken === right.picoUsdPerToken &&
    left.reason === right.reason &&
    left.reference === right.reference &&
    left.notes.join() === right.notes.join()
  );
}
