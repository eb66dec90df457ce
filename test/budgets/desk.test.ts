import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BudgetTerms } from '../../pricing/budgets/budget.ts';
import { listBudgets } from '../../src/budgets/budgets.ts';
import { changeBudget, createBudget, endBudget, graceBudget } from '../../src/budgets/desk.ts';
import { listStepEvents, readOpenStepEvents } from '../../src/budgets/step-events.ts';
import { insertCatalog } from '../api/world.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';
import { budgetTerms } from './terms.ts';

const now = new Date('2026-11-20T14:20:00Z');
const by = { actor: 'key:finance (key_1)', now };
const USD = 10n ** 12n;
const TERMS = budgetTerms({
  measure: 'cost',
  currency: 'usd',
  limit: 50n * USD,
  steps: [
    { sharePermille: 800, on: 'actual', action: 'tell' },
    { sharePermille: 1_000, on: 'actual', action: 'stop', contact: 'ops@example.com' },
  ],
});

let ledger: TestLedger;
beforeAll(async () => {
  ledger = await createTestLedger();
  await insertCatalog(ledger.database);
  const { database } = ledger;
  await sql`insert into customers (customer_id, name, synced_at) values ('lab', 'Lab', ${now})`.execute(
    database,
  );
});
afterAll(() => ledger.close());

const create = (terms: Partial<BudgetTerms> = {}, name = 'Northwind') =>
  createBudget(ledger.database, { ...TERMS, ...terms, name }, by);
const auditsOf = async (budgetId: string) =>
  (
    await sql<{
      action: string;
    }>`select action from audit_log where target = ${budgetId} order by audit_id`.execute(ledger.database)
  ).rows.map(({ action }) => action);

describe('budgets at the desk', () => {
  it('are created, changed and ended once each, with an audit row for what changed', async () => {
    const budget = await create();
    expect(budget).toMatchObject({
      name: 'Northwind',
      customerName: 'NORTHWIND',
      limit: 50n * USD,
      grace: null,
    });
    const { budgetId } = budget;
    await changeBudget(ledger.database, { budgetId, ...by, limit: 60n * USD });
    await changeBudget(ledger.database, { budgetId, ...by, limit: 60n * USD, name: ' Northwind ' });
    expect(await listBudgets(ledger.database, { customerId: 'northwind' })).toContainEqual(
      expect.objectContaining({ budgetId, limit: 60n * USD, steps: TERMS.steps }),
    );
    await endBudget(ledger.database, { budgetId, ...by });
    await endBudget(ledger.database, { budgetId, ...by });
    expect(await auditsOf(budgetId)).toEqual(['budgets.create', 'budgets.change', 'budgets.end']);
    await expect(changeBudget(ledger.database, { budgetId, ...by, limit: 1n })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    expect((await listBudgets(ledger.database)).map((each) => each.budgetId)).not.toContain(budgetId);
    expect((await listBudgets(ledger.database, { withEnded: true })).map((each) => each.budgetId)).toContain(
      budgetId,
    );
  });

  it('give more once in a window, until it ends at the latest', async () => {
    const { budgetId } = await create();
    const grace = { budgetId, ...by, extra: 5n * USD, until: null, reason: 'the fair' };
    const late = { ...grace, until: new Date('2026-12-01T00:00:01Z') };
    await expect(graceBudget(ledger.database, late)).rejects.toMatchObject({ context: { field: 'until' } });
    const graced = await graceBudget(ledger.database, grace);
    expect(graced.grace).toMatchObject({
      extra: 5n * USD,
      until: new Date('2026-12-01T00:00:00Z'),
      reason: 'the fair',
    });
    await expect(graceBudget(ledger.database, grace)).rejects.toMatchObject({ code: 'CONFLICT' });
    const december = new Date('2026-12-02T00:00:00Z');
    const again = await graceBudget(ledger.database, { ...grace, now: december });
    expect(again.grace?.windowStart).toEqual(new Date('2026-12-01T00:00:00Z'));
  });

  it('withdraw what they had reached when they are ended', async () => {
    const { budgetId } = await create();
    await sql`
      insert into budget_step_events (budget_id, customer_id, subject, window_start, window_end, step_key, step, reached_at, used,
        effective_limit)
      values (${budgetId}, '', '', '2026-11-01T00:00:00Z', '2026-12-01T00:00:00Z', 'actual-1000-stop',
        ${JSON.stringify(TERMS.steps[1])}::jsonb, ${now}, 51000000000000, 50000000000000)`.execute(
      ledger.database,
    );
    const [open] = await readOpenStepEvents(ledger.database, { now, budgetIds: [budgetId] });
    expect(open).toMatchObject({ step: TERMS.steps[1], used: 51n * USD, withdrawnAt: null });
    await endBudget(ledger.database, { budgetId, ...by });
    expect(await readOpenStepEvents(ledger.database, { now, budgetIds: [budgetId] })).toEqual([]);
    expect(await listStepEvents(ledger.database, { budgetId, limit: 9 })).toMatchObject([
      { withdrawnReason: 'ended' },
    ]);
  });

  it.each([
    ['limit', { limit: 0n }],
    ['limit', { limit: -1n }],
    ['currency', { currency: 'eur' }],
    ['currency', { currency: null }],
    ['measure', { customerId: 'lab', measure: 'revenue' as const }],
    ['period', { customerId: 'lab', period: 'billing_period' as const }],
    ['period', { scope: 'all' as const, customerId: null, period: 'billing_period' as const }],
    ['subject', { scope: 'user' as const, subject: 'user-3' }],
    ['rollingDayCount', { period: 'rolling_days' as const, rollingDayCount: 1 }],
    [
      'steps.0.deployment',
      { steps: [{ sharePermille: 900, on: 'actual' as const, action: 'swap' as const }] },
    ],
    ['steps.0.action', { steps: [{ sharePermille: 900, on: 'forecast' as const, action: 'stop' as const }] }],
    ['steps.1.sharePermille', { steps: [TERMS.steps[0], TERMS.steps[0]] as BudgetTerms['steps'] }],
  ])('refuse what cannot be judged, by its %s', async (field, terms) => {
    await expect(create(terms)).rejects.toMatchObject({ code: 'VALIDATION', context: { field } });
  });
});
