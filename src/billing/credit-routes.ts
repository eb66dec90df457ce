import { createRoute, z } from '@hono/zod-openapi';
import { formatMinor } from '../../pricing/money.ts';
import { openTo } from '../identity/require-scope.ts';
import { decodeIdCursor, takePage } from '../platform/http/cursor.ts';
import { type Api, type ApiDependencies, askForStep } from '../platform/http/dependencies.ts';
import {
  AmountSchema,
  IdentifierSchema,
  InstantSchema,
  jsonBody,
  jsonContent,
  PAGE_FIELDS,
  problems,
  TokenCountSchema,
  textSchema,
} from '../platform/http/schemas.ts';
import { ROW_ID } from '../platform/row-id.ts';
import { PAID_PARTS } from '../stripe/closing/port.ts';
import { type CreditProposal, getCreditProposal, listCreditProposals } from './credits.ts';
import { CREDIT_APPROVAL, CREDIT_REJECTION } from './second-person/credit-acts.ts';
import { doOrAsk } from './second-person/do-or-ask.ts';
import { SecondPersonAskedSchema, showAsked } from './second-person/schemas.ts';
import { CREDIT_STATES } from './states.ts';

const PaidPartSchema = z.enum(PAID_PARTS).openapi({
  description:
    'Where what was paid already goes: to the balance that the next invoices use up, back, or elsewhere.',
});

const CreditProposalSchema = z
  .object({
    id: z.string().openapi({ example: '17' }),
    customerId: z.string(),
    invoiceId: z.string(),
    productName: z.string(),
    period: z.object({ start: InstantSchema, end: InstantSchema }),
    tokenCount: TokenCountSchema.openapi({ description: 'Billed, and not used.' }),
    currency: z.string(),
    amount: AmountSchema.openapi({ description: 'At the price of the lines, without exclusive tax.' }),
    creditableAmount: AmountSchema.nullable().openapi({
      description: 'What can be credited at most, where that is less: approved again, so much is given back.',
    }),
    creditedAmount: AmountSchema.nullable().openapi({
      description: 'Total of the credit note, with its tax.',
    }),
    paidPart: PaidPartSchema,
    cause: z.enum(['corrected_usage', 'invoice_above_ledger']),
    state: z.enum(CREDIT_STATES),
    creditNoteId: z.string().nullable(),
    decidedBy: z.string().nullable(),
    decidedReason: z.string().nullable(),
    proposedAt: InstantSchema,
    decidedAt: InstantSchema.nullable(),
    createdAt: InstantSchema.nullable(),
    lastError: z.string().nullable(),
  })
  .openapi('CreditProposal');

const CreditsQuery = z.strictObject({
  state: z.enum(CREDIT_STATES).optional(),
  customerId: IdentifierSchema.optional(),
  ...PAGE_FIELDS,
});
const CreditParams = z.object({
  id: z.string().regex(ROW_ID, { error: 'must be the id of a proposal' }).openapi({ example: '17' }),
});
const ReasonBody = (missing: string) =>
  textSchema(2_000).refine((text) => text.trim() !== '', { error: missing });
const ApproveBody = z
  .strictObject({ reason: textSchema(2_000).optional(), paidPart: PaidPartSchema.optional() })
  .openapi('CreditApproval');
const RejectBody = z
  .strictObject({ reason: ReasonBody('is missing; say why nothing is given back') })
  .openapi('CreditRejection');

