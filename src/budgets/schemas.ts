import { z } from '@hono/zod-openapi';
import { formatAmount, parseAmount } from '../../pricing/budgets/amounts.ts';
import {
  BUDGET_MEASURES,
  BUDGET_PERIODS,
  BUDGET_SCOPES,
  type BudgetMeasure,
  isMoney,
  STEP_ACTIONS,
  STEP_BASES,
} from '../../pricing/budgets/budget.ts';
import { sharePermilleOf } from '../../pricing/budgets/standing.ts';
import { formatDecimal } from '../../pricing/money.ts';
import { EarlyBillSchema, showEarlyBill } from '../billing/early/schema.ts';
import { secondsBetween } from '../platform/clock.ts';
import { ValidationError } from '../platform/errors.ts';
import {
  CountSchema,
  CurrencySchema,
  IdentifierSchema,
  InstantSchema,
  textSchema,
} from '../platform/http/schemas.ts';
import type { NewBudget } from './desk.ts';
import {
  countedUntil,
  type Freshness,
  type KeptStanding,
  overshootNow,
  type StandingBudget,
} from './standings.ts';
import type { StepEvent } from './step-events.ts';

/** In the currency for money, whole for tokens and calls. */
const LimitSchema = z
  .string()
  .regex(/^-?\d+(\.\d+)?$/, { error: 'must be a decimal number' })
  .max(40, { error: 'must have at most 40 characters' })
  .openapi({ example: '50.00', description: 'In `currency` for money; a whole count for tokens and calls.' });

export const StepSchema = z
  .strictObject({
    sharePermille: z.int().openapi({ example: 800, description: 'Of the limit; 1000 is all of it.' }),
    on: z.enum(STEP_BASES).default('actual').openapi({
      description: 'What is used, or what the forecast says for the end of the window.',
    }),
    action: z.enum(STEP_ACTIONS),
    tokensPerMinute: z.int().optional().openapi({ description: 'Of slow.' }),
    deployment: IdentifierSchema.optional().openapi({ description: 'Of swap: where calls go instead.' }),
    contact: textSchema(200)
      .optional()
      .openapi({ example: 'ai-platform@example.com', description: 'Whom to ask.' }),
  })
  .openapi('BudgetStep');

const NameSchema = textSchema(200).openapi({ example: 'Northwind, each month' });
const StepsSchema = z.array(StepSchema);
export const NewBudgetBody = z
  .strictObject({
    name: NameSchema,
    scope: z.enum(BUDGET_SCOPES),
    customerId: IdentifierSchema.optional().openapi({ description: 'Of customer and user.' }),
    feature: IdentifierSchema.optional().openapi({ description: 'Of feature.' }),
    userId: IdentifierSchema.optional().openapi({ description: 'Of user: a subject of the customer.' }),
    perUser: z.boolean().default(false).openapi({ description: 'Each user of it has this limit.' }),
    period: z.enum(BUDGET_PERIODS),
    rollingDayCount: z.int().optional().openapi({ description: 'Of rolling_days.' }),
    measure: z.enum(BUDGET_MEASURES).default('cost'),
    currency: CurrencySchema.optional().openapi({ description: 'Of money.' }),
    limit: LimitSchema,
    steps: StepsSchema.default([]),
  })
  .openapi('NewBudget');
export const BudgetChangeBody = z
  .strictObject({
    name: NameSchema.optional(),
    limit: LimitSchema.optional(),
    steps: StepsSchema.optional(),
  })
  .openapi('BudgetChange');
export const GraceBody = z
  .strictObject({
    extra: LimitSchema,
    until: InstantSchema.optional().openapi({ description: 'Left out: to the end of the window.' }),
    reason: textSchema(2_000),
  })
  .openapi('BudgetGrace');

const HolderFields = {
  customerId: z.string().nullable(),
  userId: z.string().nullable().openapi({ description: 'Null: the budget’s scope as a whole.' }),
};
const AmountSchema = z.string().openapi({ description: 'As the limit.' });

