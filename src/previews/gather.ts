import { type Fingerprints, readFingerprints, refreshStatementSlices } from '../billing/day-sums.ts';
import { type BilledSoFar, readBilledSoFar } from '../billing/instalments.ts';
import { type Customer, getCustomer } from '../catalog/customers.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { type LedgerSnapshot, readSnapshot } from '../platform/database/snapshot.ts';
import { type BesideUsage, readBesideUsage } from './beside-usage.ts';
import type { PreviewDependencies } from './dependencies.ts';
import { type KnownDays, readKnownDays } from './hours.ts';
import { type ActiveItem, readActiveItems, sharesCredits } from './items.ts';
import { type LeftLines, readLeftLines } from './left-lines.ts';
import { isOfTime, isOnInvoice, type OwnUsage, readOwnUsage } from './own-usage.ts';
import { readStripePreview, type StripePreview } from './stripe-previews.ts';
import { type PreviewUsageRows, previewPeriods, readPreviewUsage } from './usage.ts';

/** Which time a preview of one subscription is about, and how far it is known. */
interface PreviewWindow extends KnownDays {
  now: Date;
  period: TimeWindow;
}

/** All that the preview of one subscription rests on. */
export interface SubscriptionMaterial extends PreviewWindow, PreviewUsageRows {
  subscriptionId: string;
  items: readonly ActiveItem[];
  stripe: StripePreview;
  /** Of prices that items have left within the period. */
  left: readonly LeftLines[];
  /** Of items that Stripe bills for another time than the rest, because their price is younger or their interval another. */
  own: ReadonlyMap<string, OwnUsage>;
  /** What the close adds to the invoice, or compares with it. */
  beside: BesideUsage;
  /** Whether a billing threshold has invoiced a part of the period, and what is not read yet. */
  isBilledInPart: boolean;
  /** What thresholds have invoiced of the period, by price and meter. */
  billedSoFar: readonly BilledSoFar[];
  /** Whether other invoices of the customer may use up billing credits first. */
  sharesCredits: boolean;
  /** How old the kept sums of its days are, for whoever reads more of them in the same snapshot. */
  sums: Fingerprints;
}

/** All that a customer's previews rest on, as the ledger had it at `now`. */
export interface PreviewMaterial {
  customer: Customer;
  now: Date;
  subscriptions: SubscriptionMaterial[];
}

/** Stripe's answers by subscription. */
export type AskedPreviews = ReadonlyMap<string, StripePreview>;

const NOT_ASKED: StripePreview = { status: 'unavailable', reason: 'NOT_ASKED' };

/** @throws TallystickError UNKNOWN_CUSTOMER */
export async function gatherPreview(
  dependencies: PreviewDependencies,
  customerId: string,
): Promise<PreviewMaterial> {
  const asked = await askForPreviews(dependencies, customerId, { users: false, history: true });
  const now = dependencies.clock.now();
  return await readSnapshot(dependencies.database, (snapshot) =>
    readPreview(snapshot, customerId, { asked, now, history: true }),
  );
}

/**
 * What comes before the snapshot: asks Stripe, and brings the kept sums of the days that are about to be read up to date.
 * @param wanted whether the sums of each period's users are wanted too, and those of the weeks before it, by which it is projected
 * @throws TallystickError UNKNOWN_CUSTOMER
 */
export async function askForPreviews(
  dependencies: PreviewDependencies,
  customerId: string,
  wanted: { users: boolean; history: boolean },
): Promise<AskedPreviews> {
  const { database } = dependencies;
  const { stripeCustomerId } = await getCustomer(database, customerId);
  const items = await readActiveItems(database, customerId);
  const asked = new Map<string, StripePreview>();
  // One at a time: a customer has one or two, and Stripe's reads are rationed.
  for (const [subscriptionId, its] of Map.groupBy(items, (item) => item.subscriptionId)) {
    const stripe: StripePreview =
      stripeCustomerId === null
        ? { status: 'unavailable', reason: 'NO_STRIPE_CUSTOMER' }
        : await readStripePreview(dependencies, {
            customerId,
            stripeCustomerId,
            subscriptionId,
            expectedLineCount: its.reduce((count, item) => count + lineCountOf(item), 0),
          });
    asked.set(subscriptionId, stripe);
    await refreshSums(dependencies, customerId, { items: its, stripe, ...wanted });
  }
  return asked;
}

/** The same without Stripe, whose word the ledger then does without: for previews of many customers at once. */
export async function refreshPreviewSums(
  dependencies: Pick<PreviewDependencies, 'database' | 'clock'>,
  customerId: string,
): Promise<void> {
  const active = await readActiveItems(dependencies.database, customerId);
  for (const items of Map.groupBy(active, (item) => item.subscriptionId).values()) {
    await refreshSums(dependencies, customerId, { items, stripe: NOT_ASKED, users: false, history: true });
  }
}

async function refreshSums(
  { database, clock }: Pick<PreviewDependencies, 'database' | 'clock'>,
  customerId: string,
  {
    users,
    ...read
  }: { items: readonly ActiveItem[]; stripe: StripePreview; users: boolean; history: boolean },
): Promise<void> {
  const now = clock.now();
  const period = periodOf(read.items, read.stripe);
  const periods = read.history ? previewPeriods(await readWindow(database, { ...read, now })) : [period];
  const usersOf = users ? [period] : [];
  await refreshStatementSlices(database, customerId, { periods, now, usersOf });
}

/**
 * The ledger's part of a preview, by what Stripe answered before. Without its history nothing can be projected.
 * @throws TallystickError UNKNOWN_CUSTOMER
 */
