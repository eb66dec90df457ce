import { z } from '@hono/zod-openapi';
import { byDimension, SOURCE_FIGURES, type SourceFigure } from '../../../pricing/usage/shape.ts';
import {
  AmountSchema,
  CurrencySchema,
  InstantSchema,
  PAGE_FIELDS,
  TokenCountSchema,
  textSchema,
} from '../../platform/http/schemas.ts';
import { InvoiceIdSchema, STATEMENT_LINE_KINDS } from '../schemas.ts';

export const EvidenceParams = z.object({ invoiceId: InvoiceIdSchema, lineId: textSchema(255).min(1) });
export const EvidencePage = z.strictObject(PAGE_FIELDS);

/** Path of a line's evidence. */
export function evidencePath(invoiceId: string, lineId: string): string {
  return `/v1/invoices/${encodeURIComponent(invoiceId)}/lines/${encodeURIComponent(lineId)}/evidence`;
}

/** How two levels compare; said at each of them, never hidden. */
const AgreementSchema = z
  .object({
    agrees: z.boolean(),
    differenceTokenCount: TokenCountSchema.openapi({ description: 'The level above minus this one.' }),
    note: z.string().nullable().openapi({ description: 'What a difference is, in words.' }),
  })
  .openapi('EvidenceAgreement');

const EvidenceLineSchema = z
  .object({
    lineId: z.string(),
    kind: z.enum(STATEMENT_LINE_KINDS),
    name: z.string(),
    description: z.string(),
    quantity: TokenCountSchema.nullable(),
    amount: AmountSchema,
    unitAmountDecimal: z.string().nullable(),
    periodStart: InstantSchema,
    periodEnd: InstantSchema,
    stripeMeterId: z.string().nullable(),
    evidence: z.string().nullable().openapi({ description: 'Where its hours are; null: it is no usage.' }),
  })
  .openapi('EvidenceLine');

export const EvidenceLinesSchema = z
  .object({
    invoiceId: z.string(),
    customerId: z.string(),
    currency: CurrencySchema,
    status: z.string(),
    readAt: InstantSchema.nullable(),
    total: AmountSchema,
    lines: z.array(EvidenceLineSchema),
  })
  .openapi('EvidenceLines');

export const EvidenceHoursSchema = z
  .object({
    invoiceId: z.string(),
    lineId: z.string(),
    name: z.string(),
    lineTokenCount: TokenCountSchema.openapi({
      description: 'Of all lines of its meter and period: tiers are lines that share their hours.',
    }),
    sharedWithLineIds: z.array(z.string()),
    hourCount: z.number().int(),
    hoursTokenCount: TokenCountSchema,
    pushedTokenCount: TokenCountSchema.nullable(),
    agreement: AgreementSchema,
    hours: z.array(
      z.object({
        windowStart: InstantSchema,
        windowEnd: InstantSchema,
        tokenCount: TokenCountSchema,
        settledAt: InstantSchema.nullable(),
        agreement: AgreementSchema.openapi({ description: 'What was pushed against what was metered.' }),
        pushes: z.array(
          z.object({
            identifier: z.string(),
            revision: z.number().int(),
            status: z.string(),
            addedTokenCount: TokenCountSchema,
            sentValue: TokenCountSchema,
            eventTimestamp: InstantSchema,
            deliveredAt: InstantSchema.nullable(),
          }),
        ),
        events: z.string().openapi({ description: 'Where its usage events are.' }),
      }),
    ),
    nextCursor: z.string().nullable(),
  })
  .openapi('EvidenceHours');

export const EvidenceEventsSchema = z
  .object({
    invoiceId: z.string(),
    lineId: z.string(),
    windowStart: InstantSchema,
    hourTokenCount: TokenCountSchema,
    eventCount: z.number().int(),
    eventsTokenCount: TokenCountSchema,
    elsewhereTokenCount: TokenCountSchema.openapi({
      description: 'Of the same events: what came too late for this line, and is billed elsewhere or waits.',
    }),
    agreement: AgreementSchema,
    events: z.array(
      z.object({
        usageEventId: z.string(),
        eventTime: InstantSchema,
        ...byDimension(() => z.string()),
        tokenCount: TokenCountSchema.openapi({ description: 'Of the kind that this line bills.' }),
        requestCount: TokenCountSchema,
        status: z.string(),
        source: z.string().openapi({ description: 'Where its source rows are.' }),
      }),
    ),
    nextCursor: z.string().nullable(),
  })
  .openapi('EvidenceEvents');

const FiguresSchema = z.object(
  Object.fromEntries(SOURCE_FIGURES.map((name) => [name, TokenCountSchema])) as Record<
    SourceFigure,
    typeof TokenCountSchema
  >,
);

export const EvidenceSourceSchema = z
  .object({
    invoiceId: z.string(),
    lineId: z.string(),
    usageEventId: z.string(),
    eventTime: InstantSchema,
    windowStart: InstantSchema,
    ...byDimension(() => z.string()),
    sentAt: InstantSchema.nullable(),
    tokenCounts: FiguresSchema.openapi({ description: 'As at the source: cached is a part of prompt.' }),
    sourceTokenCounts: FiguresSchema,
    agreement: AgreementSchema,
    items: z.array(
      z.object({
        sourceItemId: z.string(),
        metricName: z.string(),
        tokenKind: z.string(),
        tokenCount: TokenCountSchema,
        eventTime: InstantSchema.nullable(),
        ingestedAt: InstantSchema,
        queryId: z.string(),
      }),
    ),
    queries: z.array(
      z.object({
        queryId: z.string(),
        source: z.string(),
        by: z.enum(['ingestion', 'event']).openapi({ description: 'Which time the window is of.' }),
        windowStart: InstantSchema,
        windowEnd: InstantSchema,
        collectedAt: InstantSchema,
        rowCount: z.number().int(),
        queryText: z.string(),
      }),
    ),
  })
  .openapi('EvidenceSource');
