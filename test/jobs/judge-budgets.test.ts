import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { judgeBudgets } from '../../jobs/judge-budgets.ts';
import type { BudgetTerms } from '../../pricing/budgets/budget.ts';
import { rule } from '../../pricing/enforcement/ruling.ts';
import { changeBudget, createBudget, endBudget, graceBudget } from '../../src/budgets/desk.ts';
import { listPastWindows } from '../../src/budgets/past/windows.ts';
import { listStepEvents, readOpenStepEvents } from '../../src/budgets/step-events.ts';
import { readFacts } from '../../src/enforcement/facts.ts';
import { liftStep, restoreStep } from '../../src/enforcement/lifts.ts';
import { createLogger } from '../../src/platform/log.ts';
import { seedPriceBook } from '../../src/prices/book.ts';
import { hoursBetween, insertDailyUsers, insertEvents } from '../anomalies/world.ts';
import { insertCatalog } from '../api/world.ts';
import { budgetTerms } from '../budgets/terms.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';

const USD = 10n ** 12n;
const HOUR = '2026-11-20T13:00:00.000Z';
/** A dollar of gpt-4o, at 2.50 USD for a million prompt tokens. */
const DOLLAR = 400_000;
const TERMS = budgetTerms({
  measure: 'cost',
  currency: 'usd',
  limit: 10n * USD,
  steps: [
    { sharePermille: 800, on: 'actual', action: 'tell' },
    { sharePermille: 1_000, on: 'actual', action: 'stop' },
  ],
});

let ledger: TestLedger;
let now = new Date();
let deps: Parameters<typeof judgeBudgets>[0];
beforeEach(async () => {
  ledger = await createTestLedger();
  await insertCatalog(ledger.database);
  now = new Date('2026-11-20T14:20:00Z');
  deps = { database: ledger.database, clock: { now: () => now }, log: createLogger('silent') };
  await seedPriceBook(ledger.database, now);
  await collectedUntil('2026-11-20T14:15:00Z');
});
afterEach(() => ledger.close());

const collectedUntil = async (at: string) => {
  await sql`insert into watermarks (source, position, updated_at) values ('app-metrics', ${at}, ${now})
            on conflict (source) do update set position = excluded.position`.execute(ledger.database);
};
const create = (terms: Partial<BudgetTerms> = {}) =>
  createBudget(ledger.database, { ...TERMS, ...terms, name: 'a budget' }, { actor: 'test', now });
const use = (
  dollars: number,
  seed: { subject?: string; feature?: string; hour?: string; model?: string } = {},
) => insertEvents(ledger.database, [{ hour: HOUR, promptTokens: Math.round(dollars * DOLLAR), ...seed }]);
const standing = async (budgetId: string) =>
  (
    await sql<{
      who: string;
      used: string;
      start: Date;
      forecast: string | null;
      unknown: string | null;
      unpriced: bigint;
    }>`
      select customer_id || '/' || subject as who, used::text, window_start as start, forecast::text, unknown_reason as unknown,
        unpriced_token_count as unpriced
      from budget_windows where budget_id = ${budgetId} order by window_start, 1`.execute(ledger.database)
  ).rows;
const usedOf = async (budgetId: string) =>
  (await standing(budgetId)).map(({ who, used }) => [who, Number(BigInt(used) / 10n ** 6n) / 1e6]);
const events = async (budgetId: string) =>
  (await listStepEvents(ledger.database, { budgetId, limit: 99 }))
    .toReversed()
    .map(
      ({ stepKey, withdrawnReason, subject }) =>
        `${subject}${stepKey}${withdrawnReason === null ? '' : ` ${withdrawnReason}`}`,
    );
