import { formatDecimal } from '../../../pricing/money.ts';
import type { Plan, PlanPrice, PlanRate } from '../../../pricing/plans/plan.ts';
import type { RatePrice } from '../../../pricing/rating/rate-price.ts';
import { TOKEN_TYPES, type TokenType } from '../../../pricing/usage/tokens.ts';
import type { Draws } from '../../simulation/draws.ts';

/** A tier in plain numbers, before anybody's code has read it. */
export interface TierSpec {
  /** Inclusive; null: without end. */
  upTo: bigint | null;
  /** 10^-12 of a minor unit for one token. */
  unitPico: bigint;
  flatMinor: bigint | null;
}

/** What one rate charges. `per_unit` has one tier, and `per_package`, which no plan can say: its price is made by hand. */
export interface RateSpec {
  model: string;
  feature: string;
  tokenType: TokenType;
  kind: 'per_unit' | 'per_package' | 'graduated' | 'volume';
  tiers: readonly TierSpec[];
  includedTokens: bigint | null;
  /** Its unit is a package of so many tokens; a part of one counts as a whole, or as none. */
  package: { size: bigint; round: 'up' | 'down' } | null;
}

export interface PlanSpec {
  currency: Currency;
  rates: readonly RateSpec[];
  minimumMinor: bigint;
}

/** Decimals of the currency's unit, and of which number of minor units what is charged is a multiple. */
export const CURRENCIES = {
  usd: { digits: 2, step: 1n },
  eur: { digits: 2, step: 1n },
  jpy: { digits: 0, step: 1n },
  kwd: { digits: 3, step: 10n },
  ugx: { digits: 2, step: 100n },
} as const;
export type Currency = keyof typeof CURRENCIES;

const MODELS = ['gpt-4o', 'o4-mini', '*'] as const;
const FEATURES = ['chat', '*'] as const;
/** Every usage that a rate can be for. */
export const RATE_KEYS = MODELS.flatMap((model) =>
  FEATURES.flatMap((feature) => TOKEN_TYPES.map((tokenType) => ({ model, feature, tokenType }))),
);
const MOST_RATES = 4;

export function drawPlan(draws: Draws): PlanSpec {
  const keys = draws.shuffle(RATE_KEYS).slice(0, draws.between(1, MOST_RATES));
  const currency = draws.pick<Currency>(['usd', 'usd', 'eur', 'jpy', 'kwd', 'ugx']);
  const { step } = CURRENCIES[currency];
  return {
    currency,
    rates: keys.map((key) => ({ ...key, ...drawPrice(draws, currency) })),
    minimumMinor: draws.chance(0.5) ? BigInt(draws.pick([1, 100, 4_900, 99_900, 5_000_000])) * step : 0n,
  };
}

export function drawPrice(
  draws: Draws,
  currency: Currency,
): Pick<RateSpec, 'kind' | 'tiers' | 'includedTokens' | 'package'> {
  const { step } = CURRENCIES[currency];
  if (draws.chance(0.15)) {
    const size = BigInt(draws.pick([7, 1_000, 1_000_000]));
    const unitPico = BigInt(draws.between(1, 2_000_000)) * BigInt(draws.pick([1_000, 1_000_000, 97_000_003]));
    return {
      kind: 'per_package',
      includedTokens: null,
      tiers: [{ upTo: null, unitPico, flatMinor: null }],
      package: { size, round: draws.pick(['up', 'down'] as const) },
    };
  }
  const kind = draws.pick<RateSpec['kind']>(['per_unit', 'graduated', 'graduated', 'volume']);
  const hasAllowance = kind !== 'volume' && draws.chance(0.5);
  const includedTokens = hasAllowance ? BigInt(draws.pick([1, 1_000, 250_000, 2_000_000])) : null;
  if (kind === 'per_unit') {
    const tiers = [{ upTo: null, unitPico: drawUnit(draws), flatMinor: null }];
    return { kind, includedTokens, tiers, package: null };
  }
  const ends: (bigint | null)[] = [];
  let below = includedTokens ?? 0n;
  for (let count = draws.between(0, 3); count > 0; count -= 1) {
    below += BigInt(draws.pick([1, 999, 50_000, 1_000_000, 30_000_000]));
    ends.push(below);
  }
  return {
    kind,
    includedTokens,
    package: null,
    tiers: [...ends, null].map((upTo) => ({
      upTo,
      unitPico: drawUnit(draws),
      flatMinor: draws.chance(0.35) ? BigInt(draws.pick([0, 1, 1_900, 25_000])) * step : null,
    })),
  };
}

/** Mostly as dear as tokens are, with all 12 decimals; sometimes nothing, or half a minor unit, which rounds. */
function drawUnit(draws: Draws): bigint {
  if (draws.chance(0.05)) return 0n;
  if (draws.chance(0.1)) return 500_000_000_000n;
  // A plan states an amount for a million tokens, and so do 12 decimals of a minor unit hold whatever it says.
  return BigInt(draws.between(1, 2_000_000)) * BigInt(draws.pick([1, 97, 1_000]));
}

/** The same as a person would have written it in a plan file. */
export function toPlan(spec: PlanSpec, planId: string, effectiveFrom: string): Plan {
  const { digits } = CURRENCIES[spec.currency];
  return {
    planId,
    name: planId,
    currency: spec.currency,
    features: ['chat'],
    globalMarkups: [],
    versions: [
      {
        versionId: `${effectiveFrom.slice(0, 10)}-${planId}`,
        effectiveFrom,
        note: null,
        markupPercent: null,
        minimum: spec.minimumMinor === 0n ? null : formatDecimal(spec.minimumMinor, digits),
        rates: spec.rates.map((rate) => toPlanRate(rate, digits)),
        taxBehavior: null,
        taxCode: null,
      },
    ],
  };
}

function toPlanRate(spec: RateSpec, digits: number): PlanRate {
  const { model, feature, tokenType, includedTokens, kind } = spec;
  const [first] = spec.tiers;
  const price: PlanPrice =
    kind === 'per_unit' || kind === 'per_package'
      ? { kind: 'per_million', amount: perMillion(first?.unitPico ?? 0n, digits) }
      : {
          kind: 'tiered',
          mode: kind,
          tiers: spec.tiers.map((tier) => ({
            from: null,
            upTo: tier.upTo,
            perMillion: perMillion(tier.unitPico, digits),
            flat: tier.flatMinor === null ? null : formatDecimal(tier.flatMinor, digits),
          })),
        };
  return { model, feature, tokenType, includedTokens, price };
}

/** 10^-12 of a minor unit a token is 10^-6 of one for a million. */
function perMillion(unitPico: bigint, digits: number): string {
  return formatDecimal(unitPico, digits + 6);
}

/** The price of a rate by the package, which the house reads off Stripe and no plan makes. */
export function packagePriceOf({ tiers, package: packed }: RateSpec): RatePrice | null {
  if (packed === null) return null;
  const unitAmountDecimal = formatDecimal(tiers[0]?.unitPico ?? 0n, 12);
  return { kind: 'per_package', unitAmountDecimal, packageSize: packed.size, round: packed.round };
}
