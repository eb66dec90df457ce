import type { DemoSettings } from './settings.ts';

/** Measured on two cores: starting, each look at the watermarks, and what one user's day brings along. */
const START_SECONDS = 6;
const TICK_SECONDS = 0.12;
const TICKS_PER_DAY = 4;
const USER_DAY_SECONDS = 0.018;
/** A customer's month with its outages. */
const CUSTOMER_MONTH_SECONDS = 0.6;

/** How long it takes to play so much of the settings, roughly. */
export function expectedSeconds(settings: DemoSettings, remainingShare = 1): number {
  const { monthCount, customerCount, dayCount, userCount } = settings;
  const all =
    monthCount === null
      ? dayCount * (TICKS_PER_DAY * TICK_SECONDS + userCount * USER_DAY_SECONDS)
      : monthCount * customerCount * CUSTOMER_MONTH_SECONDS;
  return START_SECONDS + all * remainingShare;
}

/** As one says it of what is only roughly known: `about a minute`, `about 20 seconds`. */
export function roughly(seconds: number): string {
  if (seconds < 8) return 'a few seconds';
  if (seconds < 45) return `about ${Math.round(seconds / 10) * 10} seconds`;
  const minutes = Math.round(seconds / 60);
  return minutes <= 1 ? 'about a minute' : `about ${minutes} minutes`;
}