/** Adds `/v1/credit-proposals`: what an invoice billed too much, and a person's decision. */
export function addCreditProposalRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database } = dependencies;
  const listRoute = createRoute({
    method: 'get',
    path: '/v1/credit-proposals',
    tags: ['Billing'],
    summary: 'Invoices that billed more than was used, and what would be given back',
    ...openTo(dependencies, 'finance'),
    request: { query: CreditsQuery },
    responses: {
      200: jsonContent(
        z
          .object({ creditProposals: z.array(CreditProposalSchema), nextCursor: z.string().nullable() })
          .openapi('CreditProposals'),
        'The oldest first.',
      ),
      ...problems(),
    },
  });
  api.openapi(listRoute, async (context) => {
    const { state, customerId, cursor, limit } = context.req.valid('query');
    const rows = await listCreditProposals(database, {
      states: state === undefined ? undefined : [state],
      customerId,
      afterId: cursor === undefined ? 0n : decodeIdCursor(cursor),
      limit: limit + 1,
    });
    const { page, nextCursor } = takePage(rows, limit, (last) => [String(last.creditProposalId)]);
    return context.json({ creditProposals: page.map(showCreditProposal), nextCursor }, 200);
  });

  const deciding = {
    method: 'post' as const,
    tags: ['Billing'],
    ...openTo(dependencies),
  };
  const mayFail = problems(404, 409, 413);
  const approveRoute = createRoute({
    ...deciding,
    path: '/v1/credit-proposals/{id}/approve',
    summary: 'Give it back: the jobs create the credit note, once',
    request: {
      params: CreditParams,
      body: jsonBody(ApproveBody),
    },
    responses: {
      202: jsonContent(
        z.union([CreditProposalSchema, SecondPersonAskedSchema]),
        'Approved; or it waits for a second person.',
      ),
      ...mayFail,
    },
  });
  api.openapi(approveRoute, async (context) => {
    const { id } = context.req.valid('param');
    const { reason, paidPart } = context.req.valid('json');
    const asked = await doOrAsk(dependencies, CREDIT_APPROVAL, {
      subjectId: id,
      parameters: paidPart === undefined ? {} : { paidPart },
      reason: reason ?? null,
      caller: context.get('caller'),
    });
    if (asked !== null) return context.json(showAsked(asked), 202);
    await askForStep(dependencies, 'close-invoices', 'credit');
    return context.json(showCreditProposal(await getCreditProposal(database, BigInt(id))), 202);
  });

  const rejectRoute = createRoute({
    ...deciding,
    path: '/v1/credit-proposals/{id}/reject',
    summary: 'Give nothing back, for a reason that is kept',
    request: {
      params: CreditParams,
      body: jsonBody(RejectBody),
    },
    responses: {
      200: jsonContent(CreditProposalSchema, 'Rejected.'),
      202: jsonContent(SecondPersonAskedSchema, 'It waits for a second person.'),
      ...mayFail,
    },
  });
  api.openapi(rejectRoute, async (context) => {
    const { id } = context.req.valid('param');
    const asked = await doOrAsk(dependencies, CREDIT_REJECTION, {
      subjectId: id,
      reason: context.req.valid('json').reason,
      caller: context.get('caller'),
    });
    if (asked !== null) return context.json(showAsked(asked), 202);
    return context.json(showCreditProposal(await getCreditProposal(database, BigInt(id))), 200);
  });
}

function showCreditProposal(proposal: CreditProposal) {
  const money = (amount: bigint) => formatMinor(amount, proposal.currency);
  return {
    id: String(proposal.creditProposalId),
    customerId: proposal.customerId,
    invoiceId: proposal.invoiceId,
    productName: proposal.productName,
    period: { start: proposal.periodStart.toISOString(), end: proposal.periodEnd.toISOString() },
    tokenCount: String(proposal.tokenCount),
    currency: proposal.currency,
    amount: money(proposal.amountMinor),
    creditableAmount: proposal.creditableMinor === null ? null : money(proposal.creditableMinor),
    creditedAmount: proposal.creditedMinor === null ? null : money(proposal.creditedMinor),
    paidPart: proposal.paidPart,
    cause: proposal.cause,
    state: proposal.state,
    creditNoteId: proposal.creditNoteId,
    decidedBy: proposal.decidedBy,
    decidedReason: proposal.decidedReason,
    proposedAt: proposal.proposedAt.toISOString(),
    decidedAt: proposal.decidedAt?.toISOString() ?? null,
    createdAt: proposal.createdAt?.toISOString() ?? null,
    lastError: proposal.lastError,
  };
}
