import { z } from '@hono/zod-openapi';
import { ENFORCED_ACTIONS } from '../../pricing/enforcement/ruling.ts';
import { InstantSchema } from '../platform/http/schemas.ts';
import type { EnforcedStep } from './steps.ts';

const RULING_FIELDS = {
  action: z
    .enum(['allow', ...ENFORCED_ACTIONS])
    .openapi({ description: 'The strictest of what is asked. slow and swap may both be asked.' }),
  status: z
    .union([z.literal(403), z.literal(429)])
    .nullable()
    .openapi({ description: 'Of a stop. 429 where it ends within the hour, so that waiting helps.' }),
  tokensPerMinute: z.int().nullable().openapi({ description: 'What is let through; null: everything.' }),
  counterKey: z.string().nullable().openapi({ description: 'Whose calls share the tokens of a minute.' }),
  deployment: z.string().nullable().openapi({ description: 'Answers in place of any other.' }),
  budget: z
    .object({ id: z.string(), name: z.string() })
    .nullable()
    .openapi({ description: 'Which budget decided.' }),
  contact: z.string().nullable().openapi({ description: 'Whom to ask.' }),
  until: InstantSchema.nullable(),
  untilSeconds: z.int().nullable().openapi({ description: 'The same in seconds since 1970.' }),
  message: z.string().nullable().openapi({ description: 'For a caller who is stopped.' }),
};
const RulingSchema = z.object(RULING_FIELDS);
export type RulingBody = z.infer<typeof RulingSchema>;

export const WholeSchema = z
  .object({
    unknownCallers: z
      .enum(['allow', 'stop'])
      .openapi({ description: 'What becomes of callers of no known customer.' }),
    holders: z
      .array(
        z.object({
          customerId: z.string().nullable().openapi({ description: 'Null: every customer.' }),
          tenantKey: z.string().nullable().openapi({ description: 'Of the customer, where it has one.' }),
          subject: z.string().nullable().openapi({ description: 'Null: every user.' }),
          feature: z.string().nullable().openapi({ description: 'Null: every feature.' }),
          ...RULING_FIELDS,
        }),
      )
      .openapi({
        description: 'A caller is held by each that fits; the strictest counts. Others are let through.',
      }),
  })
  .openapi('Enforcement');
export type WholeBody = z.infer<typeof WholeSchema>;

export const CallerSchema = z
  .object({
    tenantKey: z.string(),
    subject: z.string(),
    customerId: z.string().nullable().openapi({ description: 'Whose caller it is; null: nobody knows.' }),
    ...RULING_FIELDS,
    features: z.record(z.string(), RulingSchema).openapi({
      description: 'Calls of a feature of which something is asked; it takes the place of the rest.',
    }),
  })
  .openapi('CallerEnforcement');
export type CallerBody = z.infer<typeof CallerSchema>;

export const StepSchema = z
  .object({
    id: z.string(),
    budget: z.object({ id: z.string(), name: z.string() }),
    customerId: z.string().nullable().openapi({ description: 'Null: every customer.' }),
    subject: z.string().nullable().openapi({ description: 'Null: every user.' }),
    feature: z.string().nullable().openapi({ description: 'Null: every feature.' }),
    action: z.enum(ENFORCED_ACTIONS),
    sharePermille: z.int().openapi({ description: 'Of the limit, in thousandths.' }),
    reachedAt: InstantSchema,
    endsAt: InstantSchema.openapi({ description: 'When its window is over.' }),
    liftedUntil: InstantSchema.nullable(),
    liftedBy: z.string().nullable(),
  })
  .openapi('EnforcedStep');
export type StepBody = z.infer<typeof StepSchema>;
export const StepsSchema = z
  .object({ steps: z.array(StepSchema), nextCursor: z.string().nullable() })
  .openapi('EnforcedSteps');
export type StepsBody = z.infer<typeof StepsSchema>;

export function showStep({ stepId, budgetId, budgetName, isOver: _, ...step }: EnforcedStep): StepBody {
  return {
    ...step,
    id: String(stepId),
    budget: { id: budgetId, name: budgetName },
    reachedAt: step.reachedAt.toISOString(),
    endsAt: step.endsAt.toISOString(),
    liftedUntil: step.liftedUntil?.toISOString() ?? null,
  };
}
