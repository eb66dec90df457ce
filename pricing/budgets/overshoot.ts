import { divideUp } from '../money.ts';

const HOUR_MS = 3_600_000n;

/** How often budgets are judged: `judge-budgets` is scheduled by it. */
export const JUDGE_INTERVAL_MS = 60_000;

/** What is used in an hour, of late: so much since an instant, the time rounded up to a minute at least. */
export function hourlyRateOf(used: bigint, sinceMs: number): bigint {
  return used <= 0n ? 0n : divideUp(used * HOUR_MS, BigInt(Math.max(60_000, sinceMs)));
}

/**
 * How far a limit may be overshot before a step acts: what goes on being used at the rate of late while data is on its way and until
 * budgets are judged the next time. A hard cap at the gateway counts by itself.
 */
export function overshootOf(hourlyRate: bigint, dataAgeMs: number): bigint {
  return divideUp(hourlyRate * BigInt(Math.max(0, Math.round(dataAgeMs)) + JUDGE_INTERVAL_MS), HOUR_MS);
}
