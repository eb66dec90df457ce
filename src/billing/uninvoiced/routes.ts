import { createRoute, z } from '@hono/zod-openapi';
import { UNINVOICED_REASONS } from '../../../pricing/closing/fate.ts';
import { openTo } from '../../identity/require-scope.ts';
import { decodeIdCursor, takePage } from '../../platform/http/cursor.ts';
import type { Api, ApiDependencies } from '../../platform/http/dependencies.ts';
import {
  IdentifierSchema,
  InstantSchema,
  jsonBody,
  jsonContent,
  PAGE_FIELDS,
  problems,
  TokenCountSchema,
  textSchema,
} from '../../platform/http/schemas.ts';
import { ROW_ID } from '../../platform/row-id.ts';
import { doOrAsk } from '../second-person/do-or-ask.ts';
import { SecondPersonAskedSchema, showAsked } from '../second-person/schemas.ts';
import { USAGE_DUE_AGAIN, USAGE_WRITE_OFF } from '../second-person/usage-acts.ts';
import { getUninvoiced, listUninvoiced } from './desk.ts';
import { UNINVOICED_STATES, type UninvoicedGroup } from './groups.ts';

const UninvoicedSchema = z
  .object({
    id: z.string().openapi({ example: '17' }),
    customerId: z.string(),
    stripeMeterId: z.string(),
    subscriptionId: z.string().nullable(),
    invoiceId: z
      .string()
      .nullable()
      .openapi({ description: 'The invoice that would have had it, or had it.' }),
    reason: z.enum(UNINVOICED_REASONS),
    period: z.object({ start: InstantSchema, end: InstantSchema }),
    tokenCount: TokenCountSchema,
    state: z.enum(UNINVOICED_STATES).openapi({
      description:
        'open: it waits for the next invoice, or for a person, by its reason; due_again: a person gave it to the next invoice; taken_up: it is an item of one; written_off: given up; invoiced: a person says that it is billed as it was.',
    }),
    foundAt: InstantSchema,
    decidedBy: z.string().nullable(),
    decidedReason: z.string().nullable(),
    decidedAt: InstantSchema.nullable(),
  })
  .openapi('UninvoicedUsage');

const ListQuery = z.strictObject({
  state: z.enum(UNINVOICED_STATES).optional(),
  reason: z.enum(UNINVOICED_REASONS).optional(),
  customerId: IdentifierSchema.optional(),
  invoiceId: IdentifierSchema.optional(),
  ...PAGE_FIELDS,
});
const GroupParams = z.object({
  id: z
    .string()
    .regex(ROW_ID, { error: 'must be the id of uninvoiced usage' })
    .openapi({ example: '17', description: 'From GET /v1/uninvoiced.' }),
});
export const SaidBecause = textSchema(2_000)
  .refine((text) => text.trim() !== '', { error: 'is missing; say why' })
  .openapi({ example: 'Agreed with the customer on 3 November.' });
const DecisionBody = z.strictObject({ reason: SaidBecause }).openapi('UninvoicedDecision');

/** Adds `/v1/uninvoiced`: delivered usage that no invoice has, and a person's word on it. */
export function addUninvoicedRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database } = dependencies;
  const listRoute = createRoute({
    method: 'get',
    path: '/v1/uninvoiced',
    tags: ['Billing'],
    summary: 'Usage that was delivered to Stripe, and that no invoice has or will have by itself',
    ...openTo(dependencies, 'finance'),
    request: { query: ListQuery },
    responses: {
      200: jsonContent(
        z
          .object({ uninvoiced: z.array(UninvoicedSchema), nextCursor: z.string().nullable() })
          .openapi('UninvoicedUsageList'),
        'The oldest first.',
      ),
      ...problems(),
    },
  });
  api.openapi(listRoute, async (context) => {
    const { state, reason, customerId, invoiceId, cursor, limit } = context.req.valid('query');
    const rows = await listUninvoiced(
      database,
      {
        states: state === undefined ? undefined : [state],
        reasons: reason === undefined ? undefined : [reason],
        customerId,
        invoiceId,
      },
      { afterId: cursor === undefined ? 0n : decodeIdCursor(cursor), limit: limit + 1 },
    );
    const { page, nextCursor } = takePage(rows, limit, (last) => [String(last.uninvoicedId)]);
    return context.json({ uninvoiced: page.map(showUninvoiced), nextCursor }, 200);
  });

  for (const [verb, act, summary] of [
    ['write-off', USAGE_WRITE_OFF, 'Give it up, for a reason that is kept'],
    ['due-again', USAGE_DUE_AGAIN, 'Give it to the next invoice of the customer, as an item'],
  ] as const) {
    const route = createRoute({
      method: 'post',
      path: `/v1/uninvoiced/{id}/${verb}`,
      tags: ['Billing'],
      summary,
      ...openTo(dependencies),
      request: { params: GroupParams, body: jsonBody(DecisionBody) },
      responses: {
        200: jsonContent(UninvoicedSchema, 'Said; saying it again changes nothing.'),
        202: jsonContent(SecondPersonAskedSchema, 'It waits for a second person.'),
        ...problems(404, 409, 413),
      },
    });
    api.openapi(route, async (context) => {
      const { id } = context.req.valid('param');
      const { reason } = context.req.valid('json');
      const asked = await doOrAsk(dependencies, act, {
        subjectId: id,
        reason,
        caller: context.get('caller'),
      });
      if (asked !== null) return context.json(showAsked(asked), 202);
      return context.json(showUninvoiced(await getUninvoiced(database, BigInt(id))), 200);
    });
  }
}

function showUninvoiced(group: UninvoicedGroup): z.output<typeof UninvoicedSchema> {
  return {
    id: String(group.uninvoicedId),
    customerId: group.customerId,
    stripeMeterId: group.stripeMeterId,
    subscriptionId: group.subscriptionId,
    invoiceId: group.invoiceId,
    reason: group.reason,
    period: { start: group.periodStart.toISOString(), end: group.periodEnd.toISOString() },
    tokenCount: String(group.tokenCount),
    state: group.state,
    foundAt: group.foundAt.toISOString(),
    decidedBy: group.decidedBy,
    decidedReason: group.decidedReason,
    decidedAt: group.decidedAt?.toISOString() ?? null,
  };
}