const StandingSchema = z
  .object({
    ...HolderFields,
    windowStart: InstantSchema,
    windowEnd: InstantSchema,
    used: AmountSchema,
    limit: AmountSchema.openapi({ description: 'With a grace, while it holds.' }),
    share: z.string().openapi({ example: '0.832' }),
    forecast: AmountSchema.nullable().openapi({ description: 'At the end of the window.' }),
    forecastReason: z.string().nullable(),
    unpricedTokenCount: z.string().openapi({ description: 'Tokens without a price: they are in no amount.' }),
    unknownReason: z
      .string()
      .nullable()
      .openapi({ description: 'Why `used` is what was known before: no exchange rate.' }),
    dataUntil: InstantSchema.nullable(),
    dataAgeSeconds: z.int().nullable(),
    judgedAt: InstantSchema,
    overshootAllowed: AmountSchema.nullable().openapi({
      description:
        'How far the limit may be overshot before a step acts: what goes on at the rate of late while data is on its way; null: nothing says how old it is.',
    }),
  })
  .openapi('BudgetStanding');

export const StepEventSchema = z
  .object({
    id: z.string(),
    ...HolderFields,
    step: StepSchema,
    windowStart: InstantSchema,
    windowEnd: InstantSchema,
    reachedAt: InstantSchema,
    used: AmountSchema,
    limit: AmountSchema,
    withdrawnAt: InstantSchema.nullable(),
    withdrawnReason: z.string().nullable(),
    liftedUntil: InstantSchema.nullable(),
    earlyBills: z.array(EarlyBillSchema).openapi({ description: 'Of a step that bills, by subscription.' }),
  })
  .openapi('BudgetStepEvent');
export type StepEventBody = z.infer<typeof StepEventSchema>;

export const BudgetSchema = z
  .object({
    id: z.string().openapi({ example: 'bud_x4s1' }),
    name: z.string(),
    scope: z.enum(BUDGET_SCOPES),
    customerId: z.string().nullable(),
    feature: z.string().nullable(),
    userId: z.string().nullable(),
    perUser: z.boolean(),
    period: z.enum(BUDGET_PERIODS),
    rollingDayCount: z.int().nullable(),
    measure: z.enum(BUDGET_MEASURES),
    currency: z.string().nullable(),
    limit: z.string(),
    steps: z.array(StepSchema),
    grace: z
      .object({ extra: z.string(), until: InstantSchema, windowStart: InstantSchema, reason: z.string() })
      .nullable(),
    createdAt: InstantSchema,
    createdBy: z.string(),
    changedAt: InstantSchema,
    endedAt: InstantSchema.nullable(),
    standing: StandingSchema.nullable().openapi({
      description: 'Of the holder that used most; null: not judged in this window yet.',
    }),
    holderCount: CountSchema,
    overCount: CountSchema.openapi({ description: 'Who used all of it, or more.' }),
    openSteps: z.array(StepEventSchema),
  })
  .openapi('Budget');
export type BudgetBody = z.infer<typeof BudgetSchema>;

export const BudgetsSchema = z
  .object({ budgets: z.array(BudgetSchema), nextCursor: z.string().nullable() })
  .openapi('Budgets');
export type BudgetsBody = z.infer<typeof BudgetsSchema>;

export const OneBudgetSchema = BudgetSchema.extend({
  holders: z
    .array(StandingSchema)
    .openapi({ description: 'Users that have the limit, the most used first; at most 200.' }),
  events: z.array(StepEventSchema).openapi({ description: 'The newest first; at most 200.' }),
}).openapi('OneBudget');
export type OneBudgetBody = z.infer<typeof OneBudgetSchema>;

/** @throws ValidationError that names the field */
export function readAmount(text: string, measure: BudgetMeasure, field: string): bigint {
  try {
    return parseAmount(text, measure);
  } catch {
    throw new ValidationError(
      field,
      `is no amount of ${measure}`,
      isMoney(measure) ? 'Give at most 12 decimals.' : 'Give a whole number.',
    );
  }
}

