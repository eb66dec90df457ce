import { z } from '@hono/zod-openapi';
import { formatMinor } from '../../../pricing/money.ts';
import { AmountSchema, InstantSchema } from '../../platform/http/schemas.ts';
import { GUARDED_ACTS } from './guarded-act.ts';
import { REQUEST_STATES, type SecondPersonRequest } from './requests.ts';

export const SecondPersonRequestSchema = z
  .object({
    id: z.string().openapi({ example: '17' }),
    act: z.enum(GUARDED_ACTS),
    target: z.string().openapi({ description: 'As the audit log names it.', example: 'in_1Q2w3E' }),
    parameters: z.record(z.string(), z.string()),
    customerId: z.string(),
    amount: AmountSchema.nullable().openapi({ description: 'Null: nothing tells what it comes to.' }),
    currency: z.string().nullable(),
    figures: z
      .record(z.string(), z.string())
      .openapi({ description: 'What is agreed to; where it has become another, agreeing is refused.' }),
    reason: z.string(),
    askedBy: z.string(),
    askedAt: InstantSchema,
    expiresAt: InstantSchema,
    state: z.enum(REQUEST_STATES).openapi({
      description:
        'declined by another, withdrawn by who asked; expired: nobody said anything in time; overtaken: done otherwise, or asked anew.',
    }),
    endedBy: z.string().nullable(),
    endedReason: z.string().nullable(),
    endedAt: InstantSchema.nullable(),
  })
  .openapi('SecondPersonRequest');

/** What an act answers that was not done yet. */
export const SecondPersonAskedSchema = z
  .object({ secondPerson: SecondPersonRequestSchema })
  .openapi('SecondPersonAsked');

export function showSecondPersonRequest(
  request: SecondPersonRequest,
): z.output<typeof SecondPersonRequestSchema> {
  const { amountMinor, currency } = request;
  return {
    id: String(request.requestId),
    act: request.act,
    target: request.target,
    parameters: { ...request.parameters },
    customerId: request.customerId,
    amount: amountMinor === null || currency === null ? null : formatMinor(amountMinor, currency),
    currency,
    figures: { ...request.figures },
    reason: request.reason,
    askedBy: request.askedBy,
    askedAt: request.askedAt.toISOString(),
    expiresAt: request.expiresAt.toISOString(),
    state: request.state,
    endedBy: request.endedBy,
    endedReason: request.endedReason,
    endedAt: request.endedAt?.toISOString() ?? null,
  };
}

export const showAsked = (request: SecondPersonRequest) => ({
  secondPerson: showSecondPersonRequest(request),
});
