import { z } from '@hono/zod-openapi';
import { QUOTE_MODES } from '../../pricing/quotes/quote.ts';
import { ConversionSchema } from '../costs/exchange/schemas.ts';
import { AmountSchema, CurrencySchema, InstantSchema, TokenCountSchema } from '../platform/http/schemas.ts';
import {
  BoughtThroughputSchema,
  FigureSchema,
  figures,
  InvoiceLineSchema,
  LineSchema,
  TokenTypeSchema,
} from './line-schemas.ts';

const RangePointSchema = z.object({
  tokenCount: TokenCountSchema,
  cost: FigureSchema,
  price: FigureSchema,
  invoiceAmount: FigureSchema,
});

const PercentilesSchema = z.object({ p50: AmountSchema, p90: AmountSchema, mean: AmountSchema });

const SideSchema = z.object({
  tokenCount: TokenCountSchema,
  cost: FigureSchema,
  price: FigureSchema,
  invoiceAmount: FigureSchema,
});

const UsageBasisSchema = z.object({
  kind: z.enum(['given', 'like_customer', 'active_users']),
  likeCustomer: z.string().nullable(),
  from: InstantSchema.nullable(),
  to: InstantSchema.nullable(),
  scale: z.string().nullable(),
  extrapolated: z
    .object({ from: InstantSchema, to: InstantSchema, monthDayCount: z.string() })
    .optional()
    .openapi({ description: 'The part of a month that was brought to a month; left out where nothing was.' }),
  activeUsers: z
    .array(
      z.object({
        feature: z.string(),
        count: z.string(),
        sampleUserCount: z.int(),
        sampleDayCount: z.int(),
        tokensPerUserMonth: PercentilesSchema,
        costPerUserMonth: PercentilesSchema.nullable().openapi({
          description: 'In costCurrency; null when some of the sample has no price.',
        }),
      }),
    )
    .nullable(),
  existing: z
    .object({
      from: InstantSchema.nullable(),
      to: InstantSchema.nullable(),
      tokenCount: TokenCountSchema,
      openHourCount: z.string(),
    })
    .nullable()
    .openapi({ description: 'What customerId uses already, for merge and replace; null for new.' }),
});

const TargetMarginSchema = z.object({
  percent: z.string(),
  price: FigureSchema.openapi({ description: 'The least price that reaches it, rounded up.' }),
  invoiceAmount: FigureSchema,
  markupPercent: AmountSchema.openapi({ description: 'On the cost, rounded up at the twelfth decimal.' }),
  rates: z.array(
    z.object({
      model: z.string(),
      deploymentType: z.string().nullable(),
      region: z.string().nullable(),
      tokenType: TokenTypeSchema,
      costPerMillionTokens: AmountSchema,
      pricePerMillionTokens: AmountSchema,
      unitAmountDecimal: z.string().openapi({ description: 'Minor units per token, as Stripe takes them.' }),
    }),
  ),
});

const RangeSchema = z.object({ low: RangePointSchema, expected: RangePointSchema, high: RangePointSchema });

const OfferSchema = z.object({
  invoiceLines: z.array(InvoiceLineSchema),
  invoiceAmount: FigureSchema.openapi({
    description: 'At least the target: what the page for the customer says.',
  }),
  margin: FigureSchema,
  marginPercent: FigureSchema,
  discountPercent: z.string().nullable().openapi({
    description: 'As a coupon on the quoted price it reaches the target too; null: that price is below it.',
  }),
  range: RangeSchema.nullable(),
  planFile: z.string().openapi({
    description:
      'A plan with these prices, for POST /v1/plans: applied to Stripe, it is what the invoice charges.',
  }),
});

