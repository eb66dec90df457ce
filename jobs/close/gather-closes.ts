import { readCloseEvidence, readClosingItems } from '../../src/ledger/close-evidence.ts';
import { readCloseFigures, readPushedFigures } from '../../src/ledger/close-figures.ts';
import { readPlanMinimums } from '../../src/ledger/close-minimums.ts';
import type { OpenClose } from '../../src/ledger/closes.ts';
import type { LedgerDatabase } from '../../src/ledger/database.ts';
import { type LateItem, readLateItems } from '../../src/ledger/late-items.ts';
import { readSnapshot } from '../../src/ledger/snapshot.ts';
import type { ClosingInvoice } from '../../src/stripe/closing-port.ts';
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
    const asked = page.flatMap(({ invoiceId, customerId }) => {
      const invoice = invoices.get(invoiceId) ?? null;
      if (invoice === null) return [];
      return groupLines(invoice, items).map(({ item: { stripeMeterId }, periodStart, periodEnd }) => ({
        invoiceId,
        customerId,
        stripeMeterId,
        periodStart,
        periodEnd,
      }));
    });
    const lateItems = new Map<string, LateItem[]>();
    for (const item of await readLateItems(snapshot, invoiceIds)) {
      lateItems.set(item.invoiceId, [...(lateItems.get(item.invoiceId) ?? []), item]);
    }
    return {
      items,
      lateItems,
      figures: await readCloseFigures(snapshot, page),
      pushed: await readPushedFigures(snapshot, asked),
      minimums: await readPlanMinimums(snapshot, invoiceIds),
      evidence: await readCloseEvidence(
        snapshot,
        page.map((close) => close.periodStart),
      ),
    };
  });
}
