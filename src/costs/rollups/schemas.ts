import { z } from '@hono/zod-openapi';
import { TOKEN_TYPES } from '../../../pricing/usage/shape.ts';
import { AmountSchema, CountSchema, TokenCountSchema } from '../../platform/http/schemas.ts';

const UnknownSchema = z.object({
  reason: z.string(),
  tokenCount: TokenCountSchema,
  atLeast: AmountSchema.optional().openapi({
    description:
      'USD; where the price hangs on what was not told of requests. Left out: not known, and by user.',
  }),
  atMost: AmountSchema.optional(),
});

/** What is shown of any group of usage, and of all of it. */
export const rollupFields = {
  tokenCount: TokenCountSchema,
  tokenCounts: z
    .partialRecord(z.enum(TOKEN_TYPES), TokenCountSchema)
    .openapi({ description: 'By token type; types without tokens are left out.' }),
  requestCount: CountSchema.openapi({ description: 'As the source counted requests beside tokens.' }),
  activeUserCount: CountSchema.openapi({
    description: 'Users of customers with tokens in the window: distinct, and not to be summed.',
  }),
  cost: AmountSchema.nullable().openapi({
    description: 'USD. null while the price of some of the tokens is unknown; knownCost is of the others.',
  }),
  knownCost: AmountSchema.openapi({ description: 'USD.' }),
  tokenCost: AmountSchema.openapi({ description: 'Of knownCost: priced by the token.' }),
  provisionedCost: AmountSchema.openapi({ description: 'Of knownCost: shares of bought capacity.' }),
  unknown: z.array(UnknownSchema).openapi({
    description:
      'service_tier_not_told, context_tier_not_told: what decides the price was not told of the requests. Tokens without a known cost. audio_not_told, image_not_told: they have a price of their own, and the source did not say how many there are. cache_writes_not_told, with no tokens: nobody counted what was written to the cache, and knownCost is without it.',
  }),
  unpricedTokenCount: TokenCountSchema.openapi({ description: 'Tokens without a known cost.' }),
  unattributedTokenCount: TokenCountSchema.openapi({ description: 'Tokens of users who are nobody’s.' }),
  revenue: z
    .array(z.object({ currency: z.string(), amount: AmountSchema, unratedTokenCount: TokenCountSchema }))
    .openapi({
      description:
        'By the customers’ rates of today, one for each currency: each token brings its calendar month’s average to date, so that a month’s parts sum up to its invoice lines. unratedTokenCount: tokens that no rate names.',
    }),
  revenueUsd: AmountSchema.nullable().openapi({
    description: 'All of it in USD, by the rates that margins are converted by; null where one is missing.',
  }),
  marginUsd: AmountSchema.nullable().openapi({
    description: 'revenueUsd less cost; null while either is unknown, or some tokens have no rate.',
  }),
  knownMarginUsd: AmountSchema.nullable().openapi({
    description: 'Of the tokens whose revenue and cost are known, before rounding of invoice lines.',
  }),
  knownMarginTokenCount: TokenCountSchema,
  costBefore: AmountSchema.nullable().openapi({
    description:
      'USD; known cost in the window before, overhead included where it is; null unless `compare` asks for it, and where nothing of it is known.',
  }),
  overhead: AmountSchema.openapi({
    description:
      'USD; bought capacity that nobody is charged for, beside knownCost. Of days, months and deployments; 0.00 by any other dimension.',
  }),
};

const RollupFiguresSchema = z.object(rollupFields);
export type ShownFigures = z.output<typeof RollupFiguresSchema>;