/** What a quote says, computed from book, plan and usage alone: what its hash is of. */
const answerFields = {
  currency: CurrencySchema,
  costCurrency: CurrencySchema,
  exchange: ConversionSchema.nullable().optional().openapi({
    description:
      'What costs were converted by for the margins; null: there is no rate. Left out where prices are in costCurrency.',
  }),
  priceBookVersion: z.string(),
  pricesAsOf: z.iso.date().nullable().optional().openapi({
    description:
      'Day of the oldest list that a price of these costs was read from; null: none names its day.',
  }),
  plan: z
    .object({ planId: z.string(), name: z.string(), versionId: z.string(), minimumAmount: AmountSchema })
    .nullable(),
  rateBasis: z.enum(['plan', 'customer', 'usual']).openapi({
    description: 'Whose sell rates: of the plan, of customerId, or those most subscription items have.',
  }),
  mode: z.enum(QUOTE_MODES),
  customerId: z.string().nullable(),
  asOf: InstantSchema.openapi({ description: 'Whose list prices and plan version count.' }),
  usageBasis: UsageBasisSchema,
  lines: z.array(LineSchema),
  invoiceLines: z
    .array(InvoiceLineSchema)
    .openapi({ description: 'As an invoice would show them: one for each rate, each rounded.' }),
  minimumTopUp: z
    .object({ before: AmountSchema, after: AmountSchema, added: AmountSchema })
    .openapi({ description: 'What the invoice adds to reach the minimum; added is after less before.' }),
  totals: z.object({
    tokenCount: TokenCountSchema,
    requestCount: z.string(),
    ...figures,
    invoiceAmount: FigureSchema.openapi({ description: 'Sum of the invoice lines and the minimum.' }),
    knownCost: AmountSchema.openapi({
      description: 'Of the lines that have one; all of it when cost is known.',
    }),
    knownMargin: FigureSchema.optional().openapi({
      description: 'Of the lines that have a margin; left out where all of it is known.',
    }),
    unknownTokenPercent: z.string().nullable().optional().openapi({
      description: 'Tokens that are not in `knownMargin`; rounded up, null without tokens.',
    }),
  }),
  before: SideSchema,
  after: SideSchema,
  averageCost: z.object({
    perMillionTokens: FigureSchema,
    perRequest: FigureSchema,
    cost: FigureSchema.openapi({ description: 'Of the tokens above, at the average.' }),
    basis: z.enum(['list_prices', 'with_provisioned']),
  }),
  boughtThroughput: z.array(BoughtThroughputSchema).optional().openapi({
    description:
      'What the usage adds to throughput bought by the hour; left out where none of it runs on such.',
  }),
  pricePerMillionTokens: FigureSchema,
  targetMargin: TargetMarginSchema.nullable(),
  offer: OfferSchema.nullable().optional().openapi({
    description:
      'The usage at prices that reach the target margin; left out without one, null where there are none.',
  }),
  range: RangeSchema.nullable(),
  rangeReason: z.string().nullable().openapi({ description: 'Why there is no range; null when there is.' }),
  assumptions: z.array(z.string()).openapi({ description: 'What the quote rests on, in sentences.' }),
  rounding: z.string(),
};

export const QuoteAnswerSchema = z.object(answerFields);
export type QuoteAnswerBody = z.output<typeof QuoteAnswerSchema>;

const StoredQuoteSchema = z.object({
  quoteId: z.string(),
  title: z.string().nullable(),
  preparedFor: z.string().nullable(),
  createdAt: InstantSchema,
  createdBy: z.string(),
  validUntil: InstantSchema,
  contractMonths: z
    .int()
    .nullable()
    .optional()
    .openapi({ description: 'How long the contract runs, where that is said.' }),
  resultHash: z.string().openapi({ description: 'SHA-256 of the answer; recompute compares it.' }),
  ...answerFields,
});
export type StoredQuoteBody = z.output<typeof StoredQuoteSchema>;

const AcceptanceSchema = z.object({
  acceptedBy: z.string().openapi({ description: 'The name, as it was typed on the page.' }),
  acceptedAt: InstantSchema,
  offerHash: z.string().openapi({
    description: 'SHA-256 of all that the page said: the stored quote, seller and terms.',
  }),
});

export const QuoteResultSchema = StoredQuoteSchema.extend({
  acceptance: AcceptanceSchema.nullable().openapi({ description: 'Null until the customer accepts it.' }),
  pageUrl: z.string().nullable().openapi({
    description: 'Signed link to the page for the customer, until validUntil. Null: it was withdrawn.',
  }),
}).openapi('Quote');

export type QuoteBody = z.output<typeof QuoteResultSchema>;

export const QuoteListSchema = z
  .object({
    quotes: z.array(
      z.object({
        quoteId: z.string(),
        title: z.string().nullable(),
        customerId: z.string().nullable(),
        planId: z.string().nullable(),
        currency: CurrencySchema,
        invoiceAmount: AmountSchema.nullable(),
        createdBy: z.string(),
        createdAt: InstantSchema,
        validUntil: InstantSchema.nullable(),
        acceptedAt: InstantSchema.nullable(),
      }),
    ),
    nextCursor: z.string().nullable(),
  })
  .openapi('QuoteList');
