import { readSettledThrough } from '../../../accruals/gather.ts';
import { type LedgerSnapshot, readSnapshot } from '../../../platform/database/snapshot.ts';
import { refreshPreviewSums } from '../../../previews/gather.ts';
import type { BilledSubscription } from '../../../previews/items.ts';
import type { SubscriptionPreviewBody } from '../../../previews/schemas.ts';
import {
  dueCustomers,
  keepUpcoming,
  listUpcoming,
  readUpcomingPreviews,
  type UpcomingInvoice,
} from '../../../previews/upcoming.ts';
import type { ConsoleView, PageAct } from '../../frame/define-page.ts';
import { sumUpcoming, type UpcomingSums } from './sums.ts';

const PAGE_SIZE = 25;
/** Customers whose kept sums are brought up to date each time that somebody looks, beside those who are shown. */
const REFRESHED_AT_A_LOOK = 25;
/** How long one press of the button may take. */
const PATIENCE_MS = 20_000;

/** The next invoice of a subscription, as the ledger alone has it. */
export interface UpcomingRow extends BilledSubscription {
  preview: SubscriptionPreviewBody;
}

export interface UpcomingMaterial {
  rows: UpcomingRow[];
  /** Of all, shown or not. */
  sums: UpcomingSums;
  rowCount: number;
  pageNumber: number;
  pageCount: number;
  /** Up to when accruals tell what is used; null: nothing is settled. */
  settledThrough: Date | null;
}

/** Which the address shows; whoever wants the CSV gets all. */
function onPage(all: readonly UpcomingInvoice[], { address: { query } }: ConsoleView) {
  const asked = query.get('upcoming-page') ?? '';
  const pageCount = Math.max(1, Math.ceil(all.length / PAGE_SIZE));
  const pageNumber = Math.min(/^[1-9]\d{0,6}$/.test(asked) ? Number(asked) : 1, pageCount);
  const isFile = query.get('csv') !== null;
  const shown = isFile ? all : all.slice((pageNumber - 1) * PAGE_SIZE, pageNumber * PAGE_SIZE);
  return { shown, pageNumber, pageCount, isFile };
}

const customersOf = (subscriptions: readonly BilledSubscription[]) => [
  ...new Set(subscriptions.map(({ customerId }) => customerId)),
];

/** Brings the kept sums of the days that are read up to date, and a few of the others' next invoices; Stripe is not asked. */
export async function prepareUpcoming(view: ConsoleView): Promise<void> {
  const { dependencies } = view;
  const all = await readSnapshot(dependencies.database, listUpcoming);
  const { shown, isFile } = onPage(all, view);
  const customers = customersOf(shown);
  for (const customerId of customers) await refreshPreviewSums(dependencies, customerId);
  const due = isFile ? [] : dueCustomers(all, new Set(customers)).slice(0, REFRESHED_AT_A_LOOK);
  for (const customerId of due) await keepUpcoming(dependencies, customerId);
}

export async function gatherUpcoming(snapshot: LedgerSnapshot, view: ConsoleView): Promise<UpcomingMaterial> {
  const all = await listUpcoming(snapshot);
  const { shown, pageNumber, pageCount } = onPage(all, view);
  const rows = await readUpcoming(snapshot, shown, view.now);
  return {
    rows,
    sums: sumUpcoming(all, rows),
    rowCount: all.length,
    pageNumber,
    pageCount,
    settledThrough: await readSettledThrough(snapshot),
  };
}

async function readUpcoming(
  snapshot: LedgerSnapshot,
  subscriptions: readonly UpcomingInvoice[],
  now: Date,
): Promise<UpcomingRow[]> {
  const previews = new Map<string, SubscriptionPreviewBody>();
  for (const customerId of customersOf(subscriptions)) {
    for (const preview of await readUpcomingPreviews(snapshot, customerId, now))
      previews.set(preview.subscriptionId, preview);
  }
  return subscriptions.flatMap(({ kept: _, ...subscription }) => {
    const preview = previews.get(subscription.subscriptionId);
    return preview === undefined ? [] : [{ ...subscription, preview }];
  });
}

/** Works out whatever is not as it is now, for as long as somebody waits for a page. */
export const refreshUpcoming: PageAct = {
  scopes: ['finance', 'sales'],
  run: async (_form, { dependencies }) => {
    const due = dueCustomers(await listUpcoming(dependencies.database), new Set());
    const startedMs = performance.now();
    let count = 0;
    for (const customerId of due) {
      if (performance.now() - startedMs > PATIENCE_MS) break;
      await keepUpcoming(dependencies, customerId);
      count += 1;
    }
    const left = due.length - count;
    const done = `The next invoices of ${count} ${count === 1 ? 'customer' : 'customers'} are summed anew`;
    return { notice: left === 0 ? `${done}.` : `${done}; ${left} are left. Press again to go on.` };
  },
};
