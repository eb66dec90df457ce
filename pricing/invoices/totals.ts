import { divideHalfUp } from '../money.ts';
import { sum } from '../statistics.ts';
import { type CreditLeft, useCredits } from './credits.ts';

/** A whole, in the millionths in which percentages come. */
const WHOLE = 1_000_000n;

/** What is taken off an invoice as a whole and put on it; amounts in minor units, percentages in millionths. */
export interface InvoiceTerms {
  /** In order, each on what the one before it left. */
  discounts: readonly ({ percent: bigint } | { amountMinor: bigint })[];
  taxes: readonly { percent: bigint; isInclusive: boolean }[];
  /** Of the customer: below 0 it pays, above 0 it is owed besides. */
  balanceMinor: bigint;
}

/** A line as it stands on an invoice, before anything is taken off it. */
export interface TotalsLine {
  amountMinor: bigint;
  isDiscountable: boolean;
  /** The price of a subscription's item with a meter, which billing credits are for; null: they are not for this line. */
  creditPriceId: string | null;
}

/** What Stripe's documents, or its dashboard, leave open of how an invoice is added up. */
export interface TotalsReading {
  /** Of which every amount is a multiple, where the lines' are. */
  step: bigint;
  /** Taxes by hand are rounded for each line, or for each rate over the whole invoice: a setting of the account. */
  taxRounding: 'line' | 'invoice';
  /** Where the last minor units of a discount go: to the lines that lost most by rounding, or to the last line. */
  discountRest: 'most_lost' | 'last';
}

/** What an invoice comes to, part by part, in minor units. */
export interface InvoiceTotals {
  subtotalMinor: bigint;
  discountMinor: bigint;
  creditMinor: bigint;
  /** Exclusive tax; what is included is in the lines. */
  taxMinor: bigint;
  totalMinor: bigint;
  dueMinor: bigint;
}

/**
 * Discounts first, then billing credits on lines of meters, then tax on what is left, then the customer's balance: the order
 * that Stripe documents (docs.stripe.com/billing/subscriptions/coupons, .../usage-based/billing-credits "Apply credit
 * grants", docs.stripe.com/billing/taxes/tax-rates).
 * @param lines in the order in which they stand on the invoice
 * @param credits in the order in which they are used up
 */
export function totalsOf(
  lines: readonly TotalsLine[],
  terms: InvoiceTerms,
  credits: readonly CreditLeft[],
  reading: TotalsReading,
): InvoiceTotals {
  const amounts = lines.map(({ amountMinor }) => amountMinor);
  const discounted = takeDiscounts(lines, terms.discounts, reading);
  const credited = useCredits(
    lines.map(({ creditPriceId: priceId }, index) => ({ priceId, amountMinor: discounted[index] ?? 0n })),
    credits,
  );
  const nets = discounted.map((amount, index) => amount - (credited[index] ?? 0n));
  const taxMinor = taxOf(nets, terms.taxes, reading);
  const totalMinor = sum(nets) + taxMinor;
  const owed = totalMinor + terms.balanceMinor;
  return {
    subtotalMinor: sum(amounts),
    discountMinor: sum(amounts) - sum(discounted),
    creditMinor: sum(credited),
    taxMinor,
    totalMinor,
    dueMinor: owed > 0n ? owed : 0n,
  };
}

/** What discounts leave of each line. */
function takeDiscounts(
  lines: readonly TotalsLine[],
  discounts: InvoiceTerms['discounts'],
  { step, discountRest }: TotalsReading,
): bigint[] {
  return discounts.reduce<bigint[]>(
    (nets, discount) => {
      const bases = nets.map((net, index) => (lines[index]?.isDiscountable === true ? net : 0n));
      const base = sum(bases);
      if (base <= 0n) return nets;
      const total =
        'percent' in discount
          ? divideHalfUp(base * discount.percent, WHOLE * step) * step
          : discount.amountMinor < base
            ? discount.amountMinor
            : base;
      const shares = divideByParts(total, bases, { step, discountRest });
      return nets.map((net, index) => net - (shares[index] ?? 0n));
    },
    lines.map(({ amountMinor }) => amountMinor),
  );
}

/** A total in shares that are to each other as the parts, in multiples of the step. The sum of the parts is above 0. */
function divideByParts(
  total: bigint,
  parts: readonly bigint[],
  { step, discountRest }: Pick<TotalsReading, 'step' | 'discountRest'>,
): bigint[] {
  const unit = sum(parts) * step;
  const shares = parts.map((part, index) => {
    const whole = floorDivide(part * total, unit);
    return { index, isPart: part !== 0n, whole, lost: part * total - whole * unit };
  });
  let lacking = total / step - sum(shares.map(({ whole }) => whole));
  const inTurn =
    discountRest === 'last'
      ? shares.filter(({ isPart }) => isPart).slice(-1)
      : shares.toSorted((one, other) => (other.lost > one.lost ? 1 : other.lost < one.lost ? -1 : 0));
  const each = discountRest === 'last' ? lacking : 1n;
  for (const share of inTurn) {
    if (lacking <= 0n) break;
    share.whole += each;
    lacking -= each;
  }
  // What is no multiple of the step, as an amount off may be, goes where the rest goes.
  const rest = total % step;
  return shares.map(({ whole, index }) => whole * step + (index === inTurn[0]?.index ? rest : 0n));
}

function taxOf(
  nets: readonly bigint[],
  taxes: InvoiceTerms['taxes'],
  { step, taxRounding }: TotalsReading,
): bigint {
  const included = sum(taxes.map(({ percent, isInclusive }) => (isInclusive ? percent : 0n)));
  const bases = taxRounding === 'line' ? nets : [sum(nets)];
  return sum(
    taxes.flatMap(({ percent, isInclusive }) =>
      isInclusive ? [] : bases.map((base) => divideHalfUp(base * percent, (WHOLE + included) * step) * step),
    ),
  );
}

function floorDivide(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  return numerator < 0n && quotient * denominator !== numerator ? quotient - 1n : quotient;
}