/** A budget as it was asked for. @throws ValidationError that names the field */
export function toNewBudget(body: z.output<typeof NewBudgetBody>): NewBudget {
  const { limit, customerId, feature, userId, rollingDayCount, currency, ...rest } = body;
  return {
    ...rest,
    customerId: customerId ?? null,
    feature: feature ?? null,
    subject: userId ?? null,
    rollingDayCount: rollingDayCount ?? null,
    currency: currency ?? null,
    limit: readAmount(limit, rest.measure, 'limit'),
  };
}

const instant = (at: Date | null) => at?.toISOString() ?? null;
const named = (text: string) => (text === '' ? null : text);

export function showBudget(
  { budget, standing, holderCount, overCount, open }: StandingBudget,
  freshness: Freshness,
  now: Date,
): BudgetBody {
  const { measure, grace } = budget;
  return {
    id: budget.budgetId,
    name: budget.name,
    scope: budget.scope,
    customerId: budget.customerId,
    feature: budget.feature,
    userId: budget.subject,
    perUser: budget.perUser,
    period: budget.period,
    rollingDayCount: budget.rollingDayCount,
    measure,
    currency: budget.currency,
    limit: formatAmount(budget.limit, measure),
    steps: budget.steps,
    grace:
      grace === null
        ? null
        : {
            extra: formatAmount(grace.extra, measure),
            until: grace.until.toISOString(),
            windowStart: grace.windowStart.toISOString(),
            reason: grace.reason,
          },
    createdAt: budget.createdAt.toISOString(),
    createdBy: budget.createdBy,
    changedAt: budget.changedAt.toISOString(),
    endedAt: instant(budget.endedAt),
    standing: standing === null ? null : showStanding(standing, measure, freshness, now),
    holderCount: String(holderCount),
    overCount: String(overCount),
    openSteps: open.map((event) => showStepEvent(event, measure)),
  };
}

export function showStanding(
  standing: KeptStanding,
  measure: BudgetMeasure,
  freshness: Freshness,
  now: Date,
): z.infer<typeof StandingSchema> {
  const until = countedUntil(standing, freshness);
  const amount = (value: bigint) => formatAmount(value, measure);
  const overshoot = overshootNow(standing, freshness, now);
  return {
    customerId: named(standing.customerId),
    userId: named(standing.subject),
    windowStart: standing.windowStart.toISOString(),
    windowEnd: standing.windowEnd.toISOString(),
    used: amount(standing.used),
    limit: amount(standing.effectiveLimit),
    share: formatDecimal(sharePermilleOf(standing.used, standing.effectiveLimit), 3, 3),
    forecast: standing.forecast === null ? null : amount(standing.forecast),
    forecastReason: standing.forecastReason,
    unpricedTokenCount: String(standing.unpricedTokenCount),
    unknownReason: standing.unknownReason,
    dataUntil: instant(until),
    dataAgeSeconds: until === null ? null : secondsBetween(until, now),
    judgedAt: standing.judgedAt.toISOString(),
    overshootAllowed: overshoot === null ? null : amount(overshoot),
  };
}

export function showStepEvent(event: StepEvent, measure: BudgetMeasure): z.infer<typeof StepEventSchema> {
  return {
    id: String(event.stepEventId),
    customerId: named(event.customerId),
    userId: named(event.subject),
    step: event.step,
    windowStart: event.windowStart.toISOString(),
    windowEnd: event.windowEnd.toISOString(),
    reachedAt: event.reachedAt.toISOString(),
    used: formatAmount(event.used, measure),
    limit: formatAmount(event.effectiveLimit, measure),
    withdrawnAt: instant(event.withdrawnAt),
    withdrawnReason: event.withdrawnReason,
    liftedUntil: instant(event.liftedUntil),
    earlyBills: event.earlyBills.map(showEarlyBill),
  };
}
