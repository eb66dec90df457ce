import { formatDecimal } from '../../../pricing/money.ts';
import type { Plan, PlanPrice, PlanRate } from '../../../pricing/plans/plan.ts';
import { TOKEN_TYPES, type TokenType } from '../../../pricing/usage/tokens.ts';
import type { Draws } from '../../simulation/draws.ts';

/** A tier in plain numbers, before anybody's code has read it. */
export interface TierSpec {
  /** Inclusive; null: without end. */
  upTo: bigint | null;
  /** 10^-12 of a cent for one token. */
  unitPico: bigint;
  flatCents: bigint | null;
}

/** What one rate charges. `per_unit` has one tier. */
export interface RateSpec {
  model: string;
  feature: string;
  tokenType: TokenType;
  kind: 'per_unit' | 'graduated' | 'volume';
  tiers: readonly TierSpec[];
  includedTokens: bigint | null;
}

export interface PlanSpec {
  currency: 'usd' | 'eur';
  rates: readonly RateSpec[];
  minimumCents: bigint;
}

const MODELS = ['gpt-4o', 'o4-mini', '*'] as const;
const FEATURES = ['chat', '*'] as const;
/** Every usage that a rate can be for. */
export const RATE_KEYS = MODELS.flatMap((model) =>
  FEATURES.flatMap((feature) => TOKEN_TYPES.map((tokenType) => ({ model, feature, tokenType }))),
);
const MOST_RATES = 4;

export function drawPlan(draws: Draws): PlanSpec {
  const keys = draws.shuffle(RATE_KEYS).slice(0, draws.between(1, MOST_RATES));
  return {
    currency: draws.chance(0.3) ? 'eur' : 'usd',
    rates: keys.map((key) => ({ ...key, ...drawPrice(draws) })),
    minimumCents: draws.chance(0.5) ? BigInt(draws.pick([1, 100, 4_900, 99_900, 5_000_000])) : 0n,
  };
}

function drawPrice(draws: Draws): Pick<RateSpec, 'kind' | 'tiers' | 'includedTokens'> {
  const kind = draws.pick<RateSpec['kind']>(['per_unit', 'graduated', 'graduated', 'volume']);
  const hasAllowance = kind !== 'volume' && draws.chance(0.5);
  const includedTokens = hasAllowance ? BigInt(draws.pick([1, 1_000, 250_000, 2_000_000])) : null;
  if (kind === 'per_unit') {
    return { kind, includedTokens, tiers: [{ upTo: null, unitPico: drawUnit(draws), flatCents: null }] };
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
    tiers: [...ends, null].map((upTo) => ({
      upTo,
      unitPico: drawUnit(draws),
      flatCents: draws.chance(0.35) ? BigInt(draws.pick([0, 1, 1_900, 25_000])) : null,
    })),
  };
}

/** Mostly as dear as tokens are, with all 12 decimals; sometimes nothing, or half a cent, which rounds. */
function drawUnit(draws: Draws): bigint {
  if (draws.chance(0.05)) return 0n;
  if (draws.chance(0.1)) return 500_000_000_000n;
  // A plan states an amount for a million tokens, and so do 12 decimals of a cent hold whatever it says.
  return BigInt(draws.between(1, 2_000_000)) * BigInt(draws.pick([1, 97, 1_000]));
}

/** The same as a person would have written it in a plan file. */
export function toPlan(spec: PlanSpec, planId: string, effectiveFrom: string): Plan {
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
        minimum: spec.minimumCents === 0n ? null : formatDecimal(spec.minimumCents, 2),
        rates: spec.rates.map(toPlanRate),
      },
    ],
  };
}

function toPlanRate(spec: RateSpec): PlanRate {
  const { model, feature, tokenType, includedTokens, kind } = spec;
  const [first] = spec.tiers;
  const price: PlanPrice =
    kind === 'per_unit'
      ? { kind: 'per_million', amount: perMillion(first?.unitPico ?? 0n) }
      : {
          kind: 'tiered',
          mode: kind,
          tiers: spec.tiers.map((tier) => ({
            from: null,
            upTo: tier.upTo,
            perMillion: perMillion(tier.unitPico),
            flat: tier.flatCents === null ? null : formatDecimal(tier.flatCents, 2),
          })),
        };
  return { model, feature, tokenType, includedTokens, price };
}

/** 10^-12 of a cent a token is 10^-8 of the currency's unit for a million. */
function perMillion(unitPico: bigint): string {
  return formatDecimal(unitPico, 8);
}
