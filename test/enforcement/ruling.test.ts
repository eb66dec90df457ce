import { describe, expect, it } from 'vitest';
import { groupByHolder, ruleForCaller, ruleForHolders } from '../../pricing/enforcement/holders.ts';
import { nextChange, type OpenStep, rule } from '../../pricing/enforcement/ruling.ts';

const NOW = new Date('2026-11-20T12:00:00.000Z');
const MONTH_END = new Date('2026-12-01T00:00:00.000Z');
const later = (minutes: number) => new Date(NOW.getTime() + minutes * 60_000);

const step = (changes: Partial<OpenStep>): OpenStep => ({
  budgetId: 'bud_1',
  budgetName: 'Experiments',
  customerId: null,
  subject: null,
  feature: null,
  action: 'stop',
  sharePermille: 1_000,
  tokensPerMinute: null,
  deployment: null,
  contact: 'ada@example.com',
  startsAt: new Date('2026-11-01T00:00:00.000Z'),
  endsAt: MONTH_END,
  liftedUntil: null,
  ...changes,
});
const slow = (tokensPerMinute: number, changes: Partial<OpenStep> = {}) =>
  step({ action: 'slow', tokensPerMinute, ...changes });
const swap = (deployment: string, changes: Partial<OpenStep> = {}) =>
  step({ action: 'swap', deployment, ...changes });

describe('what steps ask of a gateway together', () => {
  it('is the strictest: a stop before all, the lowest rate, and a swap beside a rate', () => {
    expect(rule([], NOW)).toMatchObject({ action: 'allow', budgetId: null, until: null });
    expect(rule([slow(500), step({}), swap('mini')], NOW)).toMatchObject({
      action: 'stop',
      status: 403,
      tokensPerMinute: null,
      deployment: null,
      budgetName: 'Experiments',
      contact: 'ada@example.com',
      until: MONTH_END,
    });
    const both = rule([slow(900), slow(500, { budgetId: 'bud_2' }), swap('mini')], NOW);
    expect(both).toMatchObject({
      action: 'slow',
      tokensPerMinute: 500,
      budgetId: 'bud_2',
      deployment: 'mini',
    });
    expect(rule([swap('mini')], NOW)).toMatchObject({ action: 'swap', tokensPerMinute: null, status: null });
  });

  it('of one budget is its highest step, also where that is the milder one', () => {
    const ladder = [slow(100, { sharePermille: 800 }), slow(300, { sharePermille: 900 })];
    expect(rule(ladder, NOW).tokensPerMinute).toBe(300);
    expect(rule(ladder.toReversed(), NOW).tokensPerMinute).toBe(300);
    const swaps = [swap('mini', { sharePermille: 800 }), swap('nano', { sharePermille: 900 })];
    expect(rule(swaps, NOW).deployment).toBe('nano');
  });

  it('names the stop that lasts longest, so that nobody waits for the end of another', () => {
    const today = step({ budgetId: 'bud_day', budgetName: 'Day', endsAt: later(30) });
    expect(rule([today, step({})], NOW)).toMatchObject({ budgetId: 'bud_1', status: 403 });
    expect(rule([today], NOW)).toMatchObject({ budgetId: 'bud_day', status: 429 });
  });

  it('ends with its window, and rests while it is lifted', () => {
    expect(rule([step({ endsAt: NOW })], NOW).action).toBe('allow');
    // The clock was set back, to before the window.
    expect(rule([step({ startsAt: later(1) })], NOW).action).toBe('allow');
    expect(rule([step({ liftedUntil: later(1) })], NOW).action).toBe('allow');
    expect(rule([step({ liftedUntil: NOW })], NOW).action).toBe('stop');
    // A lifted stop leaves the milder steps in force.
    expect(rule([slow(500), step({ liftedUntil: later(1) })], NOW).action).toBe('slow');
  });

  it('changes by itself at the ends of windows and lifts, and where waiting begins to help', () => {
    expect(nextChange([], NOW)).toBeNull();
    expect(nextChange([step({})], NOW)).toEqual(new Date('2026-11-30T23:00:00.000Z'));
    expect(nextChange([slow(500)], NOW)).toEqual(MONTH_END);
    expect(nextChange([step({ liftedUntil: later(5) }), slow(500)], NOW)).toEqual(later(5));
    const steps = [
      step({ liftedUntil: later(5), endsAt: later(90) }),
      slow(7, { endsAt: later(40) }),
      swap('mini', { endsAt: later(45), liftedUntil: later(44) }),
    ];
    // Between two changes nothing differs.
    for (let at = NOW; ; ) {
      const next = nextChange(steps, at);
      if (next === null) {
        expect(rule(steps, at).action).toBe('allow');
        break;
      }
      expect(rule(steps, new Date(next.getTime() - 1))).toEqual(rule(steps, at));
      at = next;
    }
  });
});

describe('a caller', () => {
  const steps = [
    slow(9_000),
    step({ customerId: 'northwind', subject: 'user-1' }),
    slow(500, { customerId: 'northwind', budgetId: 'bud_2' }),
    swap('mini', { customerId: 'adatum' }),
    step({ feature: 'chat', customerId: 'adatum', budgetId: 'bud_chat' }),
  ];
  const ruling = (customerId: string | null, subject: string) =>
    ruleForCaller(groupByHolder(steps), { customerId, subject }, NOW);

  it('is held by what fits it: everybody, its customer, itself', () => {
    expect(ruling('northwind', 'user-1').ruling.action).toBe('stop');
    expect(ruling('northwind', 'user-2').ruling).toMatchObject({
      tokensPerMinute: 500,
      counterKey: 'bud_2|northwind|',
    });
    // A user of the same name elsewhere is another.
    expect(ruling('adatum', 'user-1').ruling).toMatchObject({ tokensPerMinute: 9_000, deployment: 'mini' });
    expect(ruling(null, 'user-1').ruling).toMatchObject({ action: 'slow', tokensPerMinute: 9_000 });
  });

  it('hears of features where something else is asked of their calls', () => {
    expect([...ruling('adatum', 'user-9').byFeature]).toEqual([
      ['chat', expect.objectContaining({ action: 'stop', budgetId: 'bud_chat' })],
    ]);
    expect(ruling('northwind', 'user-2').byFeature.size).toBe(0);
  });

  it('agrees with the list of all holders, whose order depends on nothing else', () => {
    const holders = ruleForHolders(steps, NOW);
    expect(holders).toEqual(ruleForHolders(steps.toReversed(), NOW));
    expect(holders.map(({ customerId, subject, feature }) => [customerId, subject, feature])).toEqual([
      [null, null, null],
      ['adatum', null, null],
      ['adatum', null, 'chat'],
      ['northwind', null, null],
      ['northwind', 'user-1', null],
    ]);
    expect(ruleForHolders([step({ liftedUntil: later(1) })], NOW)).toEqual([]);
  });
});
