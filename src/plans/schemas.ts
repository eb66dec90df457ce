import { z } from '@hono/zod-openapi';
import { formatMinor } from '../../pricing/money.ts';
import { globalMarkupAt, type Plan, type PlanVersion, planVersionAt } from '../../pricing/plans/plan.ts';
import { perMillionOf } from '../../pricing/plans/price.ts';
import type { PlanRates } from '../../pricing/plans/rates.ts';
import type { RatePrice } from '../../pricing/rating/rate-price.ts';
import { TOKEN_TYPES } from '../../pricing/usage/tokens.ts';
import { AmountSchema, InstantSchema, TokenCountSchema } from '../platform/http/schemas.ts';

const VersionSchema = z.object({
  versionId: z.string().openapi({ example: '2026-01-01-3f9a1c07' }),
  effectiveFrom: InstantSchema,
  note: z.string().nullable(),
});

const PlanHeadSchema = z.object({
  planId: z.string().openapi({ example: 'standard' }),
  name: z.string(),
  currency: z.string(),
  versionInForce: z.string().nullable(),
  versions: z.array(VersionSchema).openapi({ description: 'Oldest first, those to come included.' }),
});

export const PlanListSchema = z
  .object({ asOf: InstantSchema, plans: z.array(PlanHeadSchema) })
  .openapi('PlanList');

const unitAmount = z.string().openapi({
  description: 'Minor units for one token, exact: what Stripe calls `unit_amount_decimal`.',
  example: '0.0003',
});
const perMillion = AmountSchema.openapi({ description: 'The same for a million tokens, in the currency.' });

const PriceSchema = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('per_unit'), unitAmountDecimal: unitAmount, perMillion }),
    z.object({
      kind: z.literal('tiered'),
      mode: z.enum(['graduated', 'volume']),
      tiers: z.array(
        z.object({
          upTo: TokenCountSchema.nullable().openapi({ description: 'Inclusive; null: without end.' }),
          unitAmountDecimal: unitAmount,
          perMillion,
          flatAmount: AmountSchema.nullable().openapi({
            description: 'Charged once when the tier is entered.',
          }),
        }),
      ),
    }),
  ])
  .openapi({ description: 'An included allowance is a first tier at nothing.' });

export const PlanDetailSchema = PlanHeadSchema.extend({
  at: InstantSchema,
  priceBookVersion: z.string().openapi({ description: 'Markups are on its prices at that instant.' }),
  version: VersionSchema.extend({
    markupPercent: z.string().nullable(),
    minimum: AmountSchema.nullable().openapi({ description: 'What a billing period costs at least.' }),
    until: InstantSchema.nullable().openapi({ description: 'When the next version begins.' }),
  }),
  globalMarkupPercent: z.string().nullable(),
  rates: z.array(
    z.object({
      rateId: z.string(),
      description: z.string(),
      model: z.string().openapi({ description: '`*` is any model.' }),
      feature: z.string().openapi({ description: '`*` is any feature.' }),
      tokenType: z.enum(TOKEN_TYPES),
      price: PriceSchema,
      standIn: z.string().nullable().openapi({
        description: 'Where it marks up a price that stands in for one that the book does not have.',
      }),
    }),
  ),
  notes: z.array(
    z.object({ rateId: z.string(), note: z.string(), model: z.string(), tokenType: z.enum(TOKEN_TYPES) }),
  ),
}).openapi('Plan');

const RecordedSchema = z.object({ planId: z.string(), versionId: z.string(), effectiveFrom: InstantSchema });

export const PlanRecordingSchema = z
  .object({
    recorded: z.array(RecordedSchema),
    unchanged: z.array(RecordedSchema).openapi({ description: 'Known already, with the same content.' }),
  })
  .openapi('PlanRecording');

export type PlanListBody = z.infer<typeof PlanListSchema>;
export type PlanDetailBody = z.infer<typeof PlanDetailSchema>;

/** A plan's head, as of now. */
export function showPlanHead(plan: Plan, now: Date): PlanListBody['plans'][number] {
  return {
    planId: plan.planId,
    name: plan.name,
    currency: plan.currency,
    versionInForce: planVersionAt(plan, now)?.versionId ?? null,
    versions: plan.versions.map(showVersion),
  };
}

/** A plan with what it charges at an instant. */
export function showPlan(
  plan: Plan,
  rates: PlanRates,
  at: Date,
  now: Date,
  bookVersion: string,
): PlanDetailBody {
  const { version } = rates;
  const next = plan.versions[plan.versions.indexOf(version) + 1];
  return {
    ...showPlanHead(plan, now),
    at: at.toISOString(),
    priceBookVersion: bookVersion,
    version: {
      ...showVersion(version),
      markupPercent: version.markupPercent,
      minimum: version.minimum === null ? null : formatMinor(rates.minimumAmountMinor, plan.currency),
      until: next?.effectiveFrom ?? null,
    },
    globalMarkupPercent: globalMarkupAt(plan, at),
    rates: rates.rates.map((rate) => ({
      ...rate,
      price: showPrice(rate.price, plan.currency),
      standIn: rate.standIn ?? null,
    })),
    notes: rates.notes,
  };
}

function showVersion({ versionId, effectiveFrom, note }: PlanVersion) {
  return { versionId, effectiveFrom, note };
}

function showPrice(price: RatePrice, currency: string): PlanDetailBody['rates'][number]['price'] {
  if (price.kind === 'per_unit') {
    const { unitAmountDecimal } = price;
    return { kind: 'per_unit', unitAmountDecimal, perMillion: perMillionOf(unitAmountDecimal, currency) };
  }
  // A plan file has no packages.
  if (price.kind === 'per_package') throw new RangeError('a plan has no price by the package');
  return {
    kind: 'tiered',
    mode: price.mode,
    tiers: price.tiers.map(({ upTo, unitAmountDecimal, flatAmountDecimal }) => ({
      upTo: upTo === null ? null : String(upTo),
      unitAmountDecimal,
      perMillion: perMillionOf(unitAmountDecimal, currency),
      flatAmount: flatAmountDecimal === null ? null : formatMinor(BigInt(flatAmountDecimal), currency),
    })),
  };
}
