import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decideFate,
  decideFates,
  type FateFacts,
  type FateInvoice,
  type FateSubscription,
  type InvoiceStanding,
} from '../../pricing/closing/fate.ts';
import { findMissing } from '../../pricing/closing/missing.ts';

const day = (number: number) => new Date(Date.UTC(2026, 9, 1) + number * 86_400_000);
const span = (from: number, to: number) => ({ start: day(from), end: day(to) });

const STANDINGS: InvoiceStanding[] = [
  'draft',
  'unread',
  'final',
  'voided',
  'deleted',
  'credited',
  'uncollectible',
];

const spanOf = fc
  .tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 40 }))
  .map(([from, length]) => span(from, from + length));
const invoiceOf = fc.record<FateInvoice>({
  invoiceId: fc.uuid(),
  subscriptionId: fc.constantFrom('sub_1', 'sub_2', null),
  standing: fc.constantFrom(...STANDINGS),
  period: spanOf,
  lines: fc.array(spanOf, { maxLength: 2 }),
});
const dayOrNull = fc.option(fc.integer({ min: 0, max: 90 }).map(day), { nil: null });
const subscriptionOf = (subscriptionId: string) =>
  fc.record<FateSubscription>({
    subscriptionId: fc.constant(subscriptionId),
    isAlive: fc.boolean(),
    endedAt: dayOrNull,
    runningSince: dayOrNull,
    items: fc.array(
      fc.record({
        startedAt: fc.integer({ min: 0, max: 40 }).map(day),
        endsAt: dayOrNull,
        periodStart: fc.integer({ min: 0, max: 60 }).map(day),
        trialEndsAt: dayOrNull,
      }),
      { minLength: 1, maxLength: 2 },
    ),
  });
const factsOf = fc
  .record<FateFacts>({
    isCustomerDeleted: fc.boolean(),
    subscriptions: fc
      .tuple(subscriptionOf('sub_1'), subscriptionOf('sub_2'), fc.integer({ min: 0, max: 2 }))
      .map(([one, two, count]) => [one, two].slice(0, count)),
    invoices: fc.array(invoiceOf, { maxLength: 5 }),
    now: fc.integer({ min: 60, max: 120 }).map(day),
  })
  // A subscription that is alive has not ended.
  .map((facts) => ({
    ...facts,
    subscriptions: facts.subscriptions.map((one) => ({
      ...one,
      endedAt: one.isAlive ? null : (one.endedAt ?? facts.now),
      runningSince: one.isAlive ? (one.runningSince ?? facts.now) : null,
    })),
  }));
const instantOf = fc.integer({ min: 0, max: 100 * 24 }).map((hours) => day(hours / 24));
const covers = ({ start, end }: { start: Date; end: Date }, at: Date) => at >= start && at < end;

