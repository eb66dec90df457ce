import { createRoute, z } from '@hono/zod-openapi';
import { readPipelineStatus } from '../ledger/status.ts';
import { requireScope, securityOf } from './authentication.ts';
import type { Api, ApiDependencies } from './dependencies.ts';
import { InstantSchema, jsonContent, keyedProblems, TokenCountSchema } from './schemas.ts';

const CountSchema = z.string().regex(/^\d+$/).openapi({ description: 'A count as decimal text.' });

export const QuarantineSummarySchema = z
  .object({
    stage: z.enum(['source_item', 'usage_event', 'hourly_usage', 'meter_push']).openapi({
      description: 'Where the usage waits: before metering (the first two) or before billing.',
    }),
    reason: z.string(),
    rowCount: CountSchema,
    tokenCount: TokenCountSchema,
  })
  .openapi('QuarantineSummary');

const PipelineStatusSchema = z
  .object({
    asOf: InstantSchema,
    watermarks: z.array(
      z.object({
        source: z.string(),
        position: InstantSchema,
        updatedAt: InstantSchema,
        ageSeconds: z.int().openapi({ description: 'How far the source is behind now.' }),
      }),
    ),
    usageEvents: z.object({
      pending: CountSchema,
      sent: CountSchema,
      confirmed: CountSchema,
      quarantined: CountSchema,
    }),
    hours: z.object({
      openCount: CountSchema,
      settledCount: CountSchema,
      oldestOpenHour: InstantSchema.nullable(),
    }),
    meterPushes: z.object({ pending: CountSchema, delivered: CountSchema, refused: CountSchema }),
    unassignedTokenCount: TokenCountSchema,
    quarantine: z.array(QuarantineSummarySchema),
    openDriftCount: CountSchema,
  })
  .openapi('PipelineStatus');

/** Adds `GET /v1/status`: how far each step of the pipeline is, and what waits. */
export function addStatusRoutes(api: Api, dependencies: ApiDependencies): void {
  const route = createRoute({
    method: 'get',
    path: '/v1/status',
    tags: ['Pipeline'],
    summary: 'How far the pipeline is, and what waits',
    security: securityOf('finance', 'admin'),
    middleware: [requireScope(dependencies, 'finance')],
    responses: { 200: jsonContent(PipelineStatusSchema, 'The status.'), ...keyedProblems },
  });

  api.openapi(route, async (context) => {
    const status = await readPipelineStatus(dependencies.database);
    const now = dependencies.clock.now();
    return context.json(
      {
        asOf: now.toISOString(),
        watermarks: status.watermarks.map((watermark) => ({
          source: watermark.source,
          position: watermark.position.toISOString(),
          updatedAt: watermark.updatedAt.toISOString(),
          ageSeconds: Math.floor((now.getTime() - watermark.position.getTime()) / 1_000),
        })),
        usageEvents: {
          pending: String(status.usageEvents.pending),
          sent: String(status.usageEvents.sent),
          confirmed: String(status.usageEvents.confirmed),
          quarantined: String(status.usageEvents.quarantined),
        },
        hours: {
          openCount: String(status.hours.openCount),
          settledCount: String(status.hours.settledCount),
          oldestOpenHour: status.hours.oldestOpenHour?.toISOString() ?? null,
        },
        meterPushes: {
          pending: String(status.meterPushes.pending),
          delivered: String(status.meterPushes.delivered),
          refused: String(status.meterPushes.refused),
        },
        unassignedTokenCount: String(status.unassignedTokenCount),
        quarantine: status.quarantine.map((entry) => ({
          stage: entry.stage,
          reason: entry.reason,
          rowCount: String(entry.rowCount),
          tokenCount: String(entry.tokenCount),
        })),
        openDriftCount: String(status.openDriftCount),
      },
      200,
    );
  });
}
