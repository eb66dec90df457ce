import { createRateLimiter, type RateLimiter } from './rate-limiter.ts';

/** Reads and writes a second that a test key is allowed, each (docs.stripe.com/rate-limits); live keys have 100 of each. */
const TEST_CALLS_PER_SECOND = 25;
/** Live, 1,000 meter events a second are allowed, and other senders share them. */
const LIVE_METER_EVENTS_PER_SECOND = 800;
const INVOICE_CALLS_PER_SECOND = 20;

export interface PaceConfig {
  STRIPE_API_KEY: string;
  /** Absent: as the key's mode allows. */
  STRIPE_CALLS_PER_SECOND?: number | undefined;
  STRIPE_INVOICE_CALLS_PER_SECOND?: number | undefined;
}

export interface StripePace {
  meterEventLimiter: RateLimiter;
  invoicingLimiter: RateLimiter;
}

/** The key says its mode itself; what is no key of Stripe's form belongs to something that stands in for it. */
export function isTestKey(apiKey: string): boolean {
  return /^(sk|rk)_test_/.test(apiKey);
}

/** How fast an account is called, until its 429s teach otherwise. A test key's calls share one limit. */
export function createPace(config: PaceConfig): StripePace {
  const { STRIPE_CALLS_PER_SECOND: events, STRIPE_INVOICE_CALLS_PER_SECOND: others } = config;
  const shared = isTestKey(config.STRIPE_API_KEY)
    ? createRateLimiter({ callsPerSecond: TEST_CALLS_PER_SECOND, burst: 1 })
    : null;
  const limit = (given: number | undefined, usual: number) =>
    given === undefined && shared !== null ? shared : createRateLimiter({ callsPerSecond: given ?? usual });
  return {
    meterEventLimiter: limit(events, LIVE_METER_EVENTS_PER_SECOND),
    invoicingLimiter: limit(others, INVOICE_CALLS_PER_SECOND),
  };
}