describe('the fate of delivered usage', () => {
  it('is invoiced exactly where a final invoice has a line', () => {
    fc.assert(
      fc.property(factsOf, instantOf, (facts, at) => {
        const hasLine = facts.invoices.some(
          ({ standing, lines }) => standing === 'final' && lines.some((line) => covers(line, at)),
        );
        expect(decideFate(facts, at).kind === 'invoiced').toBe(hasLine);
      }),
    );
  });

  it('is never given up while a draft, an unread invoice or a running period may have it', () => {
    fc.assert(
      fc.property(factsOf, instantOf, (facts, at) => {
        const own = new Set(facts.subscriptions.map(({ subscriptionId }) => subscriptionId));
        const mayCome = facts.invoices.some(
          ({ standing, subscriptionId, period }) =>
            (standing === 'draft' || standing === 'unread') &&
            subscriptionId !== null &&
            own.has(subscriptionId) &&
            covers(period, at),
        );
        if (mayCome) expect(decideFate(facts, at).kind).not.toBe('uninvoiced');
        const isRunning = facts.subscriptions.some(
          ({ runningSince }) => runningSince !== null && at >= runningSince,
        );
        const fate = decideFate(facts, at);
        if (isRunning && fate.kind === 'uninvoiced')
          expect(['invoice_voided', 'invoice_credited', 'invoice_uncollectible']).toContain(fate.reason);
      }),
    );
  });

  it('does not depend on the order of what is known, and is one within a stretch', () => {
    fc.assert(
      fc.property(factsOf, instantOf, (facts, at) => {
        const turned = { ...facts, invoices: facts.invoices.toReversed() };
        const [one, other] = [decideFate(facts, at), decideFate(turned, at)];
        expect(one.kind).toBe(other.kind);
        if (one.kind === 'uninvoiced' && other.kind === 'uninvoiced') expect(one.reason).toBe(other.reason);
        const stretches = decideFates(facts, { start: day(0), end: day(130) });
        const found = stretches.filter(({ span: stretch }) => covers(stretch, at));
        expect(found).toHaveLength(1);
        expect(found[0]?.fate).toEqual(one);
      }),
    );
  });

  it('gets no worse by waiting: what is invoiced stays, and what is uninvoiced was not hoped for without end', () => {
    fc.assert(
      fc.property(factsOf, instantOf, (facts, at) => {
        const now = decideFate(facts, at);
        const later = decideFate({ ...facts, now: day(1_000) }, at);
        if (now.kind !== 'awaiting') expect(later).toEqual(now);
      }),
    );
  });

  const subscription: FateSubscription = {
    subscriptionId: 'sub_1',
    isAlive: true,
    endedAt: null,
    runningSince: day(31),
    items: [{ startedAt: day(0), endsAt: null, periodStart: day(31), trialEndsAt: null }],
  };
  const invoice: FateInvoice = {
    invoiceId: 'in_1',
    subscriptionId: 'sub_1',
    standing: 'final',
    period: span(0, 31),
    lines: [span(0, 31)],
  };
  const facts: FateFacts = {
    isCustomerDeleted: false,
    subscriptions: [subscription],
    invoices: [invoice],
    now: day(33),
  };
  const uninvoiced = (reason: string) => ({ kind: 'uninvoiced', reason });

  it.each<[string, Partial<FateFacts>, object]>([
    ['a line of a final invoice', {}, { kind: 'invoiced', invoiceId: 'in_1' }],
    [
      'a revision that has its lines, though the first was voided',
      {
        invoices: [
          { ...invoice, standing: 'voided' },
          { ...invoice, invoiceId: 'in_2' },
        ],
      },
      { kind: 'invoiced', invoiceId: 'in_2' },
    ],
    [
      'a draft of a revision',
      {
        invoices: [
          { ...invoice, standing: 'voided' },
          { ...invoice, invoiceId: 'in_2', standing: 'draft' },
        ],
      },
      { kind: 'awaiting' },
    ],
    ['a voided invoice', { invoices: [{ ...invoice, standing: 'voided' }] }, uninvoiced('invoice_voided')],
    [
      'one that was credited',
      { invoices: [{ ...invoice, standing: 'credited' }] },
      uninvoiced('invoice_credited'),
    ],
    [
      'one that is final and has a line for later alone',
      { invoices: [{ ...invoice, lines: [span(10, 31)] }] },
      uninvoiced('price_swapped'),
    ],
    [
      'a final invoice of its period, read only by its header',
      { invoices: [{ ...invoice, standing: 'unread', lines: [] }] },
      { kind: 'unread', invoiceId: 'in_1' },
    ],
    ['a period that is over, whose draft is late', { invoices: [], now: day(31.5) }, { kind: 'awaiting' }],
    ['a period that is over, and that no invoice came for', { invoices: [] }, uninvoiced('no_invoice')],
    [
      'a trial',
      {
        invoices: [],
        subscriptions: [
          {
            ...subscription,
            items: [{ startedAt: day(0), endsAt: null, periodStart: day(31), trialEndsAt: day(7) }],
          },
        ],
      },
      uninvoiced('in_trial'),
    ],
    [
      'a draft that was deleted',
      { invoices: [{ ...invoice, standing: 'deleted', lines: [] }] },
      uninvoiced('draft_deleted'),
    ],
    [
      'a subscription that has just ended',
      {
        invoices: [],
        now: new Date(day(7).getTime() + 1_800_000),
        subscriptions: [{ ...subscription, isAlive: false, endedAt: day(7), runningSince: null }],
      },
      { kind: 'awaiting' },
    ],
    [
      'a subscription that ended without an invoice',
      {
        invoices: [],
        subscriptions: [{ ...subscription, isAlive: false, endedAt: day(7), runningSince: null }],
      },
      uninvoiced('subscription_cancelled'),
    ],
    [
      'a customer who was deleted',
      {
        invoices: [],
        isCustomerDeleted: true,
        subscriptions: [{ ...subscription, isAlive: false, endedAt: day(7), runningSince: null }],
      },
      uninvoiced('customer_deleted'),
    ],
  ])('of %s', (_, changed, wanted) => {
    expect(decideFate({ ...facts, ...changed }, day(5))).toMatchObject(wanted);
  });
});

describe('what an invoice lacks', () => {
  it('are never more tokens than it lacks, and exactly those where any of the last add up to it', () => {
    const pushesOf = fc.array(
      fc.bigInt({ min: 0n, max: 1_000n }).map((tokenCount) => ({ tokenCount })),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(pushesOf, fc.integer({ min: 1, max: 4_095 }), (pushes, mask) => {
        const chosen = pushes.filter((_, index) => (mask & (1 << index)) !== 0);
        const sum = (some: typeof pushes) => some.reduce((total, push) => total + push.tokenCount, 0n);
        if (sum(chosen) === 0n) return;
        expect(sum(findMissing(pushes, sum(chosen)))).toBe(sum(chosen));
        expect(sum(findMissing(pushes, sum(chosen) + 1n)) <= sum(chosen) + 1n).toBe(true);
      }),
    );
  });
});