export async function readPreview(
  snapshot: LedgerSnapshot,
  customerId: string,
  { asked, now, history }: { asked: AskedPreviews; now: Date; history: boolean },
): Promise<PreviewMaterial> {
  const customer = await getCustomer(snapshot, customerId);
  const active = await readActiveItems(snapshot, customerId);
  const running: {
    subscriptionId: string;
    its: ActiveItem[];
    stripe: StripePreview;
    window: PreviewWindow;
  }[] = [];
  for (const [subscriptionId, its] of Map.groupBy(active, (item) => item.subscriptionId)) {
    // A subscription that came after Stripe was asked: the ledger speaks alone, as when Stripe does not answer.
    const stripe = asked.get(subscriptionId) ?? { status: 'unavailable', reason: 'NEW_SUBSCRIPTION' };
    running.push({
      subscriptionId,
      its,
      stripe,
      window: await readWindow(snapshot, { items: its, stripe, now, history }),
    });
  }
  const upcoming = running.map(({ subscriptionId, its, stripe, window: { period } }) => ({
    subscriptionId,
    currency: currencyOf(its, stripe),
    period,
  }));
  const beside = await readBesideUsage(snapshot, customerId, { upcoming, now });
  const subscriptions: SubscriptionMaterial[] = [];
  for (const { subscriptionId, its: all, stripe, window } of running) {
    const { takenUpIds } = beside;
    const sums = await readFingerprints(snapshot, customerId, previewPeriods(window));
    const usage = await readPreviewUsage(snapshot, customerId, { ...window, takenUpIds, days: sums.days });
    const lines = stripe.status === 'ok' ? stripe.invoice.lines : [];
    const its = stripe.status === 'ok' ? all.filter((item) => isOnInvoice(item, lines, window.period)) : all;
    const left = await readLeftLines(snapshot, { customerId, subscriptionId }, lines);
    const read = await readBilledSoFar(snapshot, { subscriptionId, ...window.period });
    const billedSoFar = read ?? [];
    const own = await readOwnUsage(snapshot, customerId, {
      items: its,
      lines,
      period: window.period,
      billedSoFar,
    });
    // Tiers go on from what a threshold has billed of the period, which only Stripe knows until it is read.
    const isBilledInPart = read === null;
    const items = isBilledInPart ? its.map((item) => ({ ...item, price: null })) : its;
    const added = beside.bySubscription.get(subscriptionId) ?? { late: [], minimums: [], elsewhere: [] };
    subscriptions.push({
      subscriptionId,
      items,
      stripe,
      left,
      own,
      isBilledInPart,
      billedSoFar,
      beside: isBilledInPart ? withInstalment(its, added) : added,
      sharesCredits: await sharesCredits(snapshot, customerId, {
        active,
        subscriptionId,
        currency: currencyOf(all, stripe),
      }),
      sums,
      ...window,
      ...usage,
    });
  }
  return { customer, now, subscriptions };
}

/** What an instalment has charged counts to the minimum, and is not known either: then nor is what is lacking. */
function withInstalment(items: readonly ActiveItem[], beside: BesideUsage): BesideUsage {
  const unknown = items.map(({ stripeMeterId: meterId }) => ({ meterId, amountMinor: null }));
  return { ...beside, elsewhere: [...beside.elsewhere, ...unknown] };
}

export function currencyOf(items: readonly ActiveItem[], stripe: StripePreview): string {
  return (stripe.status === 'ok' ? stripe.invoice.currency : items[0]?.currency) ?? 'usd';
}

async function readWindow(
  database: LedgerDatabase,
  {
    items,
    stripe,
    now,
    history,
  }: { items: readonly ActiveItem[]; stripe: StripePreview; now: Date; history: boolean },
): Promise<PreviewWindow> {
  const period = periodOf(items, stripe);
  const known = await readKnownDays(database, period, now);
  return { now, period, ...known, ...(history ? {} : { historyStart: period.start }) };
}

/**
 * The period of the metered lines: Stripe's word, because the catalog may be one renewal behind. Lines of an item that got
 * another price begin with that, and the invoice before them.
 */
function periodOf(items: readonly ActiveItem[], stripe: StripePreview): TimeWindow {
  const ids = new Set(
    items.filter((item) => item.stripeMeterId !== null).map((item) => item.subscriptionItemId),
  );
  const [line] =
    stripe.status === 'ok'
      ? stripe.invoice.lines
          .filter((entry) => ids.has(entry.subscriptionItemId ?? '') && isOfTime(entry))
          .toSorted(
            (one, other) => +one.periodStart - +other.periodStart || +other.periodEnd - +one.periodEnd,
          )
      : [];
  if (line !== undefined && stripe.status === 'ok') {
    const { periodStart, periodEnd } = stripe.invoice;
    const isOwn = +periodEnd === +line.periodEnd && periodStart < line.periodStart;
    return { start: isOwn ? periodStart : line.periodStart, end: line.periodEnd };
  }
  const item = items.find((entry) => entry.stripeMeterId !== null) ?? items[0];
  return item?.currentPeriod ?? { start: new Date(0), end: new Date(0) };
}

/** At most so many lines an item has on an invoice: one for each tier's tokens and one for its flat amount. */
function lineCountOf({ price }: ActiveItem): number {
  if (price === null || price.kind !== 'tiered') return 1;
  const tiers = price.mode === 'volume' ? price.tiers.slice(0, 1) : price.tiers;
  return tiers.length * 2;
}
