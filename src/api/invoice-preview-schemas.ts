import { z } from '@hono/zod-openapi';
import { AmountSchema, CurrencySchema, InstantSchema, TokenCountSchema } from './schemas.ts';

const PreviewPartSchema = z
  .object({
    model: z.string().nullable().openapi({ description: 'null: counted by Stripe, unknown to the ledger.' }),
    feature: z.string().nullable(),
    quantity: TokenCountSchema,
    amount: AmountSchema.nullable(),
  })
  .openapi('InvoicePreviewPart');

const PreviewLineSchema = z
  .object({
    subscriptionItemId: z.string().nullable(),
    priceId: z.string().nullable(),
    description: z.string(),
    unitAmountDecimal: z.string().nullable().openapi({
      description: 'Minor units for one token; null for tiers.',
    }),
    quantity: TokenCountSchema.nullable(),
    countedByStripe: TokenCountSchema.nullable().openapi({
      description: 'As of `stripe.asOf`; null when Stripe did not answer or the line is not metered.',
    }),
    notYetCounted: TokenCountSchema.nullable().openapi({
      description: 'Settled in the ledger as of `ledger.asOf` and not counted by Stripe yet; never negative.',
    }),
    notYetDelivered: TokenCountSchema.nullable().openapi({
      description: 'Of the ledger: not pushed, or pushed without an answer yet.',
    }),
    amount: AmountSchema.nullable().openapi({
      description: 'Rounded once, halves away from zero. null: tiers, and not all of the usage is at Stripe.',
    }),
    stripeAmount: AmountSchema.nullable(),
    parts: z.array(PreviewPartSchema).openapi({
      description: 'Per model and feature; quantities and amounts sum exactly to the line.',
    }),
  })
  .openapi('InvoicePreviewLine');

export const SubscriptionPreviewSchema = z
  .object({
    subscriptionId: z.string(),
    currency: CurrencySchema,
    periodStart: InstantSchema,
    periodEnd: InstantSchema,
    stripe: z.object({
      status: z.enum(['ok', 'unavailable']),
      asOf: InstantSchema.nullable(),
      reason: z.string().nullable(),
      total: AmountSchema.nullable().openapi({
        description: "Stripe's own total, with taxes and discounts.",
      }),
    }),
    ledger: z.object({
      asOf: InstantSchema,
      collectedThrough: InstantSchema.nullable(),
      openHourCount: z.string().openapi({ description: 'Hours of the period that are not settled yet.' }),
    }),
    lines: z.array(PreviewLineSchema),
    total: AmountSchema.nullable().openapi({
      description: 'Sum of the lines, before taxes and discounts; null when one is null.',
    }),
    quarantined: z.array(z.object({ reason: z.string(), tokenCount: TokenCountSchema })).openapi({
      description: 'Usage of the period that waits and is in no line.',
    }),
  })
  .openapi('SubscriptionPreview');

export const InvoicePreviewSchema = z
  .object({ customerId: z.string(), asOf: InstantSchema, subscriptions: z.array(SubscriptionPreviewSchema) })
  .openapi('InvoicePreview');

export type SubscriptionPreviewBody = z.output<typeof SubscriptionPreviewSchema>;
export type InvoicePreviewBody = z.output<typeof InvoicePreviewSchema>;
