import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../src/platform/clock.ts';
import type { Draws } from '../draws.ts';
import type { Profile } from '../profile.ts';

/** The store puts the time of receipt in place of an event time older than this. */
export const OLDEST_EVENT_MS = 2 * DAY_MS;

/** Mostly within minutes; a late one takes from ten minutes to 50 hours. */
export function drawDelayMs(draws: Draws, profile: Profile): number {
  if (!draws.chance(profile.lateRowChance)) return draws.between(30_000, 4 * MINUTE_MS);
  return draws.between(10 * MINUTE_MS, draws.pick([2, 12, 30, 50]) * HOUR_MS);
}

/** A row that comes apart from others of its call keeps its minute, or the rest of them would never be whole. */
export function keepMinute(eventMs: number, ingestedMs: number): number {
  return Math.min(ingestedMs, eventMs + OLDEST_EVENT_MS - 1);
}
