import { createRoute, z } from '@hono/zod-openapi';
import { openTo } from '../../identity/require-scope.ts';
import { type Api, type ApiDependencies, askForStep } from '../../platform/http/dependencies.ts';
import {
  IdentifierSchema,
  InstantSchema,
  jsonBody,
  jsonContent,
  problems,
} from '../../platform/http/schemas.ts';
import { doOrAsk } from '../second-person/do-or-ask.ts';
import { SecondPersonAskedSchema, showAsked } from '../second-person/schemas.ts';
import { INVOICE_CHOICE } from '../second-person/usage-acts.ts';
import { INVOICE_CHOICES, readInvoiceChoice } from './choices.ts';
import { SaidBecause } from './routes.ts';

const ChoiceSchema = z
  .object({
    invoiceId: z.string(),
    choice: z.enum(INVOICE_CHOICES),
    decidedBy: z.string(),
    decidedReason: z.string(),
    decidedAt: InstantSchema,
  })
  .openapi('InvoiceUsageChoice');
const ChoiceBody = z
  .strictObject({
    choice: z.enum(INVOICE_CHOICES).openapi({
      description:
        'invoiced: it is billed as it was, another way; due_again: the next invoice of the customer has it; written_off: it is given up.',
    }),
    reason: SaidBecause,
  })
  .openapi('InvoiceUsageChoiceRequest');

/** Adds `POST /v1/invoices/{invoiceId}/usage`: what becomes of the usage of an invoice that was taken back. */
export function addInvoiceChoiceRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database } = dependencies;
  const route = createRoute({
    method: 'post',
    path: '/v1/invoices/{invoiceId}/usage',
    tags: ['Billing'],
    summary:
      'Say once what becomes of the usage of an invoice that was voided, credited in full or marked uncollectible',
    ...openTo(dependencies),
    request: {
      params: z.object({ invoiceId: IdentifierSchema.openapi({ example: 'in_1Q2w3E' }) }),
      body: jsonBody(ChoiceBody),
    },
    responses: {
      200: jsonContent(ChoiceSchema, 'Said; saying it again changes nothing.'),
      202: jsonContent(SecondPersonAskedSchema, 'It waits for a second person.'),
      ...problems(404, 409, 413),
    },
  });
  api.openapi(route, async (context) => {
    const { invoiceId } = context.req.valid('param');
    const { choice, reason } = context.req.valid('json');
    const asked = await doOrAsk(dependencies, INVOICE_CHOICE, {
      subjectId: invoiceId,
      parameters: { choice },
      reason,
      caller: context.get('caller'),
    });
    if (asked !== null) return context.json(showAsked(asked), 202);
    await askForStep(dependencies, 'close-invoices', 'invoice usage');
    const chosen = await readInvoiceChoice(database, invoiceId);
    if (chosen === null) throw new RangeError('the choice was not kept');
    return context.json({ ...chosen, decidedAt: chosen.decidedAt.toISOString() }, 200);
  });
}
