import { z } from '@hono/zod-openapi';
import { EXPLANATIONS } from '../../pricing/anomalies/decide.ts';
import { SHAPES } from '../../pricing/anomalies/shape.ts';
import { formatDecimal, formatPico } from '../../pricing/money.ts';
import { InstantSchema } from '../platform/http/schemas.ts';
import { FINDING_GROUPS, FINDING_STATES, type Finding, type FindingFigures } from './findings.ts';

const UsdSchema = z.string().openapi({ example: '13.88', description: 'US dollars.' });
const ScoreSchema = z
  .string()
  .nullable()
  .openapi({ example: '34.6', description: 'The highest so far; null: too little is known.' });

export const FindingSchema = z
  .object({
    id: z.string().openapi({ example: '17' }),
    customerId: z.string(),
    group: z.enum(FINDING_GROUPS).openapi({
      description:
        'needs_you: nobody said anything yet; acknowledged; done: dismissed, withdrawn or snoozed; highlighted: explained, or above two sigmas and nothing else.',
    }),
    state: z.enum(FINDING_STATES).openapi({
      description: 'open: it may go on; ended: it goes on no longer; withdrawn: later data undid it.',
    }),
    firstHour: InstantSchema,
    lastHour: InstantSchema,
    shape: z.enum(SHAPES).nullable(),
    explanations: z.array(z.enum(EXPLANATIONS)),
    moved: z.array(
      z.object({
        dimension: z.enum(['user', 'feature', 'model']),
        value: z.string(),
        sharePercent: z.int().openapi({ description: 'Of what is too much.' }),
      }),
    ),
    cost: UsdSchema,
    usual: UsdSchema,
    excess: UsdSchema,
    dayAhead: UsdSchema.openapi({
      description: 'What another day of it costs beyond the usual, at the rate of its last hour.',
    }),
    score: ScoreSchema,
    sigmaScore: ScoreSchema,
    isAboveSigma: z.boolean(),
    raisedAt: InstantSchema.nullable(),
    endedAt: InstantSchema.nullable(),
    decision: z.enum(['acknowledged', 'dismissed']).nullable(),
    decisionReason: z.string().nullable(),
    decidedBy: z.string().nullable(),
    decidedAt: InstantSchema.nullable(),
    snoozedUntil: InstantSchema.nullable(),
  })
  .openapi('Anomaly');
export type FindingBody = z.infer<typeof FindingSchema>;

export const FindingsSchema = z
  .object({
    anomalies: z.array(FindingSchema),
    figures: z.object({
      needsYouCount: z.string(),
      acknowledgedCount: z.string(),
      dismissedCount: z.string(),
      withdrawnCount: z.string(),
      precision: z.string().nullable().openapi({
        example: '0.913',
        description:
          'Acknowledged, of all that people acknowledged or dismissed; null: nobody said anything yet.',
      }),
    }),
    nextCursor: z.string().nullable(),
  })
  .openapi('Anomalies');
export type FindingsBody = z.infer<typeof FindingsSchema>;

const instant = (at: Date | null) => at?.toISOString() ?? null;

export function showFinding(finding: Finding): FindingBody {
  return {
    id: String(finding.findingId),
    customerId: finding.customerId,
    group: finding.group,
    state: finding.state,
    firstHour: finding.firstHour.toISOString(),
    lastHour: finding.lastHour.toISOString(),
    shape: finding.shape,
    explanations: finding.explanations,
    moved: finding.moved,
    cost: formatPico(finding.costPicoUsd),
    usual: formatPico(finding.usualPicoUsd),
    excess: formatPico(finding.excessPicoUsd),
    dayAhead: formatPico(finding.dayAheadPicoUsd),
    score: finding.score,
    sigmaScore: finding.sigmaScore,
    isAboveSigma: finding.isAboveSigma,
    raisedAt: instant(finding.raisedAt),
    endedAt: instant(finding.endedAt),
    decision: finding.decision,
    decisionReason: finding.decisionReason,
    decidedBy: finding.decidedBy,
    decidedAt: instant(finding.decidedAt),
    snoozedUntil: instant(finding.snoozedUntil),
  };
}

export function showFigures(figures: FindingFigures): FindingsBody['figures'] {
  const { precisionPermille } = figures;
  return {
    needsYouCount: String(figures.needsYouCount),
    acknowledgedCount: String(figures.acknowledgedCount),
    dismissedCount: String(figures.dismissedCount),
    withdrawnCount: String(figures.withdrawnCount),
    precision: precisionPermille === null ? null : formatDecimal(precisionPermille, 3),
  };
}
