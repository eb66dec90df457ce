import { readSettledThrough } from '../../../accruals/gather.ts';
import type { LedgerSnapshot } from '../../../platform/database/snapshot.ts';
import { decidePreview, decideProjection } from '../../../previews/decide.ts';
import { readPreview, refreshPreviewSums } from '../../../previews/gather.ts';
import { type BilledSubscription, listBilledSubscriptions } from '../../../previews/items.ts';
import type { SubscriptionPreviewBody } from '../../../previews/schemas.ts';
import { showPreview } from '../../../previews/show.ts';
import type { ConsoleView } from '../../frame/define-page.ts';

const PAGE_SIZE = 25;

/** The next invoice of a subscription, as the ledger alone has it. */
export interface UpcomingRow extends BilledSubscription {
  preview: SubscriptionPreviewBody;
}

export interface UpcomingMaterial {
  rows: UpcomingRow[];
  rowCount: number;
  pageNumber: number;
  pageCount: number;
  /** Up to when accruals tell what is used; null: nothing is settled. */
  settledThrough: Date | null;
}

/** Which the address shows; whoever wants the CSV gets all. */
function onPage(all: readonly BilledSubscription[], { address: { query } }: ConsoleView) {
  const asked = query.get('upcoming-page') ?? '';
  const pageCount = Math.max(1, Math.ceil(all.length / PAGE_SIZE));
  const pageNumber = Math.min(/^[1-9]\d{0,6}$/.test(asked) ? Number(asked) : 1, pageCount);
  const shown =
    query.get('csv') === null ? all.slice((pageNumber - 1) * PAGE_SIZE, pageNumber * PAGE_SIZE) : all;
  return { shown, pageNumber, pageCount };
}

const customersOf = (subscriptions: readonly BilledSubscription[]) => [
  ...new Set(subscriptions.map(({ customerId }) => customerId)),
];

/** Brings the kept sums of the days that are read up to date; Stripe is not asked. */
export async function prepareUpcoming(view: ConsoleView): Promise<void> {
  const all = await listBilledSubscriptions(view.dependencies.database);
  for (const customerId of customersOf(onPage(all, view).shown))
    await refreshPreviewSums(view.dependencies, customerId);
}

export async function gatherUpcoming(snapshot: LedgerSnapshot, view: ConsoleView): Promise<UpcomingMaterial> {
  const all = await listBilledSubscriptions(snapshot);
  const { shown, pageNumber, pageCount } = onPage(all, view);
  return {
    rows: await readUpcoming(snapshot, shown, view.now),
    rowCount: all.length,
    pageNumber,
    pageCount,
    settledThrough: await readSettledThrough(snapshot),
  };
}

async function readUpcoming(
  snapshot: LedgerSnapshot,
  subscriptions: readonly BilledSubscription[],
  now: Date,
): Promise<UpcomingRow[]> {
  const previews = new Map<string, SubscriptionPreviewBody>();
  for (const customerId of customersOf(subscriptions)) {
    const material = await readPreview(snapshot, customerId, { asked: new Map(), now });
    const decided = material.subscriptions
      .map(decidePreview)
      .map((preview) => ({ ...preview, projection: decideProjection(preview) }));
    for (const preview of showPreview(material, decided).subscriptions)
      previews.set(preview.subscriptionId, preview);
  }
  return subscriptions.flatMap((subscription) => {
    const preview = previews.get(subscription.subscriptionId);
    return preview === undefined ? [] : [{ ...subscription, preview }];
  });
}
