import { createRoute, z } from '@hono/zod-openapi';
import { openTo } from '../identity/require-scope.ts';
import { readTextCursor, takePage } from '../platform/http/cursor.ts';
import { type Api, type ApiDependencies, actorOf } from '../platform/http/dependencies.ts';
import {
  IdentifierSchema,
  InstantSchema,
  jsonBody,
  jsonContent,
  PAGE_FIELDS,
  problems,
  TokenCountSchema,
  textSchema,
} from '../platform/http/schemas.ts';
import { releaseQuarantine } from './release-held-usage.ts';
import { assignSubject, getSubject, listSubjects, type Subject } from './subjects.ts';

const SubjectParams = z.object({
  subject: textSchema(4_096)
    .min(1)
    .openapi({ example: 'user-00017', description: 'The internal user id, percent-encoded.' }),
});

const SubjectSchema = z
  .object({
    subject: z.string(),
    tenantKey: z.string().openapi({ description: 'As first seen; empty when the usage named none.' }),
    customerId: z.string().nullable(),
    assignedBy: z.enum(['tenant', 'person']).nullable(),
    firstSeenAt: InstantSchema,
    updatedAt: InstantSchema,
  })
  .openapi('Subject');

export const SubjectListSchema = z
  .object({ subjects: z.array(SubjectSchema), nextCursor: z.string().nullable() })
  .openapi('SubjectList');

const SubjectListQuery = z.strictObject({
  customerId: IdentifierSchema.optional(),
  unassigned: z
    .enum(['true', 'false'])
    .optional()
    .openapi({ description: 'true: only subjects that belong to no customer.' }),
  ...PAGE_FIELDS,
});

const AssignmentSchema = z
  .strictObject({
    customerId: IdentifierSchema.nullable().openapi({ description: 'null: the subject belongs to nobody.' }),
  })
  .openapi('SubjectAssignment');

const AssignedSubjectSchema = SubjectSchema.extend({
  releasedTokenCount: TokenCountSchema.openapi({
    description: 'Tokens that waited in quarantine, of any subject, and that the next push takes up.',
  }),
}).openapi('AssignedSubject');

/** Adds the routes under `/v1/subjects`. */
export function addSubjectRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const common = { tags: ['Customers'], ...openTo(dependencies, 'sales', 'finance') };

  const listRoute = createRoute({
    ...common,
    method: 'get',
    path: '/v1/subjects',
    summary: 'List subjects, e.g. those that belong to nobody',
    request: { query: SubjectListQuery },
    responses: { 200: jsonContent(SubjectListSchema, 'A page.'), ...problems() },
  });
  api.openapi(listRoute, async (context) => {
    const { cursor, limit, customerId, unassigned } = context.req.valid('query');
    const subjects = await listSubjects(database, {
      ...(customerId === undefined ? {} : { customerId }),
      unassignedOnly: unassigned === 'true',
      afterSubject: readTextCursor(cursor),
      limit: limit + 1,
    });
    const { page, nextCursor } = takePage(subjects, limit, (last) => [last.subject]);
    return context.json({ subjects: page.map(showSubject), nextCursor }, 200);
  });

  const getRoute = createRoute({
    ...common,
    method: 'get',
    path: '/v1/subjects/{subject}',
    summary: 'One subject',
    request: { params: SubjectParams },
    responses: { 200: jsonContent(SubjectSchema, 'The subject.'), ...problems(404) },
  });
  api.openapi(getRoute, async (context) => {
    const subject = await getSubject(database, context.req.valid('param').subject);
    return context.json(showSubject(subject), 200);
  });

  const putRoute = createRoute({
    ...common,
    method: 'put',
    path: '/v1/subjects/{subject}',
    summary: 'Say whose a subject is; usage that waited for it is released',
    ...openTo(dependencies),
    request: {
      params: SubjectParams,
      body: jsonBody(AssignmentSchema),
    },
    responses: {
      200: jsonContent(AssignedSubjectSchema, 'Assigned.'),
      ...problems(404, 413),
    },
  });
  api.openapi(putRoute, async (context) => {
    const { subject } = context.req.valid('param');
    const { customerId } = context.req.valid('json');
    const actor = actorOf(context);
    const assigned = await assignSubject(database, { subject, customerId, actor, now: clock.now() });
    const released = await releaseQuarantine(database, { actor, now: clock.now() });
    return context.json({ ...showSubject(assigned), releasedTokenCount: String(released) }, 200);
  });
}

export function showSubject(subject: Subject) {
  return {
    subject: subject.subject,
    tenantKey: subject.tenantKey,
    customerId: subject.customerId,
    assignedBy: subject.assignedBy,
    firstSeenAt: subject.firstSeenAt.toISOString(),
    updatedAt: subject.updatedAt.toISOString(),
  };
}
