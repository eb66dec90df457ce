/**
 * The part of a source's chain of windows that a certificate rests on: from the first window that reached into the period
 * to the chain's head when it was compared. Every window that can hold usage of the period is in it. Counts are decimal
 * text, digests hexadecimal; each digest proves all windows before it.
 */
export interface CloseChain {
  source: string;
  /** Of which time the windows are: the collector's and its rescans', or a backfill's. */
  by: 'ingestion' | 'event';
  windowCount: string;
  rowCount: string;
  newRowCount: string;
  firstPosition: string;
  lastPosition: string;
  firstDigest: string;
  lastDigest: string;
  /** Start of the first window, and the furthest end of all. */
  from: string;
  to: string;
}

export interface CloseCollection {
  chains: readonly CloseChain[];
}

/** As certificates of format 1 have it: one hash over the text of each window's query. */
export interface RecordedCollection {
  source: string;
  windowCount: string;
  windowsSha256: string;
}

/** Which of the two a comparison holds; one that was made before an update is certified as it was compared. */
export function isChained(collection: unknown): collection is CloseCollection {
  return typeof collection === 'object' && collection !== null && 'chains' in collection;
}
