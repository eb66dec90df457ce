import { FREE } from '../../../pricing/rating/rate-price.ts';
import { rateUsage } from '../../../pricing/rating/rate-usage.ts';
import type { DraftQuantities } from '../../../sandbox/stripe/account.ts';
import type { ClosingInvoice } from '../../../src/stripe/closing/port.ts';
import type { Readings } from './account.ts';
import { certify, compare, type Period, type Segment, state, topUpOf } from './certify.ts';
import type { Customer } from './customer.ts';
import { oracleLate, oracleParts, oracleTopUp, oracleTotals } from './period-oracle.ts';
import { CURRENCIES } from './plan-spec.ts';
import type { LateSegment } from './previewed.ts';
import { keyUnder } from './usage.ts';

/** Opinions on one billing period, in minor units. */
export interface ComparedPeriod {
  what: string;
  /** What the oracle expects of each part of the usage, line by line, and of the whole. */
  expected: { lines: bigint[][]; subtotal: bigint; total: bigint; due: bigint };
  /** The invoice's, as Stripe has it. */
  invoiced: { lines: bigint[][]; total: bigint; due: bigint };
  /** By our rating: lines, null where the currency's are rounded to what can be charged; by the certificate, and the whole. */
  rated: { lines: bigint[][] | null; amounts: bigint[]; subtotal: bigint; total: bigint };
  /** By the statement: the lines, and what its tables divide of the usage. */
  stated: { subtotal: bigint; total: bigint; usage: bigint; tables: bigint[]; expectedUsage: bigint };
  /** One second before the period's end; null: the preview does not say. */
  previewed: { subtotal: bigint | null; total: bigint | null; due: bigint | null; reason: string | null };
  /** What a quote for more usage adds, and what it adds to the preview; null: none was asked for. */
  quoted: { added: bigint | null; difference: bigint | null } | null;
  /** By which the certificate's halves differ, beyond what Stripe forwent. */
  driftTokens: bigint;
  driftMinor: bigint;
  marks: {
    topUp: boolean;
    swapped: boolean;
    forgone: boolean;
    storage: boolean;
    late: boolean;
    takenUp: boolean;
    trial: boolean;
    partTrial: boolean;
    packages: boolean;
    unsent: boolean;
    quoted: boolean;
    previewedTotal: boolean;
    coupon: boolean;
    tax: boolean;
    credits: boolean;
    balance: boolean;
    currency: string;
    drafts: DraftQuantities;
  };
}

/** How the account's stand-in reads what Stripe leaves open. */
export interface AccountReadings {
  draftQuantities: DraftQuantities;
  roundsLinesToSteps: boolean;
  readings: Readings;
}

/** What is known of a period beside its invoice. */
export interface JudgedFacts {
  account: AccountReadings;
  stored: bigint;
  late: LateSegment | null;
  isUnsent: boolean;
  said: Pick<ComparedPeriod, 'previewed' | 'quoted'>;
}

/** What everybody says of a period that is over, beside what the oracle expects; what is used up is taken from the terms. */
export function comparePeriod(
  customer: Customer,
  period: Period,
  invoice: ClosingInvoice,
  facts: JudgedFacts,
): ComparedPeriod & { topUp: bigint } {
  const { stored, late, said, account } = facts;
  const { roundsLinesToSteps, readings } = account;
  const { segments, start, end } = period;
  const { plan, storage, terms } = customer;
  const isTrial = segments.some((segment) => segment.isTrial);
  const { step } = CURRENCIES[plan.currency];
  const roundedTo = roundsLinesToSteps ? step : 1n;
  const comparison = compare(customer, period, invoice);
  const certificate = certify(comparison);
  const statement = state(customer, period, invoice);

  const parts = segments.map(({ spec, used, isLeft, isForgone, isTrial: isFree }) => {
    if (isFree) return [[0n]];
    return isForgone || (isLeft && used <= 0n) ? [] : oracleParts(spec, used, roundedTo);
  });
  const lines = parts.map((tiers) => tiers.map(sum));
  const charged = sum(lines.flat());
  const topUp = isTrial ? 0n : oracleTopUp(plan.minimumMinor, charged, step);
  const storageMinor = storage === null || isTrial ? 0n : stored * storage.unitMinor;
  const lateMinor = late === null ? 0n : oracleLate(late, step);
  const subtotal = charged + topUp + storageMinor + lateMinor;
  const isWhole = [...lines.flat(), topUp, storageMinor, lateMinor].every(
    (amount) => amount % roundedTo === 0n,
  );
  const before = { grants: grantedOf(terms), balanceMinor: terms.balanceMinor };
  const oracle = (isLeft: boolean, takesCredits: boolean) =>
    segments.flatMap((segment, index) =>
      segment.isLeft === isLeft
        ? (parts[index] ?? [])
            .flat()
            .map((amount) => ({ amount, priceId: takesCredits ? segment.priceId : null }))
        : [],
    );
  const { total, due } = oracleTotals(
    terms,
    [
      ...oracle(false, true),
      ...(storage === null ? [] : [{ amount: storageMinor, priceId: storage.priceId }]),
      ...oracle(true, readings.creditsFormerPrices),
      { amount: lateMinor, priceId: null },
      { amount: topUp, priceId: null },
    ],
    { step: isWhole ? roundedTo : 1n, taxRounding: readings.taxRounding, end },
  );
  const forgone = segments.filter(({ isForgone, used }) => isForgone && used > 0n);
  const { byDay, byModel, byFeature, byUser, totals } = statement;
  const ratedTopUp =
    topUpOf({ ...comparison, minimums: comparison.minimums.map((one) => ({ ...one })) })?.amount ?? 0n;
  const amounts = segments.map(({ meterId, start: since }) =>
    BigInt(
      comparison.meters.find(
        (meter) => meter.stripeMeterId === meterId && Date.parse(meter.period.start) === since.getTime(),
      )?.ratedAmountMinor ?? '0',
    ),
  );
  return {
    topUp,
    what: describe(customer, segments),
    expected: { lines, subtotal, total, due },
    invoiced: {
      lines: segments.map((segment) => linesOf(invoice, segment)),
      total: invoice.totalMinor,
      due: invoice.amountDueMinor,
    },
    rated: {
      lines: roundedTo > 1n ? null : segments.map(ratedLinesOf),
      amounts,
      subtotal: sum(amounts) + ratedTopUp + storageMinor + (period.late?.charge.amountMinor ?? 0n),
      total: BigInt(comparison.totalMinor),
    },
    stated: {
      subtotal: totals.lineMinor,
      total: totals.invoiceMinor,
      usage: totals.usageMinor,
      tables: [byDay, byModel, byFeature, byUser].map(
        ({ rows, rest }) => sum(rows.map((row) => row.amountMinor)) + (rest?.amountMinor ?? 0n),
      ),
      expectedUsage: charged,
    },
    ...said,
    driftTokens: certificate.driftTokenCount - sum(forgone.map(({ used }) => used)),
    driftMinor: certificate.driftAmountMinor,
    marks: {
      ...marksOf(customer, period, facts),
      topUp: topUp > 0n,
      swapped: segments.some(({ isLeft, start: since, used }) => isLeft && +since === +start && used > 0n),
      forgone: forgone.length > 0,
      storage: storageMinor > 0n,
      coupon: terms.off > 0n && subtotal > 0n,
      tax: terms.tax > 0n && subtotal > 0n,
      credits: before.grants > grantedOf(terms),
      balance: before.balanceMinor > terms.balanceMinor,
    },
  };
}