describe('judge-budgets', () => {
  it('counts what is collected and not yet settled, and tells of each step once', async () => {
    const { budgetId } = await create();
    await use(7.9);
    expect(await judgeBudgets(deps)).toMatchObject({ summedHourCount: 1, reachedCount: 0 });
    expect(await usedOf(budgetId)).toEqual([['/', 7.9]]);
    await use(0.1, { subject: 'user-2', hour: '2026-11-20T14:00:00.000Z' });
    await use(50, { subject: 'user-3' });
    expect(await judgeBudgets(deps)).toMatchObject({ summedHourCount: 2, reachedCount: 1 });
    expect(await judgeBudgets(deps)).toEqual({
      summedHourCount: 0,
      judgedHolderCount: 0,
      reachedCount: 0,
      withdrawnCount: 0,
    });
    await use(2);
    await judgeBudgets(deps);
    await judgeBudgets(deps);
    expect(await usedOf(budgetId)).toEqual([['/', 10]]);
    expect(await events(budgetId)).toEqual(['actual-800-tell', 'actual-1000-stop']);
    const [, open] = await readOpenStepEvents(ledger.database, { now });
    expect(open).toMatchObject({ used: 10n * USD, knownUntil: new Date('2026-11-20T14:15:00Z') });
  });

  it('withdraws once what later data undid, a higher limit, a grace and the end of the budget', async () => {
    const { budgetId } = await create({ steps: [TERMS.steps[1] as BudgetTerms['steps'][0]] });
    await use(11);
    await judgeBudgets(deps);
    await sql`update usage_events set prompt_token_count = 0`.execute(ledger.database);
    await use(1);
    expect(await judgeBudgets(deps)).toMatchObject({ withdrawnCount: 1 });
    expect(await judgeBudgets(deps)).toMatchObject({ withdrawnCount: 0 });
    await use(10);
    await judgeBudgets(deps);
    await changeBudget(ledger.database, { budgetId, actor: 'test', now, limit: 10_500_000_000_000n });
    expect(await judgeBudgets(deps)).toMatchObject({ reachedCount: 0, withdrawnCount: 0 });
    await changeBudget(ledger.database, { budgetId, actor: 'test', now, limit: 12n * USD });
    expect(await judgeBudgets(deps)).toMatchObject({ withdrawnCount: 1 });
    await use(2);
    await judgeBudgets(deps);
    const until = new Date('2026-11-20T15:00:00Z');
    await graceBudget(ledger.database, {
      budgetId,
      actor: 'test',
      now,
      extra: 5n * USD,
      until,
      reason: 'fair',
    });
    expect(await judgeBudgets(deps)).toMatchObject({ withdrawnCount: 1 });
    now = until;
    expect(await judgeBudgets(deps)).toMatchObject({ reachedCount: 1 });
    await endBudget(ledger.database, { budgetId, actor: 'test', now });
    expect(await judgeBudgets(deps)).toMatchObject({ reachedCount: 0, withdrawnCount: 0 });
    expect(await events(budgetId)).toEqual([
      'actual-1000-stop less_used',
      'actual-1000-stop changed',
      'actual-1000-stop grace',
      'actual-1000-stop ended',
    ]);
  });

  it('carries a lift on while it lasts, and lets what was restored or is over hold', async () => {
    const { budgetId } = await create({ steps: [TERMS.steps[1] as BudgetTerms['steps'][0]] });
    const liftedUntil = async () =>
      (await listStepEvents(ledger.database, { budgetId, limit: 1 }))[0]?.liftedUntil?.toISOString() ?? null;
    const undo = async () => {
      await sql`update usage_events set prompt_token_count = 0`.execute(ledger.database);
      await use(1);
      await judgeBudgets(deps);
    };
    const reach = async () => {
      await use(11);
      expect(await judgeBudgets(deps)).toMatchObject({ reachedCount: 1 });
    };
    const newest = async () =>
      (await listStepEvents(ledger.database, { budgetId, limit: 1 }))[0]?.stepEventId;
    const until = new Date('2026-11-20T18:00:00Z');
    const lift = async () => {
      const stepId = (await newest()) ?? 0n;
      await liftStep(ledger.database, { stepId, until, reason: null, actor: 'ada', now });
    };
    await reach();
    await lift();
    await undo();
    await reach();
    expect(await liftedUntil()).toBe(until.toISOString());
    const told = await sql<{ details: Record<string, unknown> }>`
      select details from audit_log where action = 'budgets.reach' order by audit_id desc limit 1`.execute(
      ledger.database,
    );
    expect(told.rows[0]?.details).toMatchObject({ lifted_until: until.toISOString(), lifted_by: 'ada' });
    // By a clock that jumped ahead and back it is neither forgotten nor given longer.
    await undo();
    now = new Date('2026-11-20T20:00:00Z');
    await reach();
    expect(await liftedUntil()).toBeNull();
    now = new Date('2026-11-20T14:30:00Z');
    await lift();
    await restoreStep(ledger.database, { stepId: (await newest()) ?? 0n, reason: null, actor: 'ada', now });
    await undo();
    await reach();
    expect(await liftedUntil()).toBeNull();
  });

  it('tells how the windows before ended, and forgets them when they are long over', async () => {
    const day = await create({ period: 'day' });
    const users = await create({ period: 'day', perUser: true, limit: 5n * USD });
    const rolling = await create({ period: 'rolling_days', rollingDayCount: 2, limit: 20n * USD });
    const past = async (budget: typeof day, page: { before?: Date; limit?: number } = {}) =>
      await listPastWindows(ledger.database, budget, { now, before: null, limit: 9, ...page });
    await use(11);
    await use(6, { subject: 'user-2' });
    await use(0.5, { subject: 'user-3', hour: '2026-11-20T12:00:00.000Z' });
    await judgeBudgets(deps);
    expect(await past(day)).toEqual([]);
    now = new Date('2026-11-21T00:01:00Z');
    await use(7, { hour: '2026-11-21T00:00:00.000Z' });
    await judgeBudgets(deps);
    // Less of the day that is over: what was told of it stands there, as withdrawn.
    await sql`update usage_events set prompt_token_count = 0 where subject = 'user-2'`.execute(
      ledger.database,
    );
    await use(0.1, { subject: 'user-2' });
    await judgeBudgets(deps);
    const told = (rows: Awaited<ReturnType<typeof past>>) =>
      rows.map(({ windowStart, subject, used, overCount, steps }) => [
        windowStart.toISOString().slice(0, 10),
        subject,
        Number(used / 10n ** 9n) / 1_000,
        overCount,
        steps.map(({ step, reachedCount, withdrawnCount }) => [step.action, reachedCount, withdrawnCount]),
      ]);
    const ladder = (reached: number, withdrawn: number) => [
      ['tell', reached, withdrawn],
      ['stop', reached, withdrawn],
    ];
    expect(told(await past(day))).toEqual([['2026-11-20', '', 11.1, 1n, ladder(1, 0)]]);
    expect(told(await past(users))).toEqual([['2026-11-20', 'user-1', 11, 1n, ladder(2, 1)]]);
    expect(told(await past(rolling))).toEqual([['2026-11-19', '', 17, 0n, [['tell', 1, 0]]]]);
    now = new Date('2026-11-23T00:01:00Z');
    await judgeBudgets(deps);
    expect(told(await past(day, { limit: 1 }))).toEqual([['2026-11-21', '', 7, 0n, []]]);
    expect(told(await past(day, { before: new Date('2026-11-21T00:00:00Z') }))).toHaveLength(1);
    // By a clock that jumped ahead nothing is forgotten; by what is collected, what is long over.
    now = new Date('2029-01-01T00:00:00Z');
    await judgeBudgets(deps);
    expect(told(await past(day)).at(-1)).toEqual(['2026-11-20', '', 11.1, 1n, ladder(1, 0)]);
    await collectedUntil('2027-12-26T12:00:00Z');
    now = new Date('2027-12-26T12:01:00Z');
    await judgeBudgets(deps);
    expect(told(await past(day)).map(([start]) => start)).toEqual(['2026-11-23', '2026-11-21']);
    expect(await events(day.budgetId)).toHaveLength(2);
  });

  it('gives each user the limit, and a narrower budget its place', async () => {
    const steps = [TERMS.steps[1] as BudgetTerms['steps'][0]];
    const everyone = await create({ scope: 'all', customerId: null, perUser: true, limit: 3n * USD, steps });
    const feature = await create({
      scope: 'feature',
      customerId: null,
      feature: 'mail',
      perUser: true,
      limit: USD,
      steps,
    });
    const total = await create({ scope: 'all', customerId: null, limit: 100n * USD, steps });
    await use(4);
    await use(2, { subject: 'user-2', feature: 'mail' });
    await use(5, { subject: 'user-3' });
    await use(1, { subject: 'stray' });
    await judgeBudgets(deps);
    expect(await usedOf(everyone.budgetId)).toEqual([
      ['/stray', 1],
      ['adatum/user-3', 5],
      ['northwind/user-1', 4],
      ['northwind/user-2', 2],
    ]);
    expect(await usedOf(feature.budgetId)).toEqual([['northwind/user-2', 2]]);
    expect(await usedOf(total.budgetId)).toEqual([['/', 12]]);
    expect((await events(everyone.budgetId)).sort()).toEqual([
      'user-1actual-1000-stop',
      'user-3actual-1000-stop',
    ]);
    expect(await events(feature.budgetId)).toEqual(['user-2actual-1000-stop']);
    const own = await create({ scope: 'user', subject: 'user-1', limit: 9n * USD, steps });
    await create({ perUser: true, limit: USD, steps });
    await judgeBudgets(deps);
    expect((await events(everyone.budgetId)).sort()).toEqual([
      'user-1actual-1000-stop overridden',
      'user-3actual-1000-stop',
    ]);
    expect(await usedOf(own.budgetId)).toEqual([['/', 4]]);
    await endBudget(ledger.database, { budgetId: own.budgetId, actor: 'test', now });
    await sql`update subjects set customer_id = 'northwind' where subject = 'user-3'`.execute(
      ledger.database,
    );
    await judgeBudgets(deps);
    expect(
      (await standing(everyone.budgetId)).map(({ who, used }) => [who, Number(used) / 1e12]),
    ).toContainEqual(['northwind/user-3', 5]);
  });

  it('turns its window, keeps the one before true, and does nothing twice by a clock that jumps', async () => {
    const day = await create({ period: 'day' });
    const rolling = await create({ period: 'rolling_days', rollingDayCount: 2, limit: 5n * USD });
    const billed = await create({ period: 'billing_period', limit: 100n * USD });
    await use(11);
    await judgeBudgets(deps);
    expect(await events(day.budgetId)).toHaveLength(2);
    now = new Date('2026-11-21T00:00:00Z');
    // Nobody has judged the new day yet: what rolls still holds, and what ends with its day does not.
    const held = async (at: string) =>
      rule((await readFacts(ledger.database, new Date(at))).steps, new Date(at)).budgetId;
    expect(await held('2026-11-21T00:00:30Z')).toBe(rolling.budgetId);
    expect(await held('2026-11-21T00:15:00Z')).toBeNull();
    expect(await readOpenStepEvents(ledger.database, { now, budgetIds: [day.budgetId] })).toEqual([]);
    expect(await readOpenStepEvents(ledger.database, { now, budgetIds: [rolling.budgetId] })).toHaveLength(2);
    await judgeBudgets(deps);
    expect(await held('2026-11-21T23:59:00Z')).toBe(rolling.budgetId);
    expect(await readOpenStepEvents(ledger.database, { now, budgetIds: [day.budgetId] })).toEqual([]);
    expect(await readOpenStepEvents(ledger.database, { now, budgetIds: [rolling.budgetId] })).toHaveLength(2);
    expect(await events(rolling.budgetId)).toHaveLength(2);
    expect(await usedOf(day.budgetId)).toEqual([
      ['/', 11],
      ['/', 0],
    ]);
    // Late data of yesterday is told of yesterday, and reaches nothing any more; less of it withdraws, once.
    await use(1);
    await judgeBudgets(deps);
    expect((await usedOf(day.budgetId))[0]).toEqual(['/', 12]);
    await sql`update usage_events set prompt_token_count = 0 where prompt_token_count > ${DOLLAR}`.execute(
      ledger.database,
    );
    await use(0.5);
    await judgeBudgets(deps);
    expect((await usedOf(day.budgetId))[0]).toEqual(['/', 1.5]);
    expect(await events(day.budgetId)).toEqual(['actual-800-tell less_used', 'actual-1000-stop less_used']);
    const before = [
      await events(day.budgetId),
      await events(rolling.budgetId),
      await usedOf(billed.budgetId),
    ];
    for (const at of ['2027-06-01T00:00:00Z', '2026-11-20T09:00:00Z', '2026-11-21T00:05:00Z']) {
      now = new Date(at);
      await judgeBudgets(deps);
      await judgeBudgets(deps);
    }
    expect([await events(day.budgetId), await events(rolling.budgetId)]).toEqual(before.slice(0, 2));
    expect((await usedOf(billed.budgetId))[0]).toEqual(['/', 1.5]);
    now = new Date('2026-11-22T00:00:00Z');
    await judgeBudgets(deps);
    expect(
      (await standing(rolling.budgetId)).find(
        ({ start }) => start.toISOString() === '2026-11-21T00:00:00.000Z',
      ),
    ).toMatchObject({
      used: '0',
    });
  });

  it('counts tokens, calls and revenue, in the currency it is told, and says what it does not know', async () => {
    const tokens = await create({ measure: 'tokens', currency: null, limit: 1_000_000n });
    const calls = await create({ measure: 'calls', currency: null, limit: 100n });
    const revenue = await create({ measure: 'revenue' });
    await sql`insert into exchange_rates (day, base, currency, rate, source, imported_at, imported_by)
              values ('2026-11-20', 'eur', 'usd', 1.25, 'ECB', ${now}, 'test')`.execute(ledger.database);
    const euros = await create({ currency: 'eur' });
    await use(1);
    await use(1, { model: 'unheard-of' });
    await sql`insert into monthly_revenues (customer_id, month, model, feature, token_type, token_count, currency, unit_pico_minor,
                remainder_pico_minor)
              values ('northwind', '2026-11-01', 'gpt-4o', 'chat', 'prompt', 400000, 'usd', 300000000, 0)`.execute(
      ledger.database,
    );
    await judgeBudgets(deps);
    expect(await standing(tokens.budgetId)).toMatchObject([{ used: '800000' }]);
    expect(await standing(calls.budgetId)).toMatchObject([{ used: '10' }]);
    expect(await standing(revenue.budgetId)).toMatchObject([
      { used: String((12n * USD) / 10n), unpriced: 400_000n },
    ]);
    expect(await standing(euros.budgetId)).toMatchObject([
      { used: String((8n * USD) / 10n), unpriced: 400_000n },
    ]);
    // Weeks later the rate is too old: what was known stands, and the reason is told.
    now = new Date('2026-12-01T08:00:00Z');
    await use(20, { hour: '2026-12-01T07:00:00.000Z' });
    await judgeBudgets(deps);
    expect((await standing(euros.budgetId)).at(-1)).toMatchObject({
      used: '0',
      unknown: 'exchange_rate_too_old',
    });
    expect(await events(euros.budgetId)).toEqual([]);
  });

  it('forecasts by the method of projections, and tells of a forecast before its limit is reached', async () => {
    const hours = hoursBetween('2026-10-02T00:00:00Z', '2026-11-20T14:00:00Z').filter(
      (_, place) => place % 24 === 12,
    );
    await insertEvents(
      ledger.database,
      hours.map((hour) => ({ hour, promptTokens: DOLLAR })),
    );
    await insertDailyUsers(ledger.database);
    await sql`insert into daily_costs (day, customer_id, model, feature, deployment, kind, token_type, token_count, cost_pico_usd,
                price_book_version, rated_at, request_count)
              select day, customer_id, model, feature, deployment, 'tokens', 'prompt', token_count, cost_pico_usd, 'x', ${now}, 0
              from daily_users`.execute(ledger.database);
    await sql`update settlements set status = 'settled'`.execute(ledger.database);
    const { budgetId } = await create({
      limit: 25n * USD,
      steps: [{ sharePermille: 1_000, on: 'forecast', action: 'tell' }],
    });
    await judgeBudgets(deps);
    const [month] = await standing(budgetId);
    expect(month?.used).toBe(String(20n * USD));
    expect(Number(month?.forecast) / 1e12).toBeGreaterThan(29);
    expect(Number(month?.forecast) / 1e12).toBeLessThan(31);
    expect(await events(budgetId)).toEqual(['forecast-1000-tell']);
  });
});
