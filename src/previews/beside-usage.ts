import { chargeLateUsage, type LateCharge } from '../../pricing/invoices/late-usage.ts';
import type { PeriodCharge } from '../../pricing/invoices/minimum.ts';
import { type LateGroup, readLateGroups } from '../billing/late-groups.ts';
import {
  describeLate,
  hasLateUsage,
  type LateItem,
  readStrandedItems,
  readTakingDrafts,
} from '../billing/late-items.ts';
import { type PlanMinimum, readRunningMinimums, readTopUpsLeft } from '../billing/minimums.ts';
import { readChargedBefore } from '../closing/beside-lines.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';

/** A subscription's next invoice, as far as it is known before anything of it is read. */
export interface UpcomingInvoice {
  subscriptionId: string;
  currency: string;
  period: TimeWindow;
}

/** Usage that missed its own invoice, as the close will put it on the next one. */
export interface UpcomingLate extends Omit<LateCharge, 'absorbedMinor'> {
  description: string;
  stripeMeterId: string;
  period: TimeWindow;
  tokenCount: bigint;
  /** Of an item that Stripe has already, from a draft that came to nothing. */
  invoiceItemId: string | null;
}

/** What the close adds to an invoice beside the period's usage, or compares with it. */
export interface BesideUsage {
  late: UpcomingLate[];
  minimums: readonly PlanMinimum[];
  /** Charged within the period by other invoices. */
  elsewhere: readonly PeriodCharge[];
}

/** What stands beside the usage of a customer's next invoices, by subscription, and which rows of usage are in it. */
export async function readBesideUsage(
  database: LedgerDatabase,
  customerId: string,
  { upcoming, now }: { upcoming: readonly UpcomingInvoice[]; now: Date },
): Promise<{ bySubscription: Map<string, BesideUsage>; takenUpIds: bigint[] }> {
  const { late, takenUpIds } = await readLate(database, customerId, { upcoming, now });
  const minimums = await readRunningMinimums(
    database,
    upcoming.map(({ period, ...invoice }) => ({ ...invoice, periodStart: period.start })),
  );
  const elsewhere: Map<string, PeriodCharge[]> =
    minimums.size === 0 ? new Map() : await readChargedBefore(database, customerId, upcoming);
  const bySubscription = new Map(
    upcoming.map(({ subscriptionId: id }): [string, BesideUsage] => [
      id,
      {
        late: late.get(id) ?? [],
        minimums: minimums.get(id) ?? [],
        elsewhere: elsewhere.get(id) ?? [],
      },
    ]),
  );
  return { bySubscription, takenUpIds };
}

/** A draft of a period that is over comes before all that is to come. */
async function readLate(
  database: LedgerDatabase,
  customerId: string,
  { upcoming, now }: { upcoming: readonly UpcomingInvoice[]; now: Date },
): Promise<{ late: Map<string, UpcomingLate[]>; takenUpIds: bigint[] }> {
  if (upcoming.length === 0 || !(await hasLateUsage(database, customerId)))
    return { late: new Map(), takenUpIds: [] };
  const groups = await readLateGroups(database, [customerId]);
  const drafts = await readTakingDrafts(database, customerId, now);
  const inTurn = upcoming.toSorted(
    (one, other) =>
      +one.period.end - +other.period.end || (one.subscriptionId < other.subscriptionId ? -1 : 1),
  );
  const invoices = [
    ...drafts.map((invoice) => ({ ...invoice, isToCome: false })),
    ...inTurn.map((invoice) => ({ ...invoice, isToCome: true })),
  ];
  const charged = chargeLateUsage(groups, invoices, await readTopUpsLeft(database, groups));
  const stranded = await readStrandedItems(database, [customerId]);
  const toCome = charged.filter(({ invoice }) => invoice.isToCome);
  const late: [subscriptionId: string, UpcomingLate][] = [
    ...toCome.map(({ usage, invoice, charge }): [string, UpcomingLate] => [
      invoice.subscriptionId,
      { ...ofGroup(usage), ...charge },
    ]),
    ...stranded.flatMap((item): [string, UpcomingLate][] => {
      const [first] = invoices;
      return first?.isToCome === true ? [[first.subscriptionId, ofItem(item)]] : [];
    }),
  ];
  return {
    late: new Map(
      [...Map.groupBy(late, ([id]) => id)].map(([id, entries]) => [id, entries.map(([, entry]) => entry)]),
    ),
    takenUpIds: toCome.flatMap(({ usage }) => usage.hourlyUsageIds),
  };
}

function ofGroup(group: LateGroup): Omit<UpcomingLate, keyof LateCharge> {
  const { stripeMeterId, tokenCount, periodStart: start, periodEnd: end } = group;
  const description = describeLate(group);
  return { description, stripeMeterId, tokenCount, period: { start, end }, invoiceItemId: null };
}

function ofItem(item: LateItem): UpcomingLate {
  const { description, stripeMeterId, tokenCount, unitAmountDecimal, amountMinor, invoiceItemId } = item;
  const period = { start: item.periodStart, end: item.periodEnd };
  return { description, stripeMeterId, tokenCount, unitAmountDecimal, amountMinor, invoiceItemId, period };
}
