import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { billEarly } from '../../jobs/bill-early.ts';
import { judgeBudgets } from '../../jobs/judge-budgets.ts';
import type { BudgetTerms } from '../../pricing/budgets/budget.ts';
import { changeBudget, createBudget } from '../../src/budgets/desk.ts';
import type { InvoiceSystem } from '../../src/stripe/closing/port.ts';
import { budgetTerms } from '../budgets/terms.ts';
import { type Caller, call, callersOf, runUntil } from '../setup/closing.ts';
import { closedOf, expectDivided, northwindOf, openWithPlan, statementOf } from '../setup/invoiced.ts';
import { balance, type Pipeline } from '../setup/pipeline.ts';

const TERMS = budgetTerms({
  limit: 15_000_000n,
  steps: [{ sharePermille: 1_000, on: 'actual', action: 'bill' }],
});

let pipeline: Pipeline;
afterEach(() => pipeline.close());

async function open(): Promise<Caller> {
  const opened = await openWithPlan();
  pipeline = opened.pipeline;
  return opened.caller;
}

const create = async ({ customerId }: { customerId: string }, terms: Partial<BudgetTerms> = {}) =>
  await createBudget(
    pipeline.deps.database,
    { ...TERMS, customerId, ...terms, name: 'Early' },
    { actor: 'test', now: pipeline.deps.clock.now() },
  );
const threshold = async () => (await northwindOf(pipeline)).subscription.billing_thresholds;
const rows = async () =>
  (
    await sql<{ state: string; reason: string | null; isSet: boolean; invoiceId: string | null }>`
      select state, reason, is_set as "isSet", invoice_id as "invoiceId" from early_bills order by early_bill_id`.execute(
      pipeline.deps.database,
    )
  ).rows;
const audited = async () =>
  (
    await sql<{
      action: string;
    }>`select action from audit_log where actor = 'job:bill-early' order by audit_id`.execute(
      pipeline.deps.database,
    )
  ).rows.map(({ action }) => action);
const madeByThreshold = async () =>
  (
    await sql<{ invoiceId: string; totalMinor: bigint; isRead: boolean }>`
      select invoice_id as "invoiceId", invoices.total_minor as "totalMinor", reading.invoice_id is not null as "isRead"
      from invoices left join invoice_readings as reading using (invoice_id)
      where billing_reason = 'subscription_threshold' order by made_at`.execute(pipeline.deps.database)
  ).rows;

/** Stripe does what is asked, and the process dies before it hears so. */
function killAfter(name: 'setBillingThreshold', times: number): void {
  const { invoicing } = pipeline.deps;
  let left = times;
  const dying: InvoiceSystem = {
    ...invoicing,
    [name]: async (...given: Parameters<InvoiceSystem['setBillingThreshold']>) => {
      await invoicing[name](...given);
      left -= 1;
      if (left < 0) return;
      throw new Error('killed');
    },
  };
  pipeline.deps.invoicing = dying;
}

