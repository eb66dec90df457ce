import { countsTowards, lackingOf, type PeriodCharge, type PeriodMinimum } from '../invoices/minimum.ts';
import { sum } from '../statistics.ts';
import { chargeOf } from './added-lines.ts';
import type { PreviewLine } from './preview.ts';
import type { ItemProjection, ProjectedRange } from './projection.ts';

/**
 * What a subscription's invoice will come to: the projected lines together, those that stay as they are, and what will then be
 * lacking of minimums. A minimum that covers all projected lines is compared with each end of the range; one of several with
 * what is expected of its lines.
 * @returns null where a line that stays has no amount
 */
export function projectTotal(
  totalMinor: ProjectedRange,
  projected: ReadonlyMap<string, ItemProjection>,
  input: {
    lines: readonly PreviewLine[];
    minimums: readonly PeriodMinimum[];
    elsewhere: readonly PeriodCharge[];
    period: { start: Date; end: Date };
    currency: string;
  },
): ProjectedRange | null {
  const { minimums, elsewhere, period, currency } = input;
  const lines = input.lines.filter(({ kind }) => kind !== 'minimum_top_up');
  const isProjected = ({ subscriptionItemId: id }: PreviewLine) => id !== null && projected.has(id);
  const staying = lines.filter((line) => !isProjected(line));
  const amounts = staying.flatMap(({ amountMinor }) => (amountMinor === null ? [] : [amountMinor]));
  if (amounts.length < staying.length) return null;
  const going = lines.filter(isProjected);
  const charged = staying.map((line) => chargeOf(line, period)).filter(({ isOfPeriod }) => isOfPeriod);
  const fixed = [...charged, ...elsewhere];
  const topUps = minimums.map((minimum) => {
    const isOwn = ({ meterId }: { meterId: string | null }) => countsTowards(minimum, meterId);
    const fixedMinor = sum(fixed.filter(isOwn).map(({ amountMinor }) => amountMinor ?? 0n));
    const own = going.filter(isOwn);
    const expected = sum(
      own.map((line) => projected.get(line.subscriptionItemId ?? '')?.amountMinor?.expected ?? 0n),
    );
    const lacking = (amountMinor: bigint) =>
      lackingOf(minimum.minimumMinor, fixedMinor + amountMinor, currency);
    return own.length === going.length ? lacking : () => lacking(expected);
  });
  const toTotal = (amountMinor: bigint) =>
    amountMinor + sum(amounts) + sum(topUps.map((topUp) => topUp(amountMinor)));
  const { expected, p10, p50, p90 } = totalMinor;
  return { expected: toTotal(expected), p10: toTotal(p10), p50: toTotal(p50), p90: toTotal(p90) };
}
