import { z } from '@hono/zod-openapi';
import { formatMinor } from '../../pricing/money.ts';
import { CLOSE_STATES } from '../billing/states.ts';
import { INVOICE_CHOICES, type InvoiceChoice } from '../billing/uninvoiced/choices.ts';
import { AmountSchema, InstantSchema, TokenCountSchema, textSchema } from '../platform/http/schemas.ts';
import type { CloseCertificate } from './certificates.ts';
import type { CloseRow, CloseStep } from './desk.ts';

export const CloseInvoiceParams = z.object({
  invoiceId: textSchema(200).min(1).openapi({ example: 'in_1Q2w3E' }),
});

export const CloseStateSchema = z.enum(CLOSE_STATES).openapi({
  description: 'The last step that is done. held: a difference, for a person to release.',
});

const DifferenceSchema = z
  .object({
    kind: z.enum(['source', 'quantity', 'amount', 'uninvoiced', 'late_item', 'minimum']),
    subject: z.string().openapi({ description: 'The meter, the token type, or the late item.' }),
    expected: z.string(),
    found: z.string(),
  })
  .openapi('CloseDifference');

export const CloseSchema = z
  .object({
    invoiceId: z.string(),
    invoiceNumber: z.string().nullable(),
    customerId: z.string(),
    customerName: z.string(),
    subscriptionId: z.string(),
    currency: z.string(),
    period: z.object({ start: InstantSchema, end: InstantSchema }),
    state: CloseStateSchema,
    stateAt: InstantSchema,
    foundAt: InstantSchema,
    deadline: InstantSchema.nullable().openapi({
      description: 'When Stripe finalizes the draft by itself, whatever became of us.',
    }),
    nextLookAt: InstantSchema.nullable(),
    attemptCount: z.int(),
    lastError: z.string().nullable(),
    difference: z.array(DifferenceSchema).nullable(),
    release: z.object({ by: z.string(), reason: z.string() }).nullable(),
    total: AmountSchema.nullable(),
    endedAt: InstantSchema.nullable(),
    confirmedAt: InstantSchema.nullable().openapi({
      description: 'When the catalog showed the final invoice with the certified total.',
    }),
    certificateSha256: z.string().nullable(),
  })
  .openapi('Close');

export function showClose(close: CloseRow) {
  return {
    invoiceId: close.invoiceId,
    invoiceNumber: close.invoiceNumber,
    customerId: close.customerId,
    customerName: close.customerName,
    subscriptionId: close.subscriptionId,
    currency: close.currency,
    period: { start: close.periodStart.toISOString(), end: close.periodEnd.toISOString() },
    state: close.state,
    stateAt: close.stateAt.toISOString(),
    foundAt: close.foundAt.toISOString(),
    deadline: close.deadline?.toISOString() ?? null,
    nextLookAt: close.nextLookAt?.toISOString() ?? null,
    attemptCount: close.attemptCount,
    lastError: close.lastError,
    difference: close.difference === null ? null : [...close.difference],
    release: close.releasedBy === null ? null : { by: close.releasedBy, reason: close.releasedReason ?? '' },
    total: close.totalMinor === null ? null : formatMinor(close.totalMinor, close.currency),
    endedAt: close.endedAt?.toISOString() ?? null,
    confirmedAt: close.confirmedAt?.toISOString() ?? null,
    certificateSha256: close.certificateSha256,
  };
}

export const CloseStepSchema = z
  .object({ state: CloseStateSchema, at: InstantSchema, note: z.string().nullable() })
  .openapi('CloseStep');

export function showCloseStep(step: CloseStep) {
  return { ...step, at: step.at.toISOString() };
}

export const CloseCertificateSchema = z
  .object({
    invoiceId: z.string(),
    customerId: z.string(),
    sha256: z.string().openapi({ description: 'SHA-256 of `content` as UTF-8, hexadecimal.' }),
    isSound: z.boolean().openapi({ description: 'Whether the stored content still has that hash.' }),
    content: z.string().openapi({ description: 'Canonical JSON: sums, prices, windows and differences.' }),
    driftTokenCount: TokenCountSchema,
    createdAt: InstantSchema,
    usageChoice: z
      .object({ choice: z.enum(INVOICE_CHOICES), decidedReason: z.string(), decidedAt: InstantSchema })
      .nullable()
      .openapi({
        description:
          'What a person said since of the usage, where the invoice was voided, credited in full or given up. Beside the content, which never changes.',
      }),
  })
  .openapi('CloseCertificate');

export function showCertificate(
  certificate: CloseCertificate,
  isSound: boolean,
  choice: InvoiceChoice | null,
) {
  return {
    invoiceId: certificate.invoiceId,
    customerId: certificate.customerId,
    sha256: certificate.sha256,
    isSound,
    content: certificate.content,
    driftTokenCount: String(certificate.driftTokenCount),
    createdAt: certificate.createdAt.toISOString(),
    usageChoice:
      choice === null
        ? null
        : {
            choice: choice.choice,
            decidedReason: choice.decidedReason,
            decidedAt: choice.decidedAt.toISOString(),
          },
  };
}

export const CloseWindowsSchema = z
  .object({
    invoiceId: z.string(),
    windows: z.array(
      z.object({
        queryId: z.string().openapi({ description: 'As the evidence of an event names it.' }),
        source: z.string(),
        by: z.enum(['ingestion', 'event']).openapi({ description: 'Which time the window is of.' }),
        position: z.string().openapi({ description: 'In the chain of its source, from 1.' }),
        windowStart: InstantSchema,
        windowEnd: InstantSchema,
        collectedAt: InstantSchema,
        rowCount: z.int(),
        newRowCount: z.int(),
        usageEventCount: z.int(),
        template: z
          .string()
          .openapi({ description: 'Version of the template that the text is rebuilt from.' }),
        queryText: z.string(),
        digest: z.string().openapi({ description: 'SHA-256 of the digest before it and of this window.' }),
      }),
    ),
    nextCursor: z.string().nullable(),
  })
  .openapi('CloseWindows');

export const CloseWindowProofSchema = z
  .object({
    invoiceId: z.string(),
    verdict: z.enum(['intact', 'altered', 'dropped']).openapi({
      description: 'dropped: some are older than what is kept, and only the rest could be proven.',
    }),
    certifiedWindowCount: z.string(),
    provenWindowCount: z.string(),
  })
  .openapi('CloseWindowProof');
