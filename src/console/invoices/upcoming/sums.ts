import { minorUnitDigits, parseDecimal } from '../../../../pricing/money.ts';
import type { BilledSubscription } from '../../../previews/items.ts';
import type { SubscriptionPreviewBody } from '../../../previews/schemas.ts';
import type { UpcomingInvoice } from '../../../previews/upcoming.ts';

/** What the next invoices of one currency come to so far. */
interface CurrencySum {
  currency: string;
  totalMinor: bigint;
  /** How many have an amount. */
  invoiceCount: number;
  /** How many more have none, because of a line it is unknown. */
  unknownCount: number;
}

/** Of all next invoices, and how far they can be relied on. */
export interface UpcomingSums {
  byCurrency: CurrencySum[];
  /** Worked out for this page, or resting on what is the same still. */
  currentCount: number;
  /** In the sums by what they came to before something changed. */
  changedCount: number;
  /** When the oldest of these was worked out; null: there is none. */
  oldestAsOf: Date | null;
  /** Never worked out, and in no sum. */
  missingCount: number;
}

/** Sums what stands on the page, as it is, and of all others what is kept. */
export function sumUpcoming(
  all: readonly UpcomingInvoice[],
  shown: readonly (BilledSubscription & { preview: SubscriptionPreviewBody })[],
): UpcomingSums {
  const isShown = new Set(shown.map(({ subscriptionId }) => subscriptionId));
  const others = all.filter(({ subscriptionId }) => !isShown.has(subscriptionId));
  const kept = others.flatMap(({ kept: sum }) => (sum === null ? [] : [sum]));
  const changed = kept.filter(({ isCurrent }) => !isCurrent);
  const amounts = [
    ...shown.map(({ preview: { currency, total } }) => ({
      currency,
      totalMinor: total === null ? null : parseDecimal(total, minorUnitDigits(currency)),
    })),
    ...kept,
  ];
  const byCurrency = [...Map.groupBy(amounts, ({ currency }) => currency)]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([currency, its]) => {
      const known = its.flatMap(({ totalMinor }) => (totalMinor === null ? [] : [totalMinor]));
      return {
        currency,
        totalMinor: known.reduce((sum, amount) => sum + amount, 0n),
        invoiceCount: known.length,
        unknownCount: its.length - known.length,
      };
    });
  return {
    byCurrency,
    currentCount: shown.length + kept.length - changed.length,
    changedCount: changed.length,
    oldestAsOf:
      changed.length === 0 ? null : new Date(Math.min(...changed.map(({ asOf }) => asOf.getTime()))),
    missingCount: others.length - kept.length,
  };
}
