import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CappedBudget, makeHardCaps } from '../../pricing/enforcement/hard-caps.ts';
import { renderCapFragment } from '../../src/enforcement/cap-fragment.ts';
import type { HardCapsBody } from '../../src/enforcement/cap-routes.ts';
import { type ApiBench, createApiBench } from '../api/setup.ts';
import { insertCatalog } from '../api/world.ts';
import { findPolicyFaults } from '../azure/policy-elements.ts';
import { flatten, parseXml } from '../azure/xml.ts';
import { budgetTerms } from '../budgets/terms.ts';
import { insertOpenSteps } from './world.ts';

const NOW = new Date('2026-11-20T10:00:00.000Z');
const USD = 1_000_000_000_000n;
const stop = { sharePermille: 1_000, on: 'actual', action: 'stop' } as const;
const budget = (changes: Partial<CappedBudget>): CappedBudget => ({
  ...budgetTerms(),
  budgetId: 'bud_1',
  name: 'Budget',
  grace: null,
  ...changes,
});
const make = (...budgets: CappedBudget[]) =>
  makeHardCaps(budgets, {
    tenantOfCustomer: new Map([
      ['northwind', 'tenant-n'],
      ['adatum', 'a"&{{x}}-->\\'],
    ]),
    prices: new Map([['bud_money', { costPicoUsd: 3n * USD, tokenCount: 2_000_000n }]]),
    headroomPercent: 10n,
    now: NOW,
  });
const money = (changes: Partial<CappedBudget> = {}) =>
  budget({ budgetId: 'bud_money', measure: 'cost', currency: 'usd', limit: 50n * USD, ...changes });
const everybody = { scope: 'all', customerId: null } as const;
const limitsOf = (xml: string) =>
  flatten(parseXml(xml)).filter(({ name }) => name === 'llm-token-limit' || name === 'when');

describe('hard caps of budgets', () => {
  it('are above the first stop by the headroom, money at what tokens cost, with a grace while it holds', () => {
    const soon = { ...stop, sharePermille: 800 };
    const grace = {
      extra: 500n,
      until: new Date('2026-11-21T00:00:00Z'),
      windowStart: new Date('2026-11-01T00:00:00Z'),
      reason: 'x',
      grantedBy: 'x',
    };
    expect(make(budget({ steps: [stop, soon] })).caps).toMatchObject([
      { tokenCount: 880n, tenantKey: 'tenant-n' },
    ]);
    expect(make(budget({ grace })).caps[0]?.tokenCount).toBe(1_650n);
    expect(make(budget({ grace: { ...grace, until: NOW } })).caps[0]?.tokenCount).toBe(1_100n);
    // 55 USD at 1.50 a million are 36,666,666.67.
    expect(make(money()).caps).toMatchObject([
      { tokenCount: 36_700_000n, millionTokensPicoUsd: (3n * USD) / 2n },
    ]);
    expect(make(budget({ steps: [{ ...stop, action: 'tell' }] }))).toEqual({ caps: [], left: [] });
  });

  it.each([
    ['calls', budget({ measure: 'calls' })],
    ['revenue', money({ measure: 'revenue' })],
    ['currency', money({ currency: 'eur' })],
    ['period', budget({ period: 'rolling_days', rollingDayCount: 7 })],
    ['period', budget({ period: 'billing_period' })],
    ['no_tenant', budget({ customerId: 'elsewhere' })],
    ['no_usage', money({ budgetId: 'bud_new' })],
  ] as const)('leave out with a reason what no gateway counts: %s', (reason, one) => {
    expect(make(one)).toMatchObject({ caps: [], left: [{ reason }] });
  });

  it('are made of policies as the vendor describes them, each with whose calls count', () => {
    const { caps } = make(
      budget({ budgetId: 'bud_a' }),
      budget({ budgetId: 'bud_b', ...everybody, perUser: true, period: 'week' }),
      budget({ budgetId: 'bud_c', scope: 'user', subject: 'user-1', period: 'week' }),
      budget({ budgetId: 'bud_d', perUser: true, period: 'week' }),
      budget({ budgetId: 'bud_e', scope: 'feature', customerId: null, feature: 'chat', period: 'day' }),
      budget({ budgetId: 'bud_f', ...everybody }),
    );
    const xml = renderCapFragment(caps);
    expect(findPolicyFaults(parseXml(xml))).toEqual([]);
    const variable = (name: string) => `(string)context.Variables["tallystick${name}"]`;
    expect(
      limitsOf(xml).map(
        ({ name, attributes }) =>
          `${name} ${attributes.condition ?? `${attributes['counter-key']} ${attributes['token-quota']} ${attributes['token-quota-period']}`}`,
      ),
    ).toEqual([
      `when @(${variable('TenantId')} == "tenant-n")`,
      'llm-token-limit tallystick-cap|bud_a {{tallystick-cap-bud_a}} Monthly',
      // Users of northwind, and user-1 of it, have narrower ones.
      `when @(${variable('TenantId')} != "tenant-n" && ${variable('UserId')} != "user-1")`,
      `llm-token-limit @("tallystick-cap|bud_b|" + ${variable('UserId')}) {{tallystick-cap-bud_b}} Weekly`,
      `when @(${variable('UserId')} == "user-1")`,
      'llm-token-limit tallystick-cap|bud_c {{tallystick-cap-bud_c}} Weekly',
      `when @(${variable('TenantId')} == "tenant-n" && ${variable('UserId')} != "user-1")`,
      `llm-token-limit @("tallystick-cap|bud_d|" + ${variable('UserId')}) {{tallystick-cap-bud_d}} Weekly`,
      `when @(${variable('Feature')} == "chat")`,
      'llm-token-limit tallystick-cap|bud_e {{tallystick-cap-bud_e}} Daily',
      'llm-token-limit tallystick-cap|bud_f {{tallystick-cap-bud_f}} Monthly',
    ]);
  });

  it('let no name from outside end its text, its attribute or its comment', () => {
    const xml = renderCapFragment(make(budget({ customerId: 'adatum', name: '--> <x/>' })).caps);
    expect(findPolicyFaults(parseXml(xml))).toEqual([]);
    const [condition] = limitsOf(xml);
    const written = /== "(.*)"\)$/.exec(condition?.attributes.condition ?? '')?.[1] ?? '';
    expect(written).toMatch(/^[\w@.\\-]+$/);
    // C# reads it as JSON does.
    expect(JSON.parse(`"${written}"`)).toBe('a"&{{x}}-->\\');
  });
});

