import { createRoute, z } from '@hono/zod-openapi';
import { openTo } from '../identity/require-scope.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';
import { decodeCursor, invalidCursor, takePage } from '../platform/http/cursor.ts';
import { type Api, type ApiDependencies, alarmAfterMsOf } from '../platform/http/dependencies.ts';
import {
  IdentifierSchema,
  InstantSchema,
  jsonContent,
  PAGE_FIELDS,
  problems,
  TokenCountSchema,
} from '../platform/http/schemas.ts';
import {
  isAlarming,
  listQuarantine,
  QUARANTINE_STAGES,
  type QuarantineEntry,
  type QuarantineSummary,
  readQuarantineExamples,
  readQuarantineSummary,
} from './entries.ts';
import { QuarantineSummarySchema, showQuarantineSummary } from './summary.ts';

const EXAMPLES_PER_REASON = 5;
/** A subject may be ten kilobytes of anything; an entry needs only enough to recognize it. */
const SHOWN_TEXT_LENGTH = 200;

export const QuarantineEntrySchema = z
  .object({
    id: z.string().openapi({ example: 'usage-1042' }),
    stage: z.enum(QUARANTINE_STAGES),
    reason: z.string(),
    detail: z.string().nullable().openapi({
      description:
        'Which figures of a minute contradict each other; why usage is carried to the next invoice; what Stripe answered to a refused push.',
    }),
    eventTime: InstantSchema.nullable(),
    subject: z.string().openapi({ description: 'Empty for a push, which sums many subjects.' }),
    feature: z.string(),
    model: z.string(),
    metricName: z.string().nullable().openapi({ description: 'Of a source item: the metric that told it.' }),
    customerId: z.string().nullable(),
    tokenCount: TokenCountSchema,
    waitingSince: InstantSchema,
    ageSeconds: z.int(),
  })
  .openapi('QuarantineEntry');

const QuarantineSchema = z
  .object({
    asOf: InstantSchema,
    alarmAfterHours: z.number().openapi({ description: 'What waits longer alarms.' }),
    alarming: z.boolean(),
    entries: z.array(QuarantineSummarySchema.extend({ examples: z.array(QuarantineEntrySchema) })),
    items: z.array(QuarantineEntrySchema).openapi({ description: 'One by one, the longest waiting first.' }),
    nextCursor: z.string().nullable(),
  })
  .openapi('Quarantine');

const QuarantineQuery = z.strictObject({
  stage: z.enum(QUARANTINE_STAGES).optional(),
  reason: IdentifierSchema.optional(),
  customerId: IdentifierSchema.optional(),
  ...PAGE_FIELDS,
});

/** Adds `GET /v1/quarantine`: usage that waits, by stage and reason with examples, and one by one. */
export function addQuarantineRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const route = createRoute({
    method: 'get',
    path: '/v1/quarantine',
    tags: ['Pipeline'],
    summary: 'Usage that waits, why, since when, and each of it',
    ...openTo(dependencies, 'finance'),
    request: { query: QuarantineQuery },
    responses: {
      200: jsonContent(QuarantineSchema, 'By reason, the most tokens first; then one by one.'),
      ...problems(),
    },
  });

  api.openapi(route, async (context) => {
    const { cursor, limit, ...filter } = context.req.valid('query');
    const now = clock.now();
    const alarmAfterMs = alarmAfterMsOf(dependencies);
    const after = cursor === undefined ? null : readCursor(cursor);
    const { summary, examples, items } = await readSnapshot(database, async (snapshot) => ({
      summary: await readQuarantineSummary(snapshot),
      examples: await readQuarantineExamples(snapshot, EXAMPLES_PER_REASON),
      items: await listQuarantine(snapshot, filter, { after, limit: limit + 1 }),
    }));
    const { page, nextCursor } = takePage(items, limit, (last) => [
      last.waitingSince.toISOString(),
      last.quarantineId,
    ]);
    return context.json(
      {
        asOf: now.toISOString(),
        alarmAfterHours: alarmAfterMs / 3_600_000,
        alarming: summary.some((entry) => isAlarming(entry, now, alarmAfterMs)),
        entries: summary.map((entry) => ({
          ...showQuarantineSummary(entry, now, alarmAfterMs),
          examples: examples
            .filter((example) => isExampleOf(example, entry))
            .map((example) => showQuarantineEntry(example, now)),
        })),
        items: page.map((entry) => showQuarantineEntry(entry, now)),
        nextCursor,
      },
      200,
    );
  });
}

function isExampleOf(example: QuarantineEntry, summary: QuarantineSummary): boolean {
  const isSameKind = example.stage === summary.stage && example.reason === summary.reason;
  return isSameKind && (summary.metricName === null || summary.metricName === example.metricName);
}

function readCursor(cursor: string): { waitingSince: Date; quarantineId: string } {
  const [since = '', quarantineId = ''] = decodeCursor(cursor, 2);
  const waitingSince = new Date(since);
  if (Number.isNaN(waitingSince.getTime())) throw invalidCursor();
  return { waitingSince, quarantineId };
}

export function showQuarantineEntry(entry: QuarantineEntry, now: Date) {
  return {
    id: entry.quarantineId,
    stage: entry.stage,
    reason: entry.reason,
    detail: entry.detail === null ? null : shorten(entry.detail),
    eventTime: entry.eventTime?.toISOString() ?? null,
    subject: shorten(entry.subject),
    feature: shorten(entry.feature),
    model: shorten(entry.model),
    metricName: entry.metricName === null ? null : shorten(entry.metricName),
    customerId: entry.customerId,
    tokenCount: String(entry.tokenCount),
    waitingSince: entry.waitingSince.toISOString(),
    ageSeconds: Math.max(0, Math.floor((now.getTime() - entry.waitingSince.getTime()) / 1_000)),
  };
}

function shorten(text: string): string {
  const characters = [...text];
  return characters.length <= SHOWN_TEXT_LENGTH
    ? text
    : `${characters.slice(0, SHOWN_TEXT_LENGTH).join('')}…`;
}
