import type { TokenType } from '../usage/tokens.ts';
import { findPrice, type PriceMissReason, type PriceNote } from './lookup.ts';
import type { PriceBook } from './price-book.ts';
import { nameOfRow, startOf } from './rows.ts';

const HOUR_MS = 3_600_000;

/** What usage says about itself that decides its price. */
export interface PricedKind {
  model: string;
  deployment: string;
  tokenType: TokenType;
}

/** A run of hours in which a kind of usage has one price, or one reason for having none. */
export interface PriceSegment extends PricedKind {
  start: Date;
  end: Date;
  /** Null: unknown, with the reason. */
  picoUsdPerToken: bigint | null;
  reason: PriceMissReason | null;
  /** Names the row it rests on. */
  reference: string | null;
  notes: PriceNote[];
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

/** Each kind's prices over a window, which must begin and end on whole hours; neighbours that are equal are one. */
export function priceSegments(
  book: PriceBook,
  kinds: readonly PricedKind[],
  window: { start: Date; end: Date },
): PriceSegment[] {
  const starts = [window.start, ...priceBreaks(book, window)];
  return kinds.flatMap((kind) => {
    const segments: PriceSegment[] = [];
    for (const [index, start] of starts.entries()) {
      const segment = priceAt(book, kind, { start, end: starts[index + 1] ?? window.end });
      const last = segments.at(-1);
      if (last !== undefined && isSamePrice(last, segment)) last.end = segment.end;
      else segments.push(segment);
    }
    return segments;
  });
}

function priceAt(
  book: PriceBook,
  kind: PricedKind,
  { start, end }: { start: Date; end: Date },
): PriceSegment {
  const { model, deployment, tokenType } = kind;
  const found = findPrice(book, { model, deployment, at: start }, tokenType);
  const price = found.found
    ? {
        picoUsdPerToken: found.picoUsdPerToken,
        reason: null,
        reference: nameOfRow(found.row),
        notes: found.notes,
      }
    : { picoUsdPerToken: null, reason: found.reason, reference: null, notes: [] };
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
