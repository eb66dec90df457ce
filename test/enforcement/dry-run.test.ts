import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BudgetStep } from '../../pricing/budgets/budget.ts';
import { type ReplayedHour, type ReplayedTerms, replay } from '../../pricing/enforcement/dry-run.ts';
import type { DryRunBody } from '../../src/enforcement/schemas.ts';
import { seedPriceBook } from '../../src/prices/book.ts';
import { insertEvents } from '../anomalies/world.ts';
import { type ApiBench, createApiBench } from '../api/setup.ts';
import { insertCatalog } from '../api/world.ts';
import { insertOpenSteps } from './world.ts';

const OCTOBER = new Date('2026-10-01T00:00:00.000Z');
const hour = (at: string, tokens: bigint, changes: Partial<ReplayedHour> = {}): ReplayedHour => ({
  hour: new Date(`2026-10-${at}:00:00.000Z`),
  customerId: '',
  subject: '',
  costPicoUsd: tokens * 10n,
  tokenCount: tokens,
  callCount: tokens / 10n,
  ...changes,
});
const stop = { sharePermille: 1_000, on: 'actual', action: 'stop' } as const;
const slow = { sharePermille: 500, on: 'actual', action: 'slow', tokensPerMinute: 1 } as const;
const terms = (steps: readonly BudgetStep[], changes: Partial<ReplayedTerms> = {}): ReplayedTerms => ({
  period: 'month',
  rollingDayCount: null,
  measure: 'tokens',
  limit: 1_000n,
  steps,
  ...changes,
});

describe('a budget played over hours that are over', () => {
  it('stops from the hour after the one in which it is reached, until its window ends', () => {
    const hours = [hour('02T10', 900n), hour('02T11', 200n), hour('02T12', 300n), hour('30T12', 50n)];
    const [told] = replay(hours, terms([stop]), OCTOBER);
    expect(told).toMatchObject({
      firstStoppedAt: new Date('2026-10-02T12:00:00.000Z'),
      used: { tokenCount: 1_450n },
      stopped: { tokenCount: 350n, costPicoUsd: 3_500n, callCount: 35n },
    });
    const [daily] = replay(hours, terms([stop], { period: 'day' }), OCTOBER);
    expect(daily?.stopped.tokenCount).toBe(300n);
  });

  it('slows down to what the rate lets through, and counts no more than that', () => {
    const hours = [hour('02T10', 600n), hour('02T11', 160n), hour('02T12', 30n), hour('02T13', 360n)];
    const [told] = replay(hours, terms([slow, stop]), OCTOBER);
    // 600 + 60 + 30 + 60 are let through: less than the limit, which 1,150 are not.
    expect(told).toMatchObject({
      slowed: { tokenCount: 400n, costPicoUsd: 4_000n },
      stopped: { tokenCount: 0n },
    });
    expect(told?.firstSlowedAt).toEqual(new Date('2026-10-02T11:00:00.000Z'));
  });

  it('forgets what rolled out of its days, and lets through again', () => {
    const hours = ['02T10', '02T11', '03T10', '04T10', '04T11'].map((at) => hour(at, 1_000n));
    const [told] = replay(hours, terms([stop], { period: 'rolling_days', rollingDayCount: 2 }), OCTOBER);
    // The third is beyond the two days of the first, which alone was let through; the fifth is beyond the fourth.
    expect(told?.stopped.tokenCount).toBe(3_000n);
    expect(told?.used.tokenCount).toBe(5_000n);
  });

  it('counts what lies before, in its window, without telling of it', () => {
    const before = { hour: new Date('2026-09-30T20:00:00.000Z') };
    const hours = [hour('01T00', 1_000n, before), hour('01T01', 7n)];
    const [weekly] = replay(hours, terms([stop], { period: 'week' }), OCTOBER);
    expect(weekly).toMatchObject({ used: { tokenCount: 7n }, stopped: { tokenCount: 7n } });
    const [monthly] = replay(hours, terms([stop]), OCTOBER);
    expect(monthly?.stopped.tokenCount).toBe(0n);
  });

  it('bills what is unbilled when a step is reached, once in a window', () => {
    const bill = { ...stop, action: 'bill' } as const;
    const hours = ['01T10', '01T11', '01T12', '02T10'].map((at) => hour(at, 600n));
    const billsOf = (told: ReturnType<typeof replay>) =>
      told[0]?.bills.map(({ at, sharePermille, used }) => [
        at.toISOString().slice(8, 13),
        sharePermille,
        used.tokenCount,
      ]);
    const ladder = [bill, { ...bill, sharePermille: 1_100 }, { ...bill, sharePermille: 1_700 }];
    expect(billsOf(replay(hours, terms(ladder), OCTOBER))).toEqual([
      ['01T12', 1_100, 1_200n],
      ['01T13', 1_700, 600n],
    ]);
    expect(billsOf(replay(hours, terms([bill], { period: 'day', limit: 500n }), OCTOBER))).toEqual([
      ['01T11', 1_000, 600n],
      ['02T11', 1_000, 600n],
    ]);
  });

  it('holds each holder by itself, and what only tells holds nobody', () => {
    const hours = [
      hour('02T10', 1_000n, { subject: 'a' }),
      hour('02T10', 10n, { subject: 'b' }),
      hour('02T11', 5n, { subject: 'a' }),
      hour('02T11', 5n, { subject: 'b' }),
    ];
    expect(replay(hours, terms([stop]), OCTOBER).map(({ stopped }) => stopped.tokenCount)).toEqual([5n, 0n]);
    for (const action of ['tell', 'bill', 'swap'] as const) {
      const told = replay(hours, terms([{ ...stop, action }]), OCTOBER);
      expect(told.every(({ firstStoppedAt }) => firstStoppedAt === null)).toBe(true);
    }
  });
});

