import { z } from '@hono/zod-openapi';
import { INVOICE_CHOICES } from '../billing/uninvoiced/choices.ts';
import { AmountSchema, CurrencySchema, InstantSchema, TokenCountSchema } from '../platform/http/schemas.ts';

export const InvoiceIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,255}$/, { error: 'must be the id of an invoice, e.g. in_1A2b3C' })
  .openapi({ example: 'in_1A2b3C' });

export const STATEMENT_LINE_KINDS = ['usage', 'late', 'minimum', 'credit', 'other'] as const;
export type StatementLineKind = (typeof STATEMENT_LINE_KINDS)[number];

const StatementLineSchema = z
  .object({
    lineId: z.string(),
    kind: z.enum(STATEMENT_LINE_KINDS).openapi({
      description:
        '`usage`: of this period. `late`: usage of an earlier one that missed its invoice. `minimum`: up to an agreed minimum.',
    }),
    text: z.string().openapi({ example: 'GPT-4o input tokens, 12,345,678 tokens' }),
    name: z.string().openapi({ example: 'GPT-4o input tokens' }),
    description: z.string().openapi({ description: 'As on the invoice.' }),
    quantity: TokenCountSchema.nullable(),
    unitAmountDecimal: z.string().nullable().openapi({ description: 'Minor units for one token.' }),
    isIncluded: z.boolean().openapi({ description: 'Tokens that cost nothing: an allowance.' }),
    amount: AmountSchema.nullable().openapi({ description: 'null: not known yet; previews only.' }),
    periodStart: InstantSchema,
    periodEnd: InstantSchema,
  })
  .openapi('StatementLine');

const RestSchema = z.object({ tokenCount: TokenCountSchema, amount: AmountSchema });

const BreakdownSchema = z
  .object({
    rows: z.array(z.object({ name: z.string(), tokenCount: TokenCountSchema, amount: AmountSchema })),
    rest: RestSchema.nullable().openapi({
      description:
        'What the lines bill and no usage here explains; negative where there is usage that they do not bill. null: nothing.',
    }),
    total: RestSchema.openapi({ description: 'Of rows and rest: exactly that of the usage lines.' }),
  })
  .openapi('StatementBreakdown');

export const StatementSchema = z
  .object({
    invoiceId: z.string().nullable().openapi({ description: 'null: a preview.' }),
    number: z.string().nullable(),
    status: z.enum(['final', 'draft', 'void', 'so_far']),
    usageChoice: z.enum(INVOICE_CHOICES).nullable().openapi({
      description:
        'What becomes of the usage where the invoice was voided, credited in full or given up, as a person said: it is billed as it was, is due again, or is written off. null: nothing was said.',
    }),
    customerId: z.string(),
    customerName: z.string(),
    subscriptionId: z.string().nullable(),
    currency: CurrencySchema,
    periodStart: InstantSchema,
    periodEnd: InstantSchema,
    timeZone: z.literal('UTC'),
    dataAsOf: InstantSchema,
    linesReadAt: InstantSchema.nullable().openapi({ description: 'When the invoice was read from Stripe.' }),
    collectedThrough: InstantSchema.nullable(),
    openHourCount: z.number().int().openapi({ description: 'Hours with usage that is not proven yet.' }),
    lines: z.array(StatementLineSchema),
    totals: z.object({
      usageTokenCount: TokenCountSchema,
      usageAmount: AmountSchema.nullable(),
      otherAmount: AmountSchema.openapi({ description: 'Lines that are no usage of this period.' }),
      lineAmount: AmountSchema.nullable(),
      adjustmentAmount: AmountSchema.nullable().openapi({
        description: 'Discounts, credits and taxes: what the total differs from the lines by.',
      }),
      amount: AmountSchema.nullable(),
      amountDue: AmountSchema.nullable(),
    }),
    byDay: BreakdownSchema,
    byModel: BreakdownSchema,
    byFeature: BreakdownSchema,
    byUser: BreakdownSchema,
    days: z.array(
      z.object({
        day: z.string().openapi({ example: '2026-11-21' }),
        models: z.array(z.object({ model: z.string(), tokenCount: TokenCountSchema })),
      }),
    ),
    allowances: z.array(
      z.object({
        name: z.string(),
        includedTokenCount: TokenCountSchema,
        usedTokenCount: TokenCountSchema,
      }),
    ),
    missed: z
      .array(
        z.object({
          name: z.string(),
          tokenCount: TokenCountSchema,
          usedFrom: InstantSchema,
          usedTo: InstantSchema,
          billedOnInvoiceId: z.string().nullable(),
        }),
      )
      .openapi({ description: 'Usage of this period that came too late for its invoice.' }),
    billedLate: z
      .array(
        z.object({
          lineId: z.string(),
          usedFrom: InstantSchema,
          usedTo: InstantSchema,
          missedInvoiceNumber: z.string().nullable(),
        }),
      )
      .openapi({ description: 'When the usage of `late` lines was.' }),
    howMetered: z.array(z.string()),
    rounding: z.string(),
    certificate: z.object({ sha256: z.string(), createdAt: InstantSchema }).nullable().openapi({
      description: 'Proof that source, meter and invoice agreed when the period was closed.',
    }),
  })
  .openapi('UsageStatement');

export const StatementPreviewSchema = z
  .object({ customerId: z.string(), asOf: InstantSchema, statements: z.array(StatementSchema) })
  .openapi('UsageStatementPreview');

export type StatementBody = z.infer<typeof StatementSchema>;
export type StatementPreviewBody = z.infer<typeof StatementPreviewSchema>;
export type StatementBreakdownBody = StatementBody['byDay'];
