const MINUTE_MS = 60_000;

/** After each failed try: a receiver that is down for a night hears of it, one that is down for a day is given up. */
const PAUSES_MINUTES = [1, 5, 15, 30, 60, 120, 240, 480, 480];

/** How often a delivery is tried in all. */
export const MOST_ATTEMPTS = PAUSES_MINUTES.length + 1;

/** How long until the next try; null: there is none. @param attemptNumber of the try that failed, from 1 */
export function pauseAfterMs(attemptNumber: number): number | null {
  const minutes = PAUSES_MINUTES[attemptNumber - 1];
  return minutes === undefined ? null : minutes * MINUTE_MS;
}
