import type { CloseComparison } from '../../pricing/closing/certificate.ts';
import { type CloseMeterFigures, shownTokens } from '../../pricing/closing/meter.ts';
import { refundUnanswered, takeStripeRead } from '../../src/billing/stripe-reads.ts';
import type { OpenClose } from '../../src/closing/closes.ts';
import type { ClosingItem } from '../../src/closing/evidence.ts';
import { HOUR_MS, MINUTE_MS, type TimeWindow } from '../../src/platform/clock.ts';
import type { JobDependencies } from '../dependencies.ts';
import { type MeterSums, sumKey } from './build-comparison.ts';
import type { LineGroup } from './line-prices.ts';

const keyOf = ({ stripeMeterId, period }: CloseMeterFigures) => sumKey(stripeMeterId, period.start);

/** No budget but the column's. */
const UNLIMITED = 2_000_000_000;

/**
 * Stripe's own sums of the meters whose line differs: they prove what a line that stands still does not show, and tell
 * whether a push is lost, or the line wrong. Of a first look and a last one, and where what is expected has changed, they
 * are worth a read whatever it costs; else they are rationed.
 * @throws UpstreamError
 */
export async function askSums(
  { database, billing, clock, settings }: JobDependencies,
  close: OpenClose,
  given: { groups: readonly LineGroup[]; comparison: CloseComparison; isRationed: boolean },
  signal: AbortSignal | undefined,
): Promise<MeterSums> {
  const { groups, comparison, isRationed } = given;
  const sums = new Map<string, bigint>();
  for (const [index, group] of groups.entries()) {
    const meter = comparison.meters[index];
    if (meter === undefined || BigInt(meter.invoiceQuantity) === shownTokens(meter)) continue;
    const { stripeMeterId, eventTimeWindow } = group.item;
    const window = summedWindow(group, eventTimeWindow);
    if (window === null) continue;
    const before = close.comparison?.meters.find((one) => keyOf(one) === keyOf(meter));
    const isKnown = isRationed && before?.pushedTokens === meter.pushedTokens;
    // Proven once, and nothing was delivered since.
    if (isKnown && before.stripeTokens === meter.pushedTokens) {
      sums.set(keyOf(meter), BigInt(meter.pushedTokens));
      continue;
    }
    const read = {
      purpose: isKnown ? 'doubt' : 'close',
      now: clock.now(),
      limitPerDay: isKnown ? settings.stripeDoubtReadsPerDay : UNLIMITED,
    } as const;
    if (!(await takeStripeRead(database, read))) continue;
    const { stripeCustomerId } = close;
    const rows = await refundUnanswered(database, read, () =>
      billing.readEventSummaries({ stripeMeterId, stripeCustomerId, window, granularity: 'whole' }, signal),
    );
    const sum = rows.reduce((total, row) => total + row.value, 0n);
    sums.set(keyOf(meter), sum);
  }
  return sums;
}

/**
 * What Stripe is asked for: sums begin and end on a minute, and a boundary within one counts from the next, as it does for
 * pushes. Of a meter with a time window an hour goes whole to one period: null where the boundary cuts one.
 */
function summedWindow(
  { periodStart, periodEnd }: LineGroup,
  eventTimeWindow: ClosingItem['eventTimeWindow'],
): TimeWindow | null {
  const isAligned = +periodStart % HOUR_MS === 0 && +periodEnd % HOUR_MS === 0;
  if (eventTimeWindow !== null && !isAligned) return null;
  const nextMinute = (instant: Date) => new Date(Math.ceil(+instant / MINUTE_MS) * MINUTE_MS);
  return { start: nextMinute(periodStart), end: nextMinute(periodEnd) };
}

/** What Stripe's sums were when the draft was compared. */
export function sumsOf(comparison: CloseComparison | null): MeterSums {
  return new Map(
    (comparison?.meters ?? []).flatMap(({ stripeMeterId, stripeTokens, period }) =>
      stripeTokens === null ? [] : [[sumKey(stripeMeterId, period.start), BigInt(stripeTokens)] as const],
    ),
  );
}
