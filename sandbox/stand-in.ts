import type { Hono } from 'hono';
import type { VirtualClock } from './virtual-clock.ts';

/** What every stand-in is given. */
export interface StandInContext {
  /** The clock as this system reads it; it may be off. */
  clock: Pick<VirtualClock, 'nowMs'>;
  /** Seed of everything random in it; equal seeds behave equally. */
  seed: number;
  /** Folder for its journal; null keeps nothing. */
  stateDirectory: string | null;
  /** Real milliseconds that every answer takes at least; 0 in tests and the quick demo. */
  latencyMs: number;
}

/** One outside system's stand-in: a Hono app that speaks its wire form, and its own count of tokens. */
export interface StandIn {
  app: Hono;
  /** Prompt plus completion tokens it holds, counted from its own state. */
  tokenTotal(): bigint;
  /** Brings its state to the clock's present (invoices, flushes); called after every advance. */
  advance(nowMs: number): void;
  close(): void;
}