describe('a step that bills early', () => {
  it('makes one invoice within the period, killed or not, and the close proves it', async () => {
    const caller = await open();
    await pipeline.tick(0);
    await create(caller);
    killAfter('setBillingThreshold', 1);
    call(pipeline, caller, { hour: 0, prompt: 14_000_000, completion: 0 });
    await pipeline.tick(2);
    expect([await rows(), await threshold()]).toEqual([[], null]);
    call(pipeline, caller, { hour: 2, prompt: 6_000_000, completion: 0 });
    await expect(pipeline.tick(2)).rejects.toThrow('killed');
    expect(await rows()).toMatchObject([{ state: 'asking', isSet: true }]);
    // Half of what is settled: 14 M tokens at 0.001 cents.
    expect(await threshold()).toMatchObject({ amount_gte: 7_000, reset_billing_cycle_anchor: false });
    await pipeline.tick(0);
    expect(await rows()).toMatchObject([{ state: 'asked', isSet: true }]);
    call(pipeline, caller, { hour: 4, prompt: 12_000_000, completion: 0 });
    killAfter('setBillingThreshold', 1);
    await pipeline.tick(2);
    await expect(pipeline.tick(1)).rejects.toThrow('killed');
    expect(await rows()).toMatchObject([{ state: 'billed', isSet: true }]);
    await pipeline.tick(0);
    const [row] = await rows();
    expect([row?.isSet, await threshold()]).toEqual([false, null]);
    const made = await madeByThreshold();
    expect(made).toMatchObject([{ invoiceId: row?.invoiceId, isRead: true }]);
    // More than the threshold was, and no second invoice.
    call(pipeline, caller, { hour: 8, prompt: 20_000_000, completion: 0 });
    await pipeline.tick(3);
    await pipeline.tick(1);
    expect(await madeByThreshold()).toEqual(made);
    expect(await audited()).toEqual(['early_bills.ask', 'early_bills.billed']);
    expect(await billEarly(pipeline.deps)).toEqual({
      readInstalmentCount: 0,
      askedCount: 0,
      billedCount: 0,
      refusedCount: 0,
    });

    await runUntil(pipeline, 0, 9 * 60);
    await runUntil(pipeline, 3, 60);
    const { close, certificate, content, invoice } = await closedOf(pipeline, caller);
    expect([close.state, content.differences]).toEqual(['finalized', []]);
    expect([certificate.driftTokenCount, certificate.driftAmountMinor]).toEqual([0n, 0n]);
    const early = BigInt(content.meters[0].earlier.tokenCount);
    expect(content.meters[0]).toMatchObject({ pushedTokens: '52000000' });
    expect(early + BigInt(content.meters[0].invoiceQuantity)).toBe(52_000_000n);
    // 520 dollars of usage, above the minimum of 500, on two invoices.
    expect((made[0]?.totalMinor ?? 0n) + (invoice?.totalMinor ?? 0n)).toBe(52_000n);
    expectDivided(await statementOf(pipeline, made[0]?.invoiceId ?? ''), early);
    expect(await balance(pipeline)).toMatchObject({ drift: 0n, quarantined: 0n });
  });

  it('says why it cannot, and takes its threshold away where the step is withdrawn', async () => {
    const caller = await open();
    const { database } = pipeline.deps;
    const other = callersOf(pipeline)[1];
    await pipeline.tick(0);
    const { subscription } = await northwindOf(pipeline);
    await pipeline.account.subscriptions.update(subscription.id, {
      billing_thresholds: { amount_gte: 9_000_000 },
    });
    await create(caller);
    call(pipeline, caller, { hour: 0, prompt: 16_000_000, completion: 0 });
    call(pipeline, other, { hour: 0, prompt: 16_000_000, completion: 0 });
    await pipeline.tick(2);
    expect(await rows()).toMatchObject([{ state: 'cannot', reason: 'has_threshold', isSet: false }]);
    expect(await threshold()).toMatchObject({ amount_gte: 9_000_000 });
    await pipeline.account.subscriptions.update(subscription.id, { billing_thresholds: '' });

    const { budgetId } = await create(caller, { limit: 14_000_000n });
    await pipeline.tick(0);
    expect((await rows())[1]).toMatchObject({ state: 'asked', isSet: true });
    // Two at once: the later one is billed with the first.
    await create(caller, { limit: 13_000_000n });
    await pipeline.tick(0);
    expect((await rows())[2]).toMatchObject({ state: 'ended', reason: 'with_another' });
    await changeBudget(database, {
      budgetId,
      actor: 'test',
      now: pipeline.deps.clock.now(),
      limit: 99_000_000n,
    });
    await pipeline.tick(0);
    expect((await rows())[1]).toMatchObject({ state: 'ended', reason: 'withdrawn', isSet: false });
    expect(await threshold()).toBeNull();

    // Ended at Stripe, which the catalog does not know yet.
    const otherCustomer = (await pipeline.account.customers.list({ limit: 100 })).data.find(
      ({ metadata }) => metadata.tenant_id === other?.customerId,
    );
    const [ended] = (await pipeline.account.subscriptions.list({ customer: otherCustomer?.id ?? '' })).data;
    await pipeline.account.subscriptions.cancel(ended?.id ?? '');
    await create({ customerId: other?.customerId ?? '' });
    await judgeBudgets(pipeline.deps);
    await billEarly(pipeline.deps);
    expect((await rows())[3]).toMatchObject({ state: 'cannot', reason: 'refused_by_stripe', isSet: false });
    await pipeline.tick(0);
    await create({ customerId: other?.customerId ?? '' });
    await judgeBudgets(pipeline.deps);
    expect((await rows())[4]).toMatchObject({ state: 'cannot', reason: 'no_subscription' });

    await pipeline.tick(12);
    await create(caller);
    await pipeline.tick(0);
    expect((await rows())[5]).toMatchObject({ state: 'cannot', reason: 'period_ends_soon' });
    pipeline.deps.settings.closesInvoices = false;
    await create(caller, { limit: 12_000_000n });
    await pipeline.tick(0);
    expect((await rows())[6]).toMatchObject({ state: 'cannot', reason: 'closing_is_off' });
    expect(await madeByThreshold()).toEqual([]);
    const alerts = await sql<{ reason: string }>`
      select facts ->> 'cannotBill' as reason from alerts where facts ->> 'cannotBill' is not null order by alert_id`.execute(
      database,
    );
    expect(new Set(alerts.rows.map(({ reason }) => reason))).toEqual(
      new Set([
        'has_threshold',
        'refused_by_stripe',
        'no_subscription',
        'period_ends_soon',
        'closing_is_off',
      ]),
    );
  });
});