describe('GET /v1/enforcement/dry-run', () => {
  let bench: ApiBench;
  beforeAll(async () => {
    bench = await createApiBench();
    const { database } = bench.ledger;
    await insertCatalog(database);
    await seedPriceBook(database, new Date('2026-01-01T00:00:00Z'));
    await insertOpenSteps(database, [
      { budgetId: 'bud_dry', name: 'Experiments', customerId: 'northwind', step: { action: 'tell' } },
      {
        budgetId: 'bud_users',
        holder: { customerId: 'adatum', subject: 'user-3' },
        step: { action: 'stop' },
      },
    ]);
    await insertOpenSteps(database, [
      { budgetId: 'bud_bill', customerId: 'northwind', step: { action: 'bill' } },
    ]);
    await sql`update budgets set limit_count = 1000000`.execute(database);
    await sql`
      insert into monthly_revenues (customer_id, month, model, feature, token_type, token_count, currency,
        unit_pico_minor)
      values ('northwind', '2026-10-01', 'gpt-4o', 'chat', 'prompt', 1, 'usd', 500000000)`.execute(database);
    await insertEvents(database, [
      { hour: '2026-10-05T10:00:00.000Z', promptTokens: 1_200_000, requests: 8 },
      { hour: '2026-10-06T10:00:00.000Z', promptTokens: 400_000, requests: 4 },
      { hour: '2026-10-06T11:00:00.000Z', promptTokens: 800_000, requests: 4, subject: 'user-3' },
      { hour: '2026-10-07T11:00:00.000Z', promptTokens: 9_000, model: 'unknown-model' },
      { hour: '2026-11-06T10:00:00.000Z', promptTokens: 400_000 },
    ]);
  });
  afterAll(() => bench.close());
  const dry = async (query: string) =>
    await bench.call(`/v1/enforcement/dry-run?${query}`, { scope: 'finance' });

  it('says what would have been stopped last month, whom, and what it would have saved', async () => {
    const told = (await (await dry('budgetId=bud_dry&stopAtPermille=1000')).json()) as DryRunBody;
    expect(told).toMatchObject({
      from: '2026-10-01T00:00:00.000Z',
      to: '2026-11-01T00:00:00.000Z',
      used: { cost: '4.00', tokenCount: '1609000', callCount: '17' },
      stopped: { cost: '1.00', tokenCount: '409000', callCount: '9' },
      saved: '1.00',
      unpricedTokenCount: '9000',
      holders: [{ customerId: null, firstStoppedAt: '2026-10-06T10:00:00.000Z' }],
    });
    // The budget itself only tells.
    expect(await (await dry('budgetId=bud_dry')).json()).toMatchObject({
      saved: '0.00',
      heldHolderCount: '0',
      holders: [],
    });
    // 1.2 M tokens at 0.0005 cents.
    expect(await (await dry('budgetId=bud_bill')).json()).toMatchObject({
      saved: '0.00',
      bills: [
        {
          at: '2026-10-05T11:00:00.000Z',
          since: '2026-10-01T00:00:00.000Z',
          used: { tokenCount: '1200000' },
          amount: '6.00',
          currency: 'usd',
        },
      ],
    });
    expect(await (await dry('budgetId=bud_users')).json()).toMatchObject({
      holderCount: '2',
      heldHolderCount: '1',
    });
  });

  it('refuses a month that is not over, and what no hour tells', async () => {
    expect((await dry('budgetId=bud_dry&period=2026-11')).status).toBe(400);
    expect((await dry('budgetId=bud_dry&period=2026-13')).status).toBe(400);
    expect((await dry('budgetId=bud_dry&stopAtPermille=0')).status).toBe(400);
    expect((await dry('budgetId=bud_none')).status).toBe(404);
  });
});
