import { z } from 'zod';
import { SHAPES } from '../anomalies/shape.ts';
import { BUDGET_MEASURES, STEP_ACTIONS, STEP_BASES } from '../budgets/budget.ts';
import { CANNOT_BILL_REASONS } from '../budgets/early-bill.ts';

/** What people are told of. `storm`: of alerts that were too many for a route; `test`: that a route works. */
export const ALERT_KINDS = [
  'budget',
  'anomaly',
  'drift',
  'held_invoice',
  'quarantine_age',
  'price_change',
  'failed_close',
  'digest',
  'storm',
  'test',
] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

/** From what may wait until morning to what may not. */
export const SEVERITIES = ['info', 'warning', 'urgent'] as const;
export type Severity = (typeof SEVERITIES)[number];

const instant = z.iso.datetime({ offset: true });
/** Amounts in pico units and counts, whole, as text. */
const whole = z.string().regex(/^-?\d+$/);

const budget = z.object({
  /** Of the step that was reached. */
  eventId: z.string(),
  budgetId: z.string(),
  budgetName: z.string(),
  /** Of a limit for each user: whose. */
  subject: z.string().nullable(),
  feature: z.string().nullable(),
  measure: z.enum(BUDGET_MEASURES),
  currency: z.string().nullable(),
  period: z.string(),
  windowEnd: instant.nullable(),
  sharePermille: z.number().int(),
  on: z.enum(STEP_BASES),
  action: z.enum(STEP_ACTIONS),
  /** Whom to ask. */
  contact: z.string().nullable(),
  /** Pico units of the currency, or a count. */
  used: whole,
  limit: whole,
  /** Of `bill`: why it cannot be; absent of what was told before this was known. */
  cannotBill: z.enum(CANNOT_BILL_REASONS).nullish(),
});

const anomaly = z.object({
  findingId: z.string(),
  firstHour: instant,
  shape: z.enum(SHAPES).nullable(),
  moved: z.array(z.object({ dimension: z.string(), value: z.string(), sharePercent: z.number() })),
  costPicoUsd: whole,
  usualPicoUsd: whole,
  excessPicoUsd: whole,
  dayAheadPicoUsd: whole,
});

const drift = z.object({
  boundary: z.enum(['openmeter', 'stripe']),
  hourCount: z.number().int(),
  /** By how much the two differ, without signs. */
  tokenCount: whole,
  firstSeenAt: instant,
});

const heldInvoice = z.object({
  invoiceId: z.string(),
  periodEnd: instant,
  /** When Stripe finalizes it, whatever we do. */
  deadline: instant.nullable(),
  /** The first of what differs, or what Stripe said. */
  reason: z.string().nullable(),
});

const quarantineAge = z.object({
  stage: z.string(),
  reason: z.string(),
  metricName: z.string().nullable(),
  rowCount: whole,
  tokenCount: whole,
  oldestAt: instant,
});

const priceChange = z.object({
  /** made: the price book has it; waits: a person decides. */
  state: z.enum(['made', 'waits']),
  version: z.string().nullable(),
  madeBy: z.string().nullable(),
  reason: z.string().nullable(),
  models: z.array(z.string()),
  count: z.number().int(),
});

const failedClose = z.object({
  invoiceId: z.string(),
  periodEnd: instant,
  state: z.string(),
  problem: z.string().nullable(),
});

const mover = z.object({ name: z.string(), what: z.string(), cost: z.string(), change: z.string() });
const digest = z.object({
  from: instant,
  until: instant,
  cost: z.string(),
  /** Null: nothing is known of the time before. */
  costBefore: z.string().nullable(),
  /** Null: an exchange rate is missing. */
  revenue: z.string().nullable(),
  /** Share of the revenue; null: there is none. */
  marginPermille: z.number().int().nullable(),
  movers: z.array(mover),
  /** What waits for a person, in words, with how many. */
  waits: z.array(z.object({ what: z.string(), count: z.number().int() })),
  alertCount: z.number().int(),
});

const storm = z.object({
  from: instant,
  until: instant,
  count: z.number().int(),
  urgentCount: z.number().int(),
  byKind: z.array(z.object({ kind: z.string(), count: z.number().int() })),
});

const test = z.object({ askedBy: z.string() });

/** What is known of each kind, as the ledger keeps it. */
export const FACTS = {
  budget,
  anomaly,
  drift,
  held_invoice: heldInvoice,
  quarantine_age: quarantineAge,
  price_change: priceChange,
  failed_close: failedClose,
  digest,
  storm,
  test,
} as const satisfies Record<AlertKind, z.ZodType>;

export type FactsOf<Kind extends AlertKind> = z.infer<(typeof FACTS)[Kind]>;
