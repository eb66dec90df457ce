import { createRoute, z } from '@hono/zod-openapi';
import { openTo } from '../identity/require-scope.ts';
import { type Api, type ApiDependencies, actorOf, askForStep } from '../platform/http/dependencies.ts';
import {
  CountSchema,
  IdentifierSchema,
  jsonBody,
  jsonContent,
  problems,
  TokenCountSchema,
  textSchema,
} from '../platform/http/schemas.ts';
import { acceptEntry } from './accept.ts';
import { assignEntry } from './assign.ts';
import { writeOffEntry } from './desk.ts';
import { retryEntry } from './retry.ts';
import { QuarantineEntrySchema, showQuarantineEntry } from './routes.ts';

const EntryParams = z.object({
  id: z.string().max(100).openapi({ example: 'usage-1042', description: 'From GET /v1/quarantine.' }),
});

const AssignmentBody = z.strictObject({ customerId: IdentifierSchema }).openapi('QuarantineAssignment');
const AcceptBody = z
  .strictObject({
    reason: textSchema(2_000)
      .refine((text) => text.trim() !== '', { error: 'is missing; say why the minute is taken as told' })
      .openapi({ example: 'The prompt row was lost with the workspace of 3 October.' }),
  })
  .openapi('QuarantineAcceptance');
const WriteOffBody = z
  .strictObject({
    reason: textSchema(2_000)
      .refine((text) => text.trim() !== '', { error: 'is missing; say why these tokens are given up' })
      .openapi({ example: 'Load test of 3 October, agreed with the customer.' }),
  })
  .openapi('QuarantineWriteOff');

const AssignedSchema = z
  .object({
    entry: QuarantineEntrySchema,
    subject: z.string().openapi({ description: 'The subject that belongs to the customer now.' }),
    customerId: z.string(),
    releasedTokenCount: TokenCountSchema.openapi({
      description:
        'Settled tokens that the next push takes up. Source items follow with the next synchronization.',
    }),
  })
  .openapi('QuarantineAssigned');
const RetriedSchema = z
  .object({ entry: QuarantineEntrySchema, outcome: z.literal('requested') })
  .openapi('QuarantineRetried');
const AcceptedSchema = z
  .object({
    entry: QuarantineEntrySchema,
    outcome: z.literal('requested'),
    rowCount: CountSchema.openapi({ description: 'Rows of the minute and key that are taken together.' }),
    tokenCount: TokenCountSchema.openapi({ description: 'Tokens that they bill.' }),
  })
  .openapi('QuarantineAccepted');
const WrittenOffSchema = z
  .object({ entry: QuarantineEntrySchema, writtenOffTokenCount: TokenCountSchema })
  .openapi('QuarantineWrittenOff');

/** Adds what a person can do about waiting usage: say whose it is, have it tried again, take it as told, give it up. */
export function addQuarantineDeskRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const common = {
    method: 'post' as const,
    tags: ['Pipeline'],
    ...openTo(dependencies),
  };
  const mayFail = problems(404, 409, 413);

  const assignRoute = createRoute({
    ...common,
    path: '/v1/quarantine/{id}/assign',
    summary: 'Say whose an entry is; its subject belongs to that customer from now on',
    request: { params: EntryParams, body: jsonBody(AssignmentBody) },
    responses: { 200: jsonContent(AssignedSchema, 'Assigned.'), ...mayFail },
  });
  api.openapi(assignRoute, async (context) => {
    const { customerId } = context.req.valid('json');
    const now = clock.now();
    const { entry, subject, releasedTokenCount } = await assignEntry(database, {
      quarantineId: context.req.valid('param').id,
      customerId,
      actor: actorOf(context),
      now,
    });
    await askForStep(dependencies, 'sync-catalog', 'quarantine');
    const shown = showQuarantineEntry(entry, now);
    return context.json(
      { entry: shown, subject, customerId, releasedTokenCount: String(releasedTokenCount) },
      200,
    );
  });

  const retryRoute = createRoute({
    ...common,
    path: '/v1/quarantine/{id}/retry',
    summary: 'Try an entry again; what is still wrong with it comes back',
    request: { params: EntryParams },
    responses: { 202: jsonContent(RetriedSchema, 'The jobs take it up.'), ...mayFail },
  });
  api.openapi(retryRoute, async (context) => {
    const now = clock.now();
    const quarantineId = context.req.valid('param').id;
    const entry = await retryEntry(database, { quarantineId, actor: actorOf(context), now });
    if (entry.stage === 'source_item') await askForStep(dependencies, 'sync-catalog', 'quarantine');
    return context.json({ entry: showQuarantineEntry(entry, now), outcome: 'requested' as const }, 202);
  });

  const acceptRoute = createRoute({
    ...common,
    path: '/v1/quarantine/{id}/accept',
    summary: 'Take the minute of an entry as it was told, whatever its total says',
    description:
      'Of entries that wait because of counts_disagree or overlap_untold, for when the missing row never comes. All that waits of the same minute and key is billed by the rule of the model’s maker.',
    request: { params: EntryParams, body: jsonBody(AcceptBody) },
    responses: { 202: jsonContent(AcceptedSchema, 'The jobs take it up.'), ...mayFail },
  });
  api.openapi(acceptRoute, async (context) => {
    const now = clock.now();
    const { entry, rowCount, tokenCount } = await acceptEntry(database, {
      quarantineId: context.req.valid('param').id,
      reason: context.req.valid('json').reason,
      actor: actorOf(context),
      now,
    });
    await askForStep(dependencies, 'sync-catalog', 'quarantine');
    return context.json(
      {
        entry: showQuarantineEntry(entry, now),
        outcome: 'requested' as const,
        rowCount: String(rowCount),
        tokenCount: String(tokenCount),
      },
      202,
    );
  });

  const writeOffRoute = createRoute({
    ...common,
    path: '/v1/quarantine/{id}/write-off',
    summary: 'Give up the tokens of an entry, for a reason that is kept',
    request: { params: EntryParams, body: jsonBody(WriteOffBody) },
    responses: { 200: jsonContent(WrittenOffSchema, 'Written off; nothing is deleted.'), ...mayFail },
  });
  api.openapi(writeOffRoute, async (context) => {
    const now = clock.now();
    const entry = await writeOffEntry(database, {
      quarantineId: context.req.valid('param').id,
      reason: context.req.valid('json').reason,
      actor: actorOf(context),
      now,
    });
    return context.json(
      { entry: showQuarantineEntry(entry, now), writtenOffTokenCount: String(entry.tokenCount) },
      200,
    );
  });
}
