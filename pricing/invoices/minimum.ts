import { chargeStep, divideUp } from '../money.ts';
import { sum } from '../statistics.ts';

/** What a plan lets a billing period cost at least, before discounts, credits and tax (docs/decisions/0013-minimum-before-discounts.md). */
export interface PeriodMinimum {
  minimumMinor: bigint;
  /** Whose charges count towards it; null: those of all meters. */
  meterIds: readonly string[] | null;
}

/** With the name of its plan, as people are told. */
export interface NamedMinimum extends PeriodMinimum {
  planName: string;
}

/** What of a period is charged. */
export interface PeriodCharge {
  /** Null: it is of no meter. */
  meterId: string | null;
  /** In minor units; null: nobody can say yet. */
  amountMinor: bigint | null;
}

/** What an invoice adds to reach a minimum. */
export interface TopUp<Minimum extends PeriodMinimum> {
  minimum: Minimum;
  /** What counts towards it, as far as it is known. */
  chargedMinor: bigint;
  /** Null while a part of that is unknown. */
  topUpMinor: bigint | null;
}

/** What charges lack of each minimum. */
export function topUpsOf<Minimum extends PeriodMinimum>(
  minimums: readonly Minimum[],
  charges: readonly PeriodCharge[],
  currency: string,
): TopUp<Minimum>[] {
  return minimums.map((minimum) => {
    const own = charges.filter(({ meterId }) => countsTowards(minimum, meterId));
    const amounts = own.flatMap(({ amountMinor }) => (amountMinor === null ? [] : [amountMinor]));
    const chargedMinor = sum(amounts);
    const topUpMinor = lackingOf(minimum.minimumMinor, chargedMinor, currency);
    // What is not known can only make it less: where nothing is lacking, nothing will be.
    const isKnown = amounts.length === own.length || topUpMinor === 0n;
    return { minimum, chargedMinor, topUpMinor: isKnown ? topUpMinor : null };
  });
}

/** Whether charges of a meter count towards a minimum; those of none never do. */
export function countsTowards({ meterIds }: PeriodMinimum, meterId: string | null): boolean {
  return meterId !== null && (meterIds === null || meterIds.includes(meterId));
}

/** What is lacking of a minimum, in minor units: the least that can be charged and reaches it. */
export function lackingOf(minimumMinor: bigint, chargedMinor: bigint, currency: string): bigint {
  const lacking = minimumMinor - chargedMinor;
  const step = chargeStep(currency);
  return lacking > 0n ? divideUp(lacking, step) * step : 0n;
}
