import path from 'node:path';
import { DAY_MS } from '../../src/platform/clock.ts';
import type { Config } from '../../src/platform/config.ts';
import { ValidationError } from '../../src/platform/errors.ts';
import type { CustomerLife } from '../scenario.ts';
import { addMonths } from '../stripe/invoices/months.ts';
import type { TierInput } from '../stripe/price-scheme.ts';
import type { SeedTieredPrice } from '../stripe/seed.ts';

export interface DemoSettings {
  seed: number;
  /** First instant of traffic. */
  startMs: number;
  dayCount: number;
  /** Given: unattended months with periods ending at month ends, instead of some days of much traffic. */
  monthCount: number | null;
  customerCount: number;
  userCount: number;
  once: boolean;
  json: boolean;
  fresh: boolean;
  dropPushCount: number;
}

/** First instant of the demo's traffic. Fixed, so that a seed means the same numbers on every day. */
export const DEMO_START_MS = Date.UTC(2026, 8, 28);
/** December: the months after it have a leap February, and a March in which clocks change. */
const MONTHS_START_MS = Date.UTC(2027, 11, 1);
/**
 * The longest that Stripe's dashboard lets a draft wait. Late rows (up to 20 hours in the traffic) then still
 * reach the invoice of their period.
 */
export const DEMO_GRACE_HOURS = 72;

/** Of one customer: the price that falls for all its tokens once there are many. */
const BY_VOLUME: SeedTieredPrice = {
  tenantKey: 'fabrikam',
  model: 'gpt-4o-mini',
  tokenType: 'completion',
  tiersMode: 'volume',
  tiers: [
    { upTo: 100_000, unitAmountDecimal: '0.00008', flatAmountDecimal: null },
    { upTo: null, unitAmountDecimal: '0.00007', flatAmountDecimal: null },
  ],
};

/** A fee with an allowance. Every fee is a whole number of cents, as Stripe wants it. */
const withAllowance = (
  model: string,
  tokenType: string,
  terms: { tokenCount: number; feeCents: string; beyondCents: string },
): SeedTieredPrice => ({
  tenantKey: 'northwind',
  model,
  tokenType,
  tiersMode: 'graduated',
  tiers: [
    {
      upTo: terms.tokenCount,
      unitAmountDecimal: '0',
      flatAmountDecimal: terms.feeCents === '0' ? null : terms.feeCents,
    },
    { upTo: null, unitAmountDecimal: terms.beyondCents, flatAmountDecimal: null },
  ],
});

/**
 * Two of the demo's customers have prices of their own. One was sold a fee and large allowances before anybody knew what
 * its page loads cost: it has more than a third of the tokens and brings less than they cost.
 */
export const DEMO_TIERED_PRICES: readonly SeedTieredPrice[] = [
  withAllowance('gpt-4o-mini', 'prompt', {
    tokenCount: 100_000_000,
    feeCents: '4900',
    beyondCents: '0.00002',
  }),
  withAllowance('gpt-4o-mini', 'prompt_cached', {
    tokenCount: 1_000_000_000,
    feeCents: '0',
    beyondCents: '0.00001',
  }),
  withAllowance('text-embedding-3-large', 'prompt', {
    tokenCount: 1_000_000_000,
    feeCents: '0',
    beyondCents: '0.000017',
  }),
  BY_VOLUME,
];

/** In the months there is little traffic: allowances that it passes, in three tiers. */
const MONTHS_ALLOWANCE: SeedTieredPrice = {
  tenantKey: 'northwind',
  model: 'gpt-4o-mini',
  tokenType: 'prompt',
  tiersMode: 'graduated',
  tiers: [
    { upTo: 250_000, unitAmountDecimal: '0', flatAmountDecimal: '1900' },
    { upTo: 1_000_000, unitAmountDecimal: '0.00002', flatAmountDecimal: null },
    { upTo: null, unitAmountDecimal: '0.000017', flatAmountDecimal: null },
  ],
};

/** In the months some customers are on the shipped plan `scale` with one model: it has tiers and a minimum. */
const SCALE_TENANTS = ['litware', 'lucerne', 'contoso-2'] as const;
const SCALE_PRICES: Record<string, readonly TierInput[]> = {
  prompt: [
    { upTo: 5_000_000, unitAmountDecimal: '0', flatAmountDecimal: null },
    { upTo: 100_000_000, unitAmountDecimal: '0.000295', flatAmountDecimal: null },
    { upTo: null, unitAmountDecimal: '0.000285', flatAmountDecimal: null },
  ],
  completion: [
    { upTo: 50_000_000, unitAmountDecimal: '0.00118', flatAmountDecimal: null },
    { upTo: null, unitAmountDecimal: '0.00114', flatAmountDecimal: null },
  ],
};
export const MONTHS_TIERED_PRICES: readonly SeedTieredPrice[] = [
  MONTHS_ALLOWANCE,
  BY_VOLUME,
  ...SCALE_TENANTS.flatMap((tenantKey) =>
    Object.entries(SCALE_PRICES).map(([tokenType, tiers]) => ({
      tenantKey,
      model: 'gpt-4o',
      tokenType,
      tiersMode: 'graduated' as const,
      tiers,
      metadata: { tallystick_plan: 'scale' },
    })),
  ),
];
/** One of them cannot pay: the invoice is finalized like the others, and stays open. */
export const MONTHS_LIVES: Readonly<Record<number, CustomerLife>> = { 5: { withoutPaymentMethod: true } };

/**
 * Validates the numbers of the command line.
 * @throws ValidationError naming the option and its range
 */
export function readDemoSettings(options: Record<string, unknown>): DemoSettings {
  const customerCount = readCount(options, 'customers', 1, 200);
  const monthCount = options.months === undefined ? null : readCount(options, 'months', 1, 24);
  return {
    seed: readCount(options, 'seed', 0, 2 ** 31 - 1),
    ...(monthCount === null
      ? { startMs: DEMO_START_MS, dayCount: readCount(options, 'days', 1, 400) }
      : {
          startMs: MONTHS_START_MS,
          dayCount: (addMonths(MONTHS_START_MS, monthCount) - MONTHS_START_MS) / DAY_MS,
        }),
    monthCount,
    customerCount,
    userCount: readCount(options, 'users', customerCount, 10_000),
    dropPushCount: readCount(options, 'dropPushes', 0, 1_000_000),
    once: options.once === true,
    json: options.json === true,
    fresh: options.fresh === true,
  };
}

function readCount(options: Record<string, unknown>, name: string, low: number, high: number): number {
  const text = String(options[name]);
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < low || value > high) {
    const flag = `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new ValidationError(flag, `must be a whole number from ${low} to ${high}, not "${text}"`);
  }
  return value;
}

/** One directory for each world, so that a second start finds what the first one left. */
export function demoDirectory(config: Config, settings: DemoSettings): string {
  const { seed, dayCount, monthCount, customerCount, userCount } = settings;
  const length = monthCount === null ? `${dayCount}d` : `${monthCount}m`;
  const dropped = settings.dropPushCount > 0 ? `-dropped-${settings.dropPushCount}` : '';
  const source = config.USAGE_SOURCE === 'metrics' ? '' : `-${config.USAGE_SOURCE}`;
  return path.resolve(
    config.TALLYSTICK_DATA_DIR,
    `demo-${seed}-${length}-${customerCount}c-${userCount}u${dropped}${source}`,
  );
}
