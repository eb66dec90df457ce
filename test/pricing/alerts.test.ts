import { describe, expect, it } from 'vitest';
import { afterQuietHours, isTimeZone, nextDigestAt } from '../../pricing/alerts/local-time.ts';
import { pauseAfterMs } from '../../pricing/alerts/retry.ts';
import { goesTo, planSending } from '../../pricing/alerts/routing.ts';
import { fillTemplate, type TemplateValues, unknownWords } from '../../pricing/alerts/template.ts';

const BERLIN = { timeZone: 'Europe/Berlin', fromMinute: 22 * 60, untilMinute: 7 * 60 };
const quietUntil = (instant: string, quiet = BERLIN) =>
  afterQuietHours(new Date(instant), quiet).toISOString();

describe('quiet hours', () => {
  it.each([
    ['2026-11-20T20:59:00Z', '2026-11-20T20:59:00.000Z', 'before they begin'],
    ['2026-11-20T21:00:00Z', '2026-11-21T06:00:00.000Z', 'over midnight'],
    ['2026-11-21T06:00:00Z', '2026-11-21T06:00:00.000Z', 'as they end'],
    ['2026-10-24T21:00:00Z', '2026-10-25T06:00:00.000Z', 'in the night that has an hour more'],
    ['2026-03-28T21:30:30Z', '2026-03-29T05:00:00.000Z', 'in the night that has an hour less'],
  ])('%s goes at %s: %s', (instant, expected) => expect(quietUntil(instant)).toBe(expected));

  it('end in the first minute after one that clocks skip, and never where they are empty', () => {
    const skipped = { timeZone: 'Europe/Berlin', fromMinute: 0, untilMinute: 150 };
    expect(quietUntil('2026-03-29T00:00:00Z', skipped)).toBe('2026-03-29T01:30:00.000Z');
    expect(quietUntil('2026-11-20T12:00:00Z', { ...BERLIN, fromMinute: 60, untilMinute: 60 })).toBe(
      '2026-11-20T12:00:00.000Z',
    );
    expect(isTimeZone('Europe/Berlin')).toBe(true);
    expect(isTimeZone('Mars/Olympus')).toBe(false);
  });

  it('leave digests to the clock on the wall, on Mondays where they are weekly', () => {
    const at = (instant: string, every: 'day' | 'week') =>
      nextDigestAt(new Date(instant), { timeZone: 'America/New_York', minute: 480, every }).toISOString();
    expect(at('2026-11-20T13:00:00Z', 'day')).toBe('2026-11-21T13:00:00.000Z');
    expect(at('2026-10-31T12:00:00Z', 'day')).toBe('2026-11-01T13:00:00.000Z');
    expect(at('2026-11-20T13:00:00Z', 'week')).toBe('2026-11-23T13:00:00.000Z');
  });
});

describe('routing', () => {
  const route = {
    routeId: 'a',
    audience: 'operator',
    customerId: null,
    kinds: [],
    leastSeverity: 'info',
  } as const;
  const alert = {
    kind: 'budget',
    audience: 'operator',
    customerId: 'adatum',
    severity: 'warning',
    routeId: null,
  } as const;

  it('goes by kind, customer and severity, and to a customer only with what it may hear', () => {
    expect(goesTo(alert, route)).toBe(true);
    expect(goesTo(alert, { ...route, kinds: ['drift'] })).toBe(false);
    expect(goesTo(alert, { ...route, leastSeverity: 'urgent' })).toBe(false);
    expect(goesTo(alert, { ...route, customerId: 'northwind' })).toBe(false);
    expect(goesTo({ ...alert, customerId: null }, { ...route, customerId: 'northwind' })).toBe(false);
    const theirs = { ...route, audience: 'customer', customerId: 'adatum' } as const;
    expect(goesTo(alert, theirs)).toBe(false);
    expect(goesTo({ ...alert, audience: 'customer' }, theirs)).toBe(true);
    expect(goesTo({ ...alert, audience: 'customer' }, { ...theirs, customerId: 'northwind' })).toBe(false);
    expect(goesTo({ ...alert, routeId: 'b' }, route)).toBe(false);
  });

  it('never sends more in an hour than a route takes, whatever waits', () => {
    for (let count = 0; count < 12; count += 1) {
      for (let sent = 0; sent <= 6; sent += 1) {
        const waiting = Array.from({ length: count }, (_, id) => ({
          id: String(id),
          severity: id % 3 === 0 ? ('urgent' as const) : ('info' as const),
          isExempt: false,
        }));
        const plan = planSending(waiting, { hourlyLimit: 5, sentCounts: { urgent: 0, other: sent } });
        expect([...plan.send, ...plan.summarise, ...plan.defer].sort()).toEqual(
          waiting.map(({ id }) => id).sort(),
        );
        const others =
          plan.send.filter((id) => Number(id) % 3 !== 0).length + (plan.summarise.length > 0 ? 1 : 0);
        expect(others).toBeLessThanOrEqual(
          Math.max(0, 5 - sent) + (plan.summarise.some((id) => Number(id) % 3 === 0) ? 1 : 0),
        );
      }
    }
  });
});

describe('words of customers', () => {
  it('name what is known, and are read once', () => {
    expect(unknownWords('{share} of {bugdet} {}')).toEqual(['bugdet', '']);
    const values = { budget: '{share}', share: '80 %' } as TemplateValues;
    expect(fillTemplate('{budget}: {share}', values)).toBe('{share}: 80 %');
  });
});

it('tries again for about a day', () => {
  const pauses = Array.from({ length: 10 }, (_, place) => pauseAfterMs(place + 1));
  expect(pauses.at(-1)).toBeNull();
  const hours = pauses.reduce<number>((sum, pause) => sum + (pause ?? 0), 0) / 3_600_000;
  expect(hours).toBeGreaterThan(23);
  expect(hours).toBeLessThan(25);
});