describe('GET /v1/enforcement/hard-caps', () => {
  let bench: ApiBench;
  beforeAll(async () => {
    bench = await createApiBench();
    const { database } = bench.ledger;
    await insertCatalog(database);
    await insertOpenSteps(database, [
      { budgetId: 'bud_2', customerId: 'northwind', step: { action: 'stop' } },
      { budgetId: 'bud_1', step: { action: 'stop' } },
      { budgetId: 'bud_3', customerId: 'adatum', step: { action: 'stop' } },
      { budgetId: 'bud_4', step: { action: 'slow', tokensPerMinute: 9 } },
    ]);
    await sql`update budgets set measure = 'cost', currency = 'usd', limit_count = null, limit_amount_pico = ${String(30n * USD)}::numeric
              where budget_id in ('bud_1', 'bud_3')`.execute(database);
    await sql`
      insert into daily_costs (day, customer_id, deployment, feature, model, token_type, kind, token_count, cost_pico_usd, price_book_version, rated_at)
      select day::date, 'northwind', 'gpt-4o', 'chat', 'gpt-4o', 'prompt', 'tokens', 1000000, cost::numeric, 'x', ${NOW}
      from (values ('2026-10-05', ${String(2n * USD)}), ('2026-11-05', ${String(9n * USD)})) as told(day, cost)`.execute(
      database,
    );
  });
  afterAll(() => bench.close());
  const ask = async (query = '') =>
    (await (
      await bench.call(`/v1/enforcement/hard-caps?${query}`, { scope: 'finance' })
    ).json()) as HardCapsBody;

  it('prices money by the last whole month, and after a change of a limit differs only there', async () => {
    const before = await ask();
    expect(before).toMatchObject({
      headroomPercent: 10,
      caps: [
        { budget: { id: 'bud_1' }, tokenCount: '16500000', millionTokens: '2.00', tenantKey: null },
        {
          budget: { id: 'bud_2' },
          tokenCount: '1100',
          millionTokens: null,
          namedValue: 'tallystick-cap-bud_2',
        },
      ],
      left: [{ budget: { id: 'bud_3' }, reason: 'no_usage' }],
    });
    expect((await ask('headroomPercent=0')).caps.map(({ tokenCount }) => tokenCount)).toEqual([
      '15000000',
      '1000',
    ]);
    await sql`update budgets set limit_count = 2000 where budget_id = 'bud_2'`.execute(bench.ledger.database);
    const after = await ask();
    expect(after.fragment).toBe(before.fragment);
    expect(after.caps[1]?.tokenCount).toBe('2200');
    await sql`update budgets set period = 'day' where budget_id = 'bud_2'`.execute(bench.ledger.database);
    const lines = (text: string) => text.split('\n');
    const later = lines((await ask()).fragment);
    expect(later.filter((line, place) => line !== lines(before.fragment)[place])).toEqual([
      '        token-quota-period="Daily"',
    ]);
    expect(later).toHaveLength(lines(before.fragment).length);
  });
});
