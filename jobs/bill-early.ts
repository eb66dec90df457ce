import { isLastDay, thresholdFor, whyNotEarly } from '../pricing/budgets/early-bill.ts';
import {
  type EarlyBill,
  forgetThreshold,
  isEarlyBillDue,
  listUnreadInstalments,
  moveEarlyBill,
  readNextEarlyBill,
} from '../src/billing/early/early-bills.ts';
import { readInvoiceTargets } from '../src/billing/uninvoiced/undecided.ts';
import { readSnapshot } from '../src/platform/database/snapshot.ts';
import { UpstreamError } from '../src/platform/errors.ts';
import { decidePreview } from '../src/previews/decide.ts';
import { readPreview, refreshPreviewSums } from '../src/previews/gather.ts';
import { startAttempts } from './attempts.ts';
import { keepReading } from './close/read-invoice.ts';
import type { JobDependencies } from './dependencies.ts';

export interface BilledEarly {
  /** Invoices that thresholds made within a running period, read now. */
  readInstalmentCount: number;
  askedCount: number;
  billedCount: number;
  /** Of which Stripe, or the ledger, says that they cannot be. */
  refusedCount: number;
}

/**
 * Invoices customers before their period ends, where a step of a budget says so: Stripe gets a billing threshold that is reached
 * already, makes the invoice with the next usage that comes to it, and the threshold is taken away again. Each step is committed
 * before its call, so that a run that is killed goes on where it was, and one step gives one invoice. Also reads what thresholds made,
 * whoever set them. Without anything new it is one statement.
 * @throws UpstreamError when Stripe does not answer; the others were looked at
 */
export async function billEarly(deps: JobDependencies, signal?: AbortSignal): Promise<BilledEarly> {
  const { database } = deps;
  const outcome: BilledEarly = { readInstalmentCount: 0, askedCount: 0, billedCount: 0, refusedCount: 0 };
  if (!(await isEarlyBillDue(database))) return outcome;
  const { attempt, end } = startAttempts(signal);
  for (const target of await readInvoiceTargets(database, await listUnreadInstalments(database))) {
    await attempt(async () => {
      const invoice = await deps.invoicing.readInvoice(target.invoiceId, signal);
      if (invoice === null) return;
      await keepReading(deps, target, invoice, signal);
      outcome.readInstalmentCount += 1;
    });
  }
  // One after the other, and each as it is by then: two of one subscription do not ask at once.
  for (let after = 0n; ; ) {
    const bill = await readNextEarlyBill(database, after);
    if (bill === null) break;
    after = bill.earlyBillId;
    await attempt(async () => await takeOn(deps, bill, outcome, signal));
  }
  end();
  return outcome;
}

