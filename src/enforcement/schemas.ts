import { z } from '@hono/zod-openapi';
import { type ReplayedHolder, type ReplayedSums, sumReplayed } from '../../pricing/enforcement/dry-run.ts';
import { ENFORCED_ACTIONS } from '../../pricing/enforcement/ruling.ts';
import { formatPico, formatPicoMinor } from '../../pricing/money.ts';
import { AmountSchema, CountSchema, InstantSchema } from '../platform/http/schemas.ts';
import type { DryRun } from './dry-run.ts';
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

const SumsSchema = z.object({
  cost: AmountSchema.openapi({ description: 'In US dollars.' }),
  tokenCount: CountSchema,
  callCount: CountSchema,
});
const DryRunHolderSchema = z.object({
  customerId: z.string().nullable().openapi({ description: 'Of a budget for each user; else null.' }),
  subject: z.string().nullable(),
  used: SumsSchema,
  stopped: SumsSchema.openapi({ description: 'Of it, what would have been refused.' }),
  slowed: SumsSchema.openapi({ description: 'Of it, what would have been beyond the rate.' }),
  firstStoppedAt: InstantSchema.nullable(),
  firstSlowedAt: InstantSchema.nullable(),
});
export const DryRunSchema = z
  .object({
    budget: z.object({ id: z.string(), name: z.string() }),
    from: InstantSchema,
    to: InstantSchema,
    used: SumsSchema,
    stopped: SumsSchema,
    slowed: SumsSchema,
    saved: AmountSchema.openapi({ description: 'Cost of what was stopped or slowed down, in US dollars.' }),
    unpricedTokenCount: CountSchema.openapi({
      description: 'Tokens without a price, which cost nothing here.',
    }),
    bills: z
      .array(
        z.object({
          at: InstantSchema,
          since: InstantSchema.openapi({ description: 'The window’s beginning, or the bill before.' }),
          sharePermille: z.int(),
          used: SumsSchema.openapi({ description: 'Between the two.' }),
          amount: AmountSchema.nullable().openapi({
            description: 'What that sells for, by the averages of its months; null: no revenue is known.',
          }),
          currency: z.string().nullable(),
        }),
      )
      .openapi({ description: 'What steps that bill would have invoiced early.' }),
    holderCount: CountSchema,
    heldHolderCount: CountSchema.openapi({ description: 'Of whom something would have been held back.' }),
    holders: z
      .array(DryRunHolderSchema)
      .openapi({ description: 'At most 200 of these, by what is saved on them.' }),
  })
  .openapi('EnforcementDryRun');
export type DryRunBody = z.infer<typeof DryRunSchema>;

const MOST_HOLDERS = 200;

export function showDryRun({ budget, window, holders, unpricedTokenCount, bills }: DryRun): DryRunBody {
  const saved = ({ stopped, slowed }: Pick<ReplayedHolder, 'stopped' | 'slowed'>) =>
    stopped.costPicoUsd + slowed.costPicoUsd;
  const held = holders.filter(
    ({ firstStoppedAt, firstSlowedAt }) => firstStoppedAt !== null || firstSlowedAt !== null,
  );
  const all = {
    used: sumReplayed(holders.map(({ used }) => used)),
    stopped: sumReplayed(holders.map(({ stopped }) => stopped)),
    slowed: sumReplayed(holders.map(({ slowed }) => slowed)),
  };
  return {
    budget: { id: budget.budgetId, name: budget.name },
    from: window.start.toISOString(),
    to: window.end.toISOString(),
    used: showSums(all.used),
    stopped: showSums(all.stopped),
    slowed: showSums(all.slowed),
    saved: formatPico(saved(all)),
    unpricedTokenCount: String(unpricedTokenCount),
    bills: bills.map(({ at, since, sharePermille, used, revenue }) => ({
      at: at.toISOString(),
      since: since.toISOString(),
      sharePermille,
      used: showSums(used),
      amount: revenue === null ? null : formatPicoMinor(revenue.amountPicoMinor, revenue.currency),
      currency: revenue?.currency ?? null,
    })),
    holderCount: String(holders.length),
    heldHolderCount: String(held.length),
    holders: held
      .sort((a, b) => (saved(a) === saved(b) ? 0 : saved(a) < saved(b) ? 1 : -1))
      .slice(0, MOST_HOLDERS)
      .map((holder) => ({
        customerId: holder.customerId || null,
        subject: holder.subject || null,
        used: showSums(holder.used),
        stopped: showSums(holder.stopped),
        slowed: showSums(holder.slowed),
        firstStoppedAt: holder.firstStoppedAt?.toISOString() ?? null,
        firstSlowedAt: holder.firstSlowedAt?.toISOString() ?? null,
      })),
  };
}

function showSums({ costPicoUsd, tokenCount, callCount }: ReplayedSums) {
  return { cost: formatPico(costPicoUsd), tokenCount: String(tokenCount), callCount: String(callCount) };
}
