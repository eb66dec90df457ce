import { z } from '@hono/zod-openapi';
import { TokenCountSchema } from '../platform/http/schemas.ts';
import type { TokenTotals } from './totals.ts';

export const TokenTotalsSchema = z
  .object({
    collected: TokenCountSchema,
    invoiced: TokenCountSchema.openapi({
      description: 'On final invoices, less what credit notes gave back.',
    }),
    awaitingInvoice: TokenCountSchema.openapi({
      description: 'Delivered; its invoice is a draft or yet to come.',
    }),
    due: TokenCountSchema.openapi({ description: 'On its way to Stripe.' }),
    quarantined: TokenCountSchema,
    uninvoiced: TokenCountSchema.openapi({
      description: 'Delivered, and on no invoice: `GET /v1/uninvoiced`.',
    }),
    uninvoicedByReason: z.record(z.string(), TokenCountSchema),
    writtenOff: TokenCountSchema,
    difference: TokenCountSchema.openapi({
      description: 'collected less all of these: 0, or the ledger contradicts itself.',
    }),
    delivered: TokenCountSchema.openapi({
      description: "Acknowledged by Stripe's meters, whatever became of it; no part of the sum.",
    }),
  })
  .openapi('TokenTotals');

export function showTokenTotals(totals: TokenTotals): z.output<typeof TokenTotalsSchema> {
  return {
    collected: String(totals.collectedTokenCount),
    invoiced: String(totals.invoicedTokenCount),
    awaitingInvoice: String(totals.awaitingInvoiceTokenCount),
    due: String(totals.dueTokenCount),
    quarantined: String(totals.quarantinedTokenCount),
    uninvoiced: String(totals.uninvoicedTokenCount),
    uninvoicedByReason: Object.fromEntries(
      Object.entries(totals.uninvoicedByReason).map(([reason, count]) => [reason, String(count)]),
    ),
    writtenOff: String(totals.writtenOffTokenCount),
    difference: String(totals.differenceTokenCount),
    delivered: String(totals.deliveredTokenCount),
  };
}
