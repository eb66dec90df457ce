import { z } from '@hono/zod-openapi';
import { ACCRUAL_KINDS, ACCRUAL_PLACES, UNVALUED_REASONS } from '../../pricing/accruals/row.ts';
import { AmountSchema, CountSchema, InstantSchema, TokenCountSchema } from '../platform/http/schemas.ts';

const AccrualRowSchema = z
  .object({
    customerId: z.string().nullable().openapi({ description: 'null: of subjects of no customer.' }),
    currency: z.string().nullable().openapi({ description: 'null: nothing tells it.' }),
    kind: z.enum(ACCRUAL_KINDS).openapi({
      description:
        'usage; late: usage that missed its invoice; credit: what was billed too much; fixed: a line of an invoice that is for no usage.',
    }),
    place: z.enum(ACCRUAL_PLACES).openapi({
      description:
        'invoiced: on an invoice that was final before `at`; awaiting_invoice: its invoice was a draft then, or yet to come; due: not acknowledged by Stripe, or not settled; uninvoiced: on none, by `reason`.',
    }),
    reason: z.string().nullable(),
    accrued: z.boolean().openapi({
      description: 'Earned and not yet invoiced: an invoice has it later without anybody’s act.',
    }),
    invoiceId: z.string().nullable(),
    invoiceNumber: z.string().nullable(),
    finalizedAt: InstantSchema.nullable().openapi({ description: 'As far as the ledger heard.' }),
    subscriptionId: z.string().nullable(),
    description: z.string(),
    stripeMeterId: z.string().nullable(),
    periodStart: InstantSchema.nullable(),
    periodEnd: InstantSchema.nullable(),
    tokenCount: TokenCountSchema.openapi({ description: 'Used before `at`, from the start of the period.' }),
    earnedTokenCount: TokenCountSchema.openapi({ description: 'Of these, used from `from` on.' }),
    amount: AmountSchema.nullable().openapi({
      description:
        'Of an invoice what its lines charge, else by the price in force; null: `unvalued` says why.',
    }),
    earnedAmount: AmountSchema.nullable().openapi({
      description: '`amount` less what it was at `from`; null where it is, and of fixed lines.',
    }),
    unvalued: z.enum(UNVALUED_REASONS).nullable(),
  })
  .openapi('AccrualRow');

const AccrualTotalsSchema = z
  .object({
    currency: z.string().nullable(),
    earnedTokenCount: TokenCountSchema.openapi({
      description: 'Used from `from` to `at`: with the other rows of the customer all that the ledger knows.',
    }),
    earned: AmountSchema.nullable().openapi({
      description:
        'Of the tokens with an amount; fixed lines are not in it. Null, as every sum here, where none of them has one.',
    }),
    unvaluedTokenCount: TokenCountSchema.openapi({
      description: 'Of `earnedTokenCount`: without an amount.',
    }),
    unvaluedPercent: z.string().nullable().openapi({ description: 'Rounded up; null without tokens.' }),
    invoiced: AmountSchema.nullable().openapi({
      description: 'Of usage, on the final invoices of the rows.',
    }),
    fixed: AmountSchema.nullable().openapi({ description: 'On the same invoices, for no usage.' }),
    accruedTokenCount: TokenCountSchema,
    accrued: AmountSchema.nullable().openapi({
      description: 'Earned, whenever, and not yet invoiced at `at`.',
    }),
    undecidedTokenCount: TokenCountSchema,
    undecided: AmountSchema.nullable().openapi({ description: 'On no invoice unless a person says so.' }),
    quarantinedTokenCount: TokenCountSchema,
  })
  .openapi('AccrualTotals');

export const AccrualsSchema = z
  .object({
    asOf: InstantSchema.openapi({ description: 'When the ledger was read.' }),
    from: InstantSchema,
    at: InstantSchema,
    openHourCount: CountSchema.openapi({ description: 'Hours before `at` that are not settled yet.' }),
    customers: z.array(
      z.object({
        customerId: z.string().nullable(),
        totals: z.array(AccrualTotalsSchema).openapi({ description: 'One for each currency; never mixed.' }),
        rows: z.array(AccrualRowSchema),
      }),
    ),
    nextCursor: z.string().nullable(),
  })
  .openapi('Accruals');

export type AccrualsBody = z.output<typeof AccrualsSchema>;
export type AccrualRowBody = z.output<typeof AccrualRowSchema>;
export type AccrualTotalsBody = z.output<typeof AccrualTotalsSchema>;
export const ACCRUAL_COLUMNS = Object.keys(AccrualRowSchema.shape) as (keyof AccrualRowBody)[];
