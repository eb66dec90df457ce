import { z } from '@hono/zod-openapi';
import { DEPLOYMENT_TYPES } from '../../pricing/price-book.ts';
import {
  AmountSchema,
  CurrencySchema,
  IdentifierSchema,
  InstantSchema,
  TokenCountSchema,
  textSchema,
} from './schemas.ts';

/** 10^15 tokens: beyond what any month holds, and within what a JSON number carries exactly. */
const MAX_TOKEN_COUNT = 10n ** 15n;

const countInput = z
  .union([z.int().nonnegative(), z.string().regex(/^\d{1,16}$/)], {
    error: 'must be a whole number of tokens, not negative (a number, or decimal text)',
  })
  .transform(BigInt)
  .refine((count) => count <= MAX_TOKEN_COUNT, { error: 'must be at most 10^15' })
  .openapi({ type: ['integer', 'string'], minimum: 0, pattern: '^\\d{1,16}$', example: '1250000' });

const UsageInputSchema = z
  .strictObject({
    model: textSchema(256).trim().min(1, { error: 'must not be empty' }),
    feature: textSchema(256).default(''),
    deploymentType: z.enum(DEPLOYMENT_TYPES).optional().openapi({
      description: 'How Azure runs the deployment; global unless said.',
    }),
    promptTokenCount: countInput.openapi({ description: 'As the source counts: cached ones included.' }),
    cachedPromptTokenCount: countInput.optional(),
    completionTokenCount: countInput.openapi({ description: 'Reasoning included.' }),
  })
  .refine((usage) => (usage.cachedPromptTokenCount ?? 0n) <= usage.promptTokenCount, {
    path: ['cachedPromptTokenCount'],
    error: 'must be at most promptTokenCount: cached tokens are a part of prompt tokens',
  });

export const QuoteRequestSchema = z
  .strictObject({
    usage: z.array(UsageInputSchema).min(1).max(500).optional(),
    likeCustomer: IdentifierSchema.optional().openapi({
      description: 'Instead of usage: the settled usage of this customer in the last 30 days.',
    }),
    scale: z
      .union([z.number(), z.string()])
      .transform(String)
      .pipe(
        z.string().regex(/^(?!0+(?:\.0+)?$)\d{1,4}(\.\d{1,6})?$/, {
          error: 'must be a positive decimal number below 10000 with at most 6 decimals',
        }),
      )
      .optional()
      .openapi({
        type: ['number', 'string'],
        example: '1.5',
        description: 'Multiplies the usage of likeCustomer.',
      }),
    customerId: IdentifierSchema.optional().openapi({
      description: 'Whose sell rates apply; without it the catalogue’s usual rates.',
    }),
    currency: CurrencySchema.optional().openapi({ description: "The customer's, or usd." }),
  })
  .refine((request) => (request.usage === undefined) !== (request.likeCustomer === undefined), {
    path: ['usage'],
    error: 'must be given, or likeCustomer, and not both',
  })
  .refine((request) => request.scale === undefined || request.likeCustomer !== undefined, {
    path: ['scale'],
    error: 'goes with likeCustomer only',
  })
  .openapi('QuoteRequest');

export type QuoteRequest = z.output<typeof QuoteRequestSchema>;

const FigureSchema = z.object({
  amount: AmountSchema.nullable(),
  reason: z.string().nullable().openapi({ description: 'Why there is no amount; null when there is.' }),
});

const figures = {
  cost: FigureSchema.openapi({ description: 'What Azure charges, in costCurrency. Exact.' }),
  price: FigureSchema.openapi({ description: 'What the customer pays, in currency. Exact, not rounded.' }),
  margin: FigureSchema.openapi({ description: 'Price minus cost; only when both are in one currency.' }),
  marginPercent: FigureSchema.openapi({ description: 'Of the price, to two decimals.' }),
};

export const QuoteResultSchema = z
  .object({
    quoteId: z.string(),
    createdAt: InstantSchema,
    createdBy: z.string(),
    priceBookVersion: z.string(),
    currency: CurrencySchema,
    costCurrency: CurrencySchema,
    rateBasis: z.enum(['customer', 'usual']).openapi({
      description: 'Whose sell rates: those of customerId, or those most subscription items have.',
    }),
    customerId: z.string().nullable(),
    usageBasis: z.object({
      kind: z.enum(['given', 'like_customer']),
      likeCustomer: z.string().nullable(),
      from: InstantSchema.nullable(),
      to: InstantSchema.nullable(),
      scale: z.string().nullable(),
    }),
    lines: z.array(
      z.object({
        model: z.string(),
        feature: z.string(),
        deployment: z.string(),
        tokenType: z.enum(['prompt', 'prompt_cached', 'completion']),
        tokenCount: TokenCountSchema,
        ...figures,
        notes: z.array(z.string()).openapi({ description: 'What the cost rests on beside an exact match.' }),
      }),
    ),
    invoiceLines: z
      .array(
        z.object({
          description: z.string(),
          stripeMeterId: z.string(),
          quantity: TokenCountSchema,
          unitAmountDecimal: z.string().nullable(),
          amount: AmountSchema.nullable(),
        }),
      )
      .openapi({ description: 'As an invoice would show it: one line for each meter, each rounded once.' }),
    totals: z.object({
      tokenCount: TokenCountSchema,
      ...figures,
      invoiceAmount: FigureSchema.openapi({ description: 'Sum of the invoice lines.' }),
    }),
    rounding: z.string(),
  })
  .openapi('Quote');

export type QuoteBody = z.output<typeof QuoteResultSchema>;
