import { z } from '@hono/zod-openapi';
import { secondsBetween } from '../platform/clock.ts';
import { CountSchema, InstantSchema, TokenCountSchema } from '../platform/http/schemas.ts';
import { isAlarming, type QuarantineSummary } from './entries.ts';

export const QuarantineSummarySchema = z
  .object({
    stage: z.enum(['source_item', 'usage_event', 'hourly_usage', 'meter_push']).openapi({
      description: 'Where the usage waits: before metering (the first two) or before billing.',
    }),
    reason: z.string(),
    metricName: z.string().nullable().openapi({
      description: 'Of `unknown_metric`: which one; each has an entry of its own. Else null.',
    }),
    rowCount: CountSchema,
    tokenCount: TokenCountSchema,
    oldestAt: InstantSchema,
    oldestAgeSeconds: z.int(),
    alarming: z.boolean().openapi({
      description: 'It waits longer than QUARANTINE_ALARM_HOURS. carry_to_next_invoice waits by plan.',
    }),
  })
  .openapi('QuarantineSummary');

/** One reason of one stage, as the API shows it. */
export function showQuarantineSummary(entry: QuarantineSummary, now: Date, alarmAfterMs: number) {
  return {
    stage: entry.stage,
    reason: entry.reason,
    metricName: entry.metricName,
    rowCount: String(entry.rowCount),
    tokenCount: String(entry.tokenCount),
    oldestAt: entry.oldestAt.toISOString(),
    oldestAgeSeconds: secondsBetween(entry.oldestAt, now),
    alarming: isAlarming(entry, now, alarmAfterMs),
  };
}
