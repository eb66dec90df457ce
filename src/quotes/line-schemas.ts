import { z } from '@hono/zod-openapi';
import { TOKEN_TYPES } from '../../pricing/usage/shape.ts';
import { AmountSchema, TokenCountSchema } from '../platform/http/schemas.ts';

/** An amount as decimal text, or why there is none. */
export const FigureSchema = z.object({
  amount: AmountSchema.nullable(),
  reason: z.string().nullable().openapi({ description: 'Why there is no amount; null when there is.' }),
  atLeast: AmountSchema.optional().openapi({
    description: 'Where what was not told decides it: what it is at least. Left out: not known.',
  }),
  atMost: AmountSchema.optional(),
});

export const figures = {
  cost: FigureSchema.openapi({ description: 'What Azure charges, in costCurrency. Exact.' }),
  price: FigureSchema.openapi({ description: 'What the customer pays, in currency. Exact, not rounded.' }),
  margin: FigureSchema.openapi({
    description: 'Price minus cost, in currency; where costs are in another, by `exchange`.',
  }),
  marginPercent: FigureSchema.openapi({ description: 'Of the price, to two decimals.' }),
};

export const TokenTypeSchema = z.enum(TOKEN_TYPES);

export const LineSchema = z.object({
  model: z.string(),
  feature: z.string(),
  deployment: z.string(),
  deploymentType: z.string().nullable(),
  region: z.string().nullable(),
  serviceTier: z.string().optional().openapi({ description: 'Left out: not said.' }),
  requestInputTokenCount: TokenCountSchema.optional().openapi({
    description: 'Input tokens of each of its requests; left out: not said.',
  }),
  tokenType: TokenTypeSchema,
  tokenCount: TokenCountSchema.openapi({
    description: 'What is added; below zero where replace takes away.',
  }),
  costPerMillionTokens: AmountSchema.nullable(),
  ...figures,
  notes: z.array(z.string()).openapi({ description: 'What cost and price rest on beside an exact match.' }),
});

export const InvoiceLineSchema = z.object({
  rateId: z.string().openapi({ description: 'The rate of the plan, or the Stripe meter.' }),
  description: z.string(),
  model: z.string(),
  feature: z.string(),
  tokenType: TokenTypeSchema,
  quantity: TokenCountSchema.openapi({ description: 'What is added.' }),
  quantityBefore: TokenCountSchema,
  unitAmountDecimal: z.string().nullable().openapi({ description: 'Minor units per token; null for tiers.' }),
  tiers: z
    .object({
      mode: z.enum(['graduated', 'volume']),
      tiers: z.array(
        z.object({
          upTo: z.string().nullable(),
          unitAmountDecimal: z.string(),
          flatAmountDecimal: z.string().nullable(),
        }),
      ),
    })
    .nullable(),
  package: z
    .object({
      unitAmountDecimal: z.string().openapi({ description: 'Minor units for a package.' }),
      size: TokenCountSchema,
      round: z.enum(['up', 'down']).openapi({ description: 'Whether a package that was begun is charged.' }),
    })
    .optional()
    .openapi({ description: 'Of a price by the package; absent for others.' }),
  amount: AmountSchema.nullable(),
});

export const BoughtThroughputSchema = z.object({
  deployment: z.string(),
  addedWeightedTokens: AmountSchema.openapi({ description: 'Of the month.' }),
  addedToBusiestHour: AmountSchema.openapi({ description: 'Weighted tokens, in an hour like the busiest.' }),
  busiestHourWeightedTokens: AmountSchema.openapi({ description: 'Of the last 7 days.' }),
  weightedTokensPerHourAtMost: AmountSchema.openapi({ description: 'What the bought units take.' }),
  spreadEvenly: z.boolean().openapi({
    description: 'No use told how it is spread over the hours; else it is spread as the use was.',
  }),
  addedUnitCount: z.int().openapi({ description: 'To be bought; 0 while it fits.' }),
  addedHourlyCost: AmountSchema,
  addedMonthlyCost: AmountSchema.openapi({ description: 'Of 720 hours; the sum of the lines on it.' }),
});