/** A trial of the whole period, of which Stripe makes no invoice. */
export function notInvoiced(customer: Customer, period: Period, facts: JudgedFacts): ComparedPeriod {
  if (period.segments.some(({ isTrial }) => !isTrial))
    throw new Error(`there is no invoice of ${customer.customerId}`);
  const none = { lines: [], subtotal: 0n, total: 0n, due: 0n };
  return {
    what: describe(customer, period.segments),
    expected: none,
    invoiced: none,
    rated: { ...none, amounts: [] },
    stated: { subtotal: 0n, total: 0n, usage: 0n, tables: [], expectedUsage: 0n },
    ...facts.said,
    driftTokens: 0n,
    driftMinor: 0n,
    marks: marksOf(customer, period, facts),
  };
}

function marksOf(
  customer: Customer,
  { segments, start }: Period,
  { late, isUnsent, said, account }: JudgedFacts,
): ComparedPeriod['marks'] {
  return {
    topUp: false,
    swapped: false,
    forgone: false,
    storage: false,
    late: late !== null,
    takenUp: late?.segment.isForgone === true,
    trial: segments.some(({ isTrial }) => isTrial),
    partTrial: customer.trialEndsAt !== null && +customer.trialEndsAt === +start,
    packages: segments.some(({ spec, used }) => spec.package !== null && used > 0n),
    unsent: isUnsent,
    quoted: said.quoted !== null,
    previewedTotal: said.previewed.total !== null,
    coupon: false,
    tax: false,
    credits: false,
    balance: false,
    currency: customer.plan.currency,
    drafts: account.draftQuantities,
  };
}

/** What the house rates of a part, line by line. */
function ratedLinesOf({ rate: agreed, used, isForgone, isLeft, isTrial }: Segment): bigint[] {
  if (isForgone || (isLeft && used <= 0n)) return [];
  const rate = isTrial ? { ...agreed, price: FREE } : agreed;
  const { lines } = rateUsage([{ ...keyUnder(rate), tokenCount: used }], [rate], 0n);
  return lines.flatMap((line) => line.tierLines.map((tier) => tier.amountMinor));
}

/** A tier's flat amount is a line of its own, after the tier's tokens. */
function linesOf(invoice: ClosingInvoice, { itemId, priceId, isLeft }: Segment): bigint[] {
  const folded: bigint[] = [];
  for (const line of invoice.lines) {
    const isIts = isLeft
      ? line.invoiceItemId !== null && line.priceId === priceId
      : line.invoiceItemId === null && line.subscriptionItemId === itemId;
    if (!isIts) continue;
    const isFlat = line.unitAmountDecimal === null || (isLeft && line.quantity === 0n);
    if (isFlat && folded.length > 0) folded.push((folded.pop() ?? 0n) + line.amountMinor);
    else folded.push(line.amountMinor);
  }
  return folded;
}

const grantedOf = ({ grants }: Customer['terms']) => sum(grants.map(({ leftMinor }) => leftMinor));

const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);

function describe({ plan }: Customer, segments: readonly Segment[]): string {
  const used = segments.map((segment) => segment.used);
  return JSON.stringify({ plan, used }, (_, value) => (typeof value === 'bigint' ? String(value) : value));
}
