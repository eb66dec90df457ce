import { z } from '@hono/zod-openapi';
import { formatDecimal } from '../../pricing/money.ts';
import type { FindingState } from '../anomalies/finding-state.ts';
import { CountSchema, InstantSchema } from '../platform/http/schemas.ts';

export const AnomalyStateSchema = z.object({
  openCounts: z
    .object({
      needs_you: CountSchema,
      acknowledged: CountSchema,
      done: CountSchema,
      highlighted: CountSchema,
    })
    .openapi({ description: 'Findings that may go on, by where they stand for people.' }),
  needsYouCount: CountSchema.openapi({ description: 'Findings of which nobody has said anything.' }),
  precision: z.string().nullable().openapi({
    example: '0.913',
    description:
      'Acknowledged, of all that people acknowledged or dismissed; null: nobody said anything yet.',
  }),
  lastEvaluatedHour: InstantSchema.nullable().openapi({
    description: 'The newest hour whose usage was judged; it may still be running.',
  }),
  evaluatedAt: InstantSchema.nullable(),
  dueHourCount: CountSchema.openapi({ description: 'Hours that were summed and wait to be judged.' }),
});

export function showAnomalyState(state: FindingState): z.infer<typeof AnomalyStateSchema> {
  const { openCounts, figures } = state;
  return {
    openCounts: {
      needs_you: String(openCounts.needs_you),
      acknowledged: String(openCounts.acknowledged),
      done: String(openCounts.done),
      highlighted: String(openCounts.highlighted),
    },
    needsYouCount: String(figures.needsYouCount),
    precision: figures.precisionPermille === null ? null : formatDecimal(figures.precisionPermille, 3),
    lastEvaluatedHour: state.lastEvaluatedHour?.toISOString() ?? null,
    evaluatedAt: state.evaluatedAt?.toISOString() ?? null,
    dueHourCount: String(state.dueHourCount),
  };
}

/** What stands out, and how far usage was judged, as metrics. */
export function anomalyMetrics(
  { openCounts, figures, lastEvaluatedHour, dueHourCount }: FindingState,
  now: Date,
) {
  const gauge = (
    name: string,
    help: string,
    samples: { labels?: Record<string, string>; value: number | bigint }[],
  ) => ({ name: `tallystick_${name}`, help, type: 'gauge' as const, samples });
  return [
    gauge(
      'anomalies_open',
      'Findings of usage that may go on, by where they stand for people.',
      Object.entries(openCounts).map(([group, value]) => ({ labels: { group }, value })),
    ),
    gauge('anomalies_needing_somebody', 'Findings of which nobody has said anything.', [
      { value: figures.needsYouCount },
    ]),
    gauge(
      'anomalies_precision',
      'Acknowledged, of all that people acknowledged or dismissed.',
      figures.precisionPermille === null ? [] : [{ value: Number(figures.precisionPermille) / 1_000 }],
    ),
    gauge('anomaly_hours_due', 'Hours that were summed and wait to be judged.', [{ value: dueHourCount }]),
    gauge(
      'anomaly_evaluated_hour_age_seconds',
      'Since the start of the newest hour whose usage was judged.',
      lastEvaluatedHour === null
        ? []
        : [{ value: Math.max(0, (now.getTime() - lastEvaluatedHour.getTime()) / 1_000) }],
    ),
  ];
}
