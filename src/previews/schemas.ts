import { z } from '@hono/zod-openapi';
import { AmountSchema, CurrencySchema, InstantSchema, TokenCountSchema } from '../platform/http/schemas.ts';

const PreviewPartSchema = z
  .object({
    model: z.string().nullable().openapi({ description: 'null: counted by Stripe, unknown to the ledger.' }),
    feature: z.string().nullable(),
    quantity: TokenCountSchema,
    amount: AmountSchema.nullable(),
  })
  .openapi('InvoicePreviewPart');

const PreviewTierSchema = z
  .object({
    tier: z.number().int().nullable().openapi({ description: 'From 1; null for a price without tiers.' }),
    quantity: TokenCountSchema,
    unitAmountDecimal: z.string().openapi({ description: 'Minor units for one token.' }),
    flatAmount: AmountSchema.nullable().openapi({
      description: 'Charged once, and part of `amount`. Stripe shows it as a line of its own.',
    }),
    amount: AmountSchema,
  })
  .openapi('InvoicePreviewTier');

export const RangeSchema = z
  .object({
    expected: z
      .string()
      .openapi({ description: 'The mean. Of an amount: the price of the expected quantity.' }),
    p10: z.string(),
    p50: z.string().openapi({ description: 'Half of all outcomes lie above it.' }),
    p90: z.string(),
  })
  .openapi('ProjectedRange', { description: '80 in 100 outcomes lie from p10 to p90.' });