async function takeOn(
  deps: JobDependencies,
  bill: EarlyBill,
  outcome: BilledEarly,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { database, clock, log } = deps;
  let { state } = bill;
  if (state === 'wanted') {
    const now = clock.now();
    const { subscription } = bill;
    const reason = deps.settings.closesInvoices
      ? subscription === null
        ? ('no_subscription' as const)
        : whyNotEarly(subscription, now)
      : ('closing_is_off' as const);
    const end = bill.isWithdrawn
      ? ('withdrawn' as const)
      : bill.hasAnother
        ? ('with_another' as const)
        : null;
    if (end !== null || reason !== null || subscription === null) {
      const to = end === null ? 'cannot' : 'ended';
      await moveEarlyBill(database, bill, {
        from: [state],
        to,
        reason: end ?? reason ?? 'no_subscription',
        now,
      });
      if (to === 'cannot') outcome.refusedCount += 1;
      return;
    }
    const amountGteMinor = thresholdFor(await unbilledOf(deps, bill));
    const asks = { amountGteMinor, currency: subscription.currency };
    await moveEarlyBill(database, bill, { from: [state], to: 'asking', asks, isSet: true, now });
    Object.assign(bill, { amountGteMinor, isSet: true });
    state = 'asking';
  }
  if (state === 'asking') {
    // What was made since it was committed came of a call whose answer nobody heard.
    const reason = bill.madeInvoiceId === null ? await ask(deps, bill, signal) : null;
    const to = reason === null ? 'asked' : 'cannot';
    await moveEarlyBill(database, bill, {
      from: [state],
      to,
      now: clock.now(),
      ...(reason === null ? {} : { ...reason, isSet: false }),
    });
    if (reason !== null) {
      outcome.refusedCount += 1;
      log.warn({ budgetId: bill.budgetId, ...reason }, 'A customer is not invoiced early');
      return;
    }
    outcome.askedCount += 1;
    state = 'asked';
  }
  if (state === 'asked') {
    const now = clock.now();
    if (bill.madeInvoiceId !== null) {
      await moveEarlyBill(database, bill, {
        from: [state],
        to: 'billed',
        invoiceId: bill.madeInvoiceId,
        now,
      });
      outcome.billedCount += 1;
    } else if (bill.isWithdrawn || bill.subscription === null) {
      await moveEarlyBill(database, bill, { from: [state], to: 'ended', reason: 'withdrawn', now });
    } else if (isLastDay(bill.subscription.periodEnd, now)) {
      await moveEarlyBill(database, bill, { from: [state], to: 'ended', reason: 'period_is_over', now });
    } else return;
  }
  if (bill.isSet) await takeAway(deps, bill, signal);
}

/** @returns why it cannot be; null: the threshold is set */
async function ask(
  { invoicing }: JobDependencies,
  { earlyBillId, subscriptionId, amountGteMinor }: EarlyBill,
  signal: AbortSignal | undefined,
): Promise<{ reason: 'has_threshold' | 'refused_by_stripe'; problem?: string } | null> {
  try {
    const known = await invoicing.readBillingThreshold(subscriptionId, signal);
    if (known !== null && known !== amountGteMinor) return { reason: 'has_threshold' };
    const threshold = { amountGteMinor, idempotencyKey: `early-bill-${earlyBillId}` };
    await invoicing.setBillingThreshold(subscriptionId, threshold, signal);
    return null;
  } catch (error) {
    if (!(error instanceof UpstreamError) || error.code !== 'UPSTREAM_REJECTED') throw error;
    return { reason: 'refused_by_stripe', problem: error.message.slice(0, 500) };
  }
}

/** What somebody else has set since stays. */
async function takeAway(
  { database, invoicing }: JobDependencies,
  bill: EarlyBill,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { earlyBillId, subscriptionId, amountGteMinor } = bill;
  try {
    if ((await invoicing.readBillingThreshold(subscriptionId, signal)) === amountGteMinor) {
      const threshold = { amountGteMinor: null, idempotencyKey: `early-bill-${earlyBillId}-end` };
      await invoicing.setBillingThreshold(subscriptionId, threshold, signal);
    }
  } catch (error) {
    // Of a subscription that has ended nothing can be taken away, and nothing need be.
    if (!(error instanceof UpstreamError) || error.code !== 'UPSTREAM_REJECTED') throw error;
  }
  await forgetThreshold(database, bill);
}

/** What the running period's usage comes to by our own figures, in minor units; null: nobody knows. */
async function unbilledOf(
  { database, clock }: JobDependencies,
  { customerId, subscriptionId }: EarlyBill,
): Promise<bigint | null> {
  await refreshPreviewSums({ database, clock }, customerId);
  const now = clock.now();
  const { subscriptions } = await readSnapshot(database, (snapshot) =>
    readPreview(snapshot, customerId, { asked: new Map(), now, history: false }),
  );
  const material = subscriptions.find((one) => one.subscriptionId === subscriptionId);
  if (material === undefined) return null;
  return decidePreview(material)
    .lines.filter(({ kind }) => kind === 'usage')
    .reduce<bigint | null>(
      (sum, { amountMinor }) => (sum === null || amountMinor === null ? null : sum + amountMinor),
      0n,
    );
}
