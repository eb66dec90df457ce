import { readBilledEarlier } from '../../src/billing/instalments.ts';
import { type LateItem, readLateItems } from '../../src/billing/late-items.ts';
import { readPlanMinimums } from '../../src/billing/minimums.ts';
import { readChargedElsewhere, readUninvoiced } from '../../src/closing/beside-lines.ts';
import type { OpenClose } from '../../src/closing/closes.ts';
import { readCloseEvidence, readClosingItems } from '../../src/closing/evidence.ts';
import { readCloseFigures, readPushedFigures } from '../../src/closing/figures.ts';
import { readHeldMetricsOfCloses } from '../../src/closing/unknown-metrics.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { readSnapshot } from '../../src/platform/database/snapshot.ts';
import type { ClosingInvoice } from '../../src/stripe/closing/port.ts';
import { groupLines } from './build-comparison.ts';

/**
 * All that certificates of these closes are decided from, beside their invoices as Stripe showed them before: a few
 * statements in one snapshot, however many closes and periods there are.
 */
export async function gatherCloses(
  database: LedgerDatabase,
  page: readonly OpenClose[],
  invoices: ReadonlyMap<string, ClosingInvoice | null>,
) {
  const invoiceIds = page.map((close) => close.invoiceId);
  return await readSnapshot(database, async (snapshot) => {
    const items = await readClosingItems(snapshot, [...new Set(page.map((close) => close.subscriptionId))]);
    const earlier = await readBilledEarlier(snapshot, invoiceIds);
    const lines = page.flatMap((close) => {
      const invoice = invoices.get(close.invoiceId) ?? null;
      const before = earlier.get(close.invoiceId) ?? [];
      return invoice === null ? [] : [{ close, groups: groupLines(invoice, items, before) }];
    });
    const asked = lines.flatMap(({ close: { invoiceId, customerId }, groups }) =>
      groups.map(({ item: { stripeMeterId }, periodStart, periodEnd }) => ({
        invoiceId,
        customerId,
        stripeMeterId,
        periodStart,
        periodEnd,
      })),
    );
    const lateItems = new Map<string, LateItem[]>();
    for (const item of await readLateItems(snapshot, invoiceIds)) {
      lateItems.set(item.invoiceId, [...(lateItems.get(item.invoiceId) ?? []), item]);
    }
    return {
      items,
      earlier,
      lateItems,
      figures: await readCloseFigures(snapshot, page),
      heldMetrics: await readHeldMetricsOfCloses(snapshot, page),
      pushed: await readPushedFigures(snapshot, asked),
      uninvoiced: await readUninvoiced(snapshot, invoiceIds),
      chargedElsewhere: await readChargedElsewhere(snapshot, invoiceIds),
      minimums: await readPlanMinimums(snapshot, invoiceIds),
      evidence: await readCloseEvidence(
        snapshot,
        page.map((close) => close.periodStart),
      ),
    };
  });
}