const PreviewLineSchema = z
  .object({
    kind: z.enum(['usage', 'usage_at_former_price', 'late_usage', 'minimum_top_up', 'other']).openapi({
      description:
        'What it is: usage of the period, at a price that its item has left in it, or late from an earlier one; the top-up to a plan’s minimum; or what is not ours (a fee, an item of others). Late usage and top-ups are put on the invoice when it is closed.',
    }),
    subscriptionItemId: z.string().nullable(),
    priceId: z.string().nullable(),
    description: z.string(),
    price: z.object({
      source: z.enum(['stripe_catalog', 'stripe_preview']).openapi({
        description:
          '`stripe_catalog`: rated by us, by the price as read at `readAt`. `stripe_preview`: Stripe’s own amount.',
      }),
      kind: z.enum(['per_unit', 'per_package', 'graduated', 'volume']).nullable(),
      readAt: InstantSchema.nullable(),
    }),
    unitAmountDecimal: z.string().nullable().openapi({
      description: 'Minor units for one token; null for tiers, which are in `tiers`.',
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
    tiers: z.array(PreviewTierSchema).openapi({
      description: 'The quantity as rated: a line for each tier used. Empty when not rated by us.',
    }),
    amount: AmountSchema.nullable().openapi({
      description: 'Sum of `tiers`, each rounded once, halves away from zero. null: `reason` says why.',
    }),
    reason: z
      .enum(['price_not_rateable', 'price_changed_since_sync', 'billed_in_part', 'usage_unpriced'])
      .nullable()
      .openapi({
        description:
          '`billed_in_part`: a billing threshold has invoiced a part of the period, and that invoice is not read yet. `usage_unpriced`: what counts towards the minimum has no amount yet.',
      }),
    stripeAmount: AmountSchema.nullable(),
    equalsStripe: z.boolean().nullable().openapi({
      description:
        'Whether our rating of what Stripe counts is Stripe’s amount to the cent; null: not comparable.',
    }),
    projected: z
      .object({
        quantity: RangeSchema.nullable(),
        amount: RangeSchema.nullable(),
        reason: z.enum(['too_little_history', 'unpriced_line']).nullable().openapi({
          description:
            '`too_little_history`: the line began less than 14 days ago. `unpriced_line`: no amount alone.',
        }),
      })
      .nullable()
      .openapi({
        description:
          'At the end of the period; null: not metered, or nothing of the subscription is projected.',
      }),
    parts: z.array(PreviewPartSchema).openapi({
      description: 'Per model and feature; quantities and amounts sum exactly to the line.',
    }),
  })
  .openapi('InvoicePreviewLine');

const WindowSchema = z.object({ from: InstantSchema, to: InstantSchema });

const ProjectionSchema = z
  .object({
    periodEnd: InstantSchema,
    total: RangeSchema.nullable().openapi({
      description:
        'Of the lines together, before taxes and discounts: no sum of their ranges, for they do not all come out high at once. null: `reason` says why.',
    }),
    reason: z.enum(['too_little_history', 'period_is_over', 'unpriced_line']).nullable(),
    knownDayCount: z.number().int().openapi({ description: 'Wholly settled days that it rests on.' }),
    historyFrom: InstantSchema.nullable(),
    knownThrough: InstantSchema.openapi({ description: 'Days from here on are estimated.' }),
    method: z.string(),
  })
  .openapi('InvoiceProjection');

const SubscriptionPreviewSchema = z
  .object({
    subscriptionId: z.string(),
    currency: CurrencySchema,
    periodStart: InstantSchema,
    periodEnd: InstantSchema,
    rounding: z.string(),
    stripe: z.object({
      answered: z.boolean().openapi({ description: 'false: all figures are from our side.' }),
      status: z.enum(['ok', 'unavailable']),
      asOf: InstantSchema.nullable(),
      reason: z.string().nullable().openapi({ example: 'READ_BUDGET_SPENT' }),
      total: AmountSchema.nullable().openapi({
        description: "Stripe's own total, with taxes and discounts.",
      }),
    }),
    ledger: z.object({
      asOf: InstantSchema,
      collectedThrough: InstantSchema.nullable(),
      openHourCount: z.string().openapi({ description: 'Hours of the period that are not settled yet.' }),
    }),
    hours: z
      .object({
        settledCount: z.number().int(),
        open: z.array(WindowSchema).openapi({ description: 'Not settled: their usage is in no line.' }),
        quarantined: z
          .array(WindowSchema)
          .openapi({ description: 'Some of this customer’s usage of these hours waits in quarantine.' }),
      })
      .openapi({ description: 'Hours of the period. One in which nobody used anything is in none of them.' }),
    lines: z.array(PreviewLineSchema),
    total: AmountSchema.nullable().openapi({
      description:
        'Sum of the lines, as the invoice will have it before taxes and discounts; null when one is null.',
    }),
    totals: z
      .object({
        subtotal: AmountSchema.nullable(),
        discounts: AmountSchema.nullable().openapi({ description: 'Below zero.' }),
        credits: AmountSchema.nullable().openapi({ description: 'Billing credits; below zero.' }),
        tax: AmountSchema.nullable().openapi({
          description: 'Exclusive tax; what is included is in the lines.',
        }),
        total: AmountSchema.nullable(),
        amountDue: AmountSchema.nullable().openapi({ description: 'After the customer’s balance.' }),
        reason: z
          .enum([
            'stripe_unavailable',
            'unpriced_line',
            'credits_unknown',
            'credits_shared',
            'stripe_tax',
            'terms_unknown',
            'rounding_unknown',
          ])
          .nullable()
          .openapi({
            description:
              'Which fact is missing. `credits_unknown`: Stripe counts less than is used, and what billing credits are left could not be read (the key may not, or the day’s reads are used up). `credits_shared`: a draft, or another subscription of the customer, may take the credits first. Where lines are added to Stripe’s: `stripe_tax`, only Stripe Tax knows what comes of it; `terms_unknown`, discounts or taxes are of single items; `rounding_unknown`, Stripe’s own lines do not tell how the account rounds, and it would make a difference.',
          }),
      })
      .openapi({
        description: 'What the invoice comes to after discounts, credits and tax, by Stripe’s terms.',
      }),
    projection: ProjectionSchema,
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
