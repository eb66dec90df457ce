import { z } from '@hono/zod-openapi';
import {
  CANNOT_BILL_REASONS,
  EARLY_BILL_ENDS,
  EARLY_BILL_STATES,
} from '../../../pricing/budgets/early-bill.ts';
import { formatMinor } from '../../../pricing/money.ts';
import { AmountSchema, InstantSchema } from '../../platform/http/schemas.ts';
import type { ToldEarlyBill } from './told.ts';

export const EarlyBillSchema = z.object({
  subscriptionId: z.string().nullable().openapi({ description: 'Null: the customer has none.' }),
  state: z.enum(EARLY_BILL_STATES).openapi({
    description:
      'wanted, asking and asked: on its way; Stripe makes the invoice with the next usage. billed: it did. ended: no more wanted. cannot: see `reason`.',
  }),
  reason: z.enum([...CANNOT_BILL_REASONS, ...EARLY_BILL_ENDS]).nullable(),
  problem: z.string().nullable().openapi({ description: 'What Stripe said.' }),
  askedAt: InstantSchema.nullable(),
  invoiceId: z.string().nullable(),
  invoiceNumber: z.string().nullable(),
  total: AmountSchema.nullable().openapi({ description: 'Of the invoice, in its currency.' }),
  currency: z.string().nullable(),
});

export function showEarlyBill({
  stepEventId: _,
  askedAt,
  totalMinor,
  currency,
  ...bill
}: ToldEarlyBill): z.infer<typeof EarlyBillSchema> {
  return {
    ...bill,
    askedAt: askedAt?.toISOString() ?? null,
    total: totalMinor === null || currency === null ? null : formatMinor(totalMinor, currency),
    currency,
  };
}
