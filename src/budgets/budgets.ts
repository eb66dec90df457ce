import { type RawBuilder, sql } from 'kysely';
import {
  type BudgetGrace,
  type BudgetMeasure,
  type BudgetPeriod,
  type BudgetScope,
  type BudgetStep,
  type BudgetTerms,
  isMoney,
} from '../../pricing/budgets/budget.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { TallystickError } from '../platform/errors.ts';

/** What usage may come to in a time, and what is done at which share of it. */
export interface Budget extends BudgetTerms {
  budgetId: string;
  name: string;
  /** Null: it is of no one customer. */
  customerName: string | null;
  steps: BudgetStep[];
  grace: BudgetGrace | null;
  createdAt: Date;
  createdBy: string;
  changedAt: Date;
  endedAt: Date | null;
  endedBy: string | null;
  /** From which hour on its usage is summed; null: it is not summed yet. */
  summedFrom: Date | null;
}

export interface BudgetFilter {
  /** Those of the customer, and of its users. */
  customerId?: string | undefined;
  feature?: string | undefined;
  /** Ended ones too. */
  withEnded?: boolean | undefined;
}

/** A grace as it is kept; an amount is text, for JSON has no integers of that size. */
interface StoredGrace {
  extra: string;
  until: string;
  windowStart: string;
  reason: string;
  grantedBy: string;
}

interface Row {
  budget_id: string;
  name: string;
  customer_name: string | null;
  scope: BudgetScope;
  customer_id: string | null;
  feature: string | null;
  subject: string | null;
  per_user: boolean;
  period: BudgetPeriod;
  rolling_day_count: number | null;
  measure: BudgetMeasure;
  currency: string | null;
  limit_amount_pico: string | null;
  limit_count: bigint | null;
  steps: BudgetStep[];
  grace: StoredGrace | null;
  created_at: Date;
  created_by: string;
  changed_at: Date;
  ended_at: Date | null;
  ended_by: string | null;
  summed_from: Date | null;
}

/** Budgets after a given one, the newest first. */
export async function listBudgets(
  database: LedgerDatabase | LedgerTransaction,
  filter: BudgetFilter = {},
  page: { after: { createdAt: Date; budgetId: string } | null; limit: number } | null = null,
): Promise<Budget[]> {
  const { customerId, feature, withEnded = false } = filter;
  const after = page?.after ?? null;
  return await select(
    database,
    sql`${withEnded ? sql`true` : sql`ended_at is null`}
      and ${customerId === undefined ? sql`true` : sql`customer_id = ${customerId}`}
      and ${feature === undefined ? sql`true` : sql`feature = ${feature}`}
      and ${after === null ? sql`true` : sql`(created_at, budget_id) < (${after.createdAt}, ${after.budgetId})`}`,
    page?.limit ?? null,
  );
}

/** @throws TallystickError NOT_FOUND */
export async function getBudget(
  database: LedgerDatabase | LedgerTransaction,
  budgetId: string,
): Promise<Budget> {
  const [budget] = await select(database, sql`budget_id = ${budgetId}`, 1);
  if (budget !== undefined) return budget;
  throw new TallystickError(`There is no budget ${budgetId.slice(0, 100)}.`, {
    code: 'NOT_FOUND',
    retry: false,
    fix: 'GET /v1/budgets, or "tallystick budgets", lists them.',
  });
}

async function select(
  database: LedgerDatabase | LedgerTransaction,
  where: RawBuilder<unknown>,
  limit: number | null,
): Promise<Budget[]> {
  const result = await sql<Row>`
    select budget.*, customers.name as customer_name
    from (select * from budgets where ${where}) as budget left join customers using (customer_id)
    order by created_at desc, budget_id desc limit ${limit}`.execute(database);
  return result.rows.map(toBudget);
}

function toBudget(row: Row): Budget {
  return {
    budgetId: row.budget_id,
    name: row.name,
    customerName: row.customer_name,
    scope: row.scope,
    customerId: row.customer_id,
    feature: row.feature,
    subject: row.subject,
    perUser: row.per_user,
    period: row.period,
    rollingDayCount: row.rolling_day_count,
    measure: row.measure,
    currency: row.currency,
    limit: BigInt((isMoney(row.measure) ? row.limit_amount_pico : row.limit_count) ?? 0),
    steps: row.steps,
    grace: row.grace === null ? null : readGrace(row.grace),
    createdAt: row.created_at,
    createdBy: row.created_by,
    changedAt: row.changed_at,
    endedAt: row.ended_at,
    endedBy: row.ended_by,
    summedFrom: row.summed_from,
  };
}

function readGrace({ extra, until, windowStart, ...told }: StoredGrace): BudgetGrace {
  return { ...told, extra: BigInt(extra), until: new Date(until), windowStart: new Date(windowStart) };
}

export function writeGrace({ extra, until, windowStart, ...told }: BudgetGrace): string {
  return JSON.stringify({
    ...told,
    extra: String(extra),
    until: until.toISOString(),
    windowStart: windowStart.toISOString(),
  } satisfies StoredGrace);
}
