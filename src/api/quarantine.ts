import { createRoute, z } from '@hono/zod-openapi';
import { readQuarantineExamples } from '../ledger/quarantine-examples.ts';
import { readQuarantineSummary } from '../ledger/status.ts';
import { requireScope, securityOf } from './authentication.ts';
import type { Api, ApiDependencies } from './dependencies.ts';
import { InstantSchema, jsonContent, keyedProblems, TokenCountSchema } from './schemas.ts';
import { QuarantineSummarySchema } from './status.ts';

const EXAMPLES_PER_REASON = 5;
/** A subject may be ten kilobytes of anything; an example needs only enough to recognize it. */
const SHOWN_TEXT_LENGTH = 200;

const QuarantineSchema = z
  .object({
    asOf: InstantSchema,
    entries: z.array(
      QuarantineSummarySchema.extend({
        examples: z.array(
          z.object({
            eventTime: InstantSchema.nullable(),
            subject: z.string(),
            feature: z.string(),
            model: z.string(),
            tokenCount: TokenCountSchema,
          }),
        ),
      }),
    ),
  })
  .openapi('Quarantine');

/** Adds `GET /v1/quarantine`: usage that waits, by stage and reason, with examples. */
export function addQuarantineRoutes(api: Api, dependencies: ApiDependencies): void {
  const route = createRoute({
    method: 'get',
    path: '/v1/quarantine',
    tags: ['Pipeline'],
    summary: 'Usage that waits, why, and examples of it',
    security: securityOf('finance', 'admin'),
    middleware: [requireScope(dependencies, 'finance')],
    responses: { 200: jsonContent(QuarantineSchema, 'The most tokens first.'), ...keyedProblems },
  });

  api.openapi(route, async (context) => {
    const summary = await readQuarantineSummary(dependencies.database);
    const examples = await readQuarantineExamples(dependencies.database, EXAMPLES_PER_REASON);
    return context.json(
      {
        asOf: dependencies.clock.now().toISOString(),
        entries: summary.map((entry) => ({
          stage: entry.stage,
          reason: entry.reason,
          rowCount: String(entry.rowCount),
          tokenCount: String(entry.tokenCount),
          examples: examples
            .filter((example) => example.stage === entry.stage && example.reason === entry.reason)
            .map((example) => ({
              eventTime: example.eventTime?.toISOString() ?? null,
              subject: shorten(example.subject),
              feature: shorten(example.feature),
              model: shorten(example.model),
              tokenCount: String(example.tokenCount),
            })),
        })),
      },
      200,
    );
  });
}

function shorten(text: string): string {
  const characters = [...text];
  return characters.length <= SHOWN_TEXT_LENGTH
    ? text
    : `${characters.slice(0, SHOWN_TEXT_LENGTH).join('')}…`;
}
