import { lackingOf } from '../invoices/minimum.ts';
import { type CloseCollection, isChained, type RecordedCollection } from './collection.ts';
import type { UninvoicedReason } from './fate.ts';
import { type CloseMeterFigures, shownOfStripe, shownPackages, shownTokens } from './meter.ts';

/** Version of the form: a certificate says by which rules it is to be read. */
const CERTIFICATE_FORMAT = 'tallystick-close-certificate/2';
/** Before windows were chained: its collection is a hash over query texts. */
const RECORDED_CERTIFICATE_FORMAT = 'tallystick-close-certificate/1';

/** Counts and amounts are decimal text, instants ISO text: JSON has neither. */
export interface CloseTokenTypeFigures {
  stripeMeterId: string | null;
  tokenType: string;
  /** What the source told, and in how many rows. */
  sourceTokens: string;
  sourceRows: string;
  /** Of that, what waits in quarantine before metering. */
  heldTokens: string;
  /** What was made into usage events, and what of it the meter confirmed by the hour. */
  eventTokens: string;
  meteredTokens: string;
  meteredHours: string;
  /** What Stripe acknowledged. */
  pushedTokens: string;
  /** Settled, and waiting: for the next invoice, or with another reason. */
  carriedOutTokens: string;
  quarantinedTokens: string;
}

/** A metric that nobody knows, and that counted something in the period: it waits. */
export interface CloseUnknownMetric {
  metricName: string;
  rowCount: string;
  tokenCount: string;
}

/** What was delivered of a meter and no invoice has: nobody is charged for it. */
interface CloseUninvoiced {
  stripeMeterId: string;
  eventName: string;
  /** Why; absent in certificates of before, where the price was swapped without proration. */
  reason?: UninvoicedReason;
  period: { start: string; end: string };
  tokenCount: string;
  pushCount: string;
}

export interface CloseLateItem {
  lateItemId: string;
  stripeMeterId: string;
  period: { start: string; end: string };
  tokenCount: string;
  amountMinor: string;
  /** What the invoice has for it; null: it is not on it. */
  invoiceAmountMinor: string | null;
}

/** What a plan lets a billing period cost at least, and what of it is on the invoice. Amounts are decimal text. */
export interface CloseMinimum {
  planId: string;
  planName: string;
  versionId: string;
  minimumMinor: string;
  /** What the plan's meters cost in this period, late usage and other invoices of the same period included. */
  linesMinor: string;
  /** Items that bring it up to the minimum. */
  topUpMinor: string;
  topUpLineIds: readonly string[];
  stripeMeterIds: readonly string[];
}

/** Everything that was held against each other for one invoice. */
export interface CloseComparison {
  comparedAt: string;
  invoiceId: string;
  customerId: string;
  subscriptionId: string;
  currency: string;
  period: { start: string; end: string };
  tokenTypes: readonly CloseTokenTypeFigures[];
  /** Metrics that nobody knows; absent without any. Whose part their tokens are is not known: no figure above holds them. */
  unknownMetrics?: readonly CloseUnknownMetric[];
  meters: readonly CloseMeterFigures[];
  /** Absent where every delivery is on a line. */
  uninvoiced?: readonly CloseUninvoiced[];
  lateItems: readonly CloseLateItem[];
  minimums: readonly CloseMinimum[];
  /** Lines that are not usage: fees, items of others. */
  otherLines: readonly { lineId: string; amountMinor: string }[];
  totalMinor: string;
  /** Of a comparison from before windows were chained, a `RecordedCollection`. */
  collection: CloseCollection | RecordedCollection;
  priceBookVersion: string;
  planVersions: readonly { planId: string; versionId: string }[];
}

/** One thing that is not as it must be. */
export interface CloseDifference {
  kind: 'source' | 'quantity' | 'amount' | 'uninvoiced' | 'late_item' | 'minimum';
  /** Meter, token type, late item or plan. */
  subject: string;
  expected: string;
  found: string;
}

/**
 * What differs: source from events (less what waits), the invoice's quantities from what Stripe acknowledged, its
 * amounts from our own rating, late items from what was planned, top-ups
 * from what minimums lack. Empty: the halves match.
 */
export function findCloseDifferences(comparison: CloseComparison): CloseDifference[] {
  const differences: CloseDifference[] = [];
  for (const row of comparison.tokenTypes) {
    const accounted = BigInt(row.heldTokens) + BigInt(row.eventTokens);
    if (BigInt(row.sourceTokens) !== accounted) {
      const subject = `${row.stripeMeterId ?? 'no meter'} ${row.tokenType}`;
      differences.push({ kind: 'source', subject, expected: row.sourceTokens, found: String(accounted) });
    }
  }
  for (const meter of comparison.meters) {
    const expected = shownTokens(meter);
    const isShown =
      BigInt(meter.invoiceQuantity) === expected || BigInt(meter.invoiceQuantity) === shownPackages(meter);
    if (!isShown) {
      const found = meter.invoiceQuantity;
      differences.push({ kind: 'quantity', subject: meter.eventName, expected: String(expected), found });
    }
    if (meter.ratedAmountMinor !== null && meter.ratedAmountMinor !== meter.invoiceAmountMinor) {
      const { ratedAmountMinor, invoiceAmountMinor } = meter;
      differences.push({
        kind: 'amount',
        subject: meter.eventName,
        expected: ratedAmountMinor,
        found: invoiceAmountMinor,
      });
    }
  }
  for (const { eventName, tokenCount } of comparison.uninvoiced ?? []) {
    differences.push({ kind: 'uninvoiced', subject: eventName, expected: tokenCount, found: '0' });
  }
  for (const item of comparison.lateItems) {
    if (item.invoiceAmountMinor !== item.amountMinor) {
      const found = item.invoiceAmountMinor ?? 'not on the invoice';
      differences.push({ kind: 'late_item', subject: item.lateItemId, expected: item.amountMinor, found });
    }
  }
  for (const minimum of comparison.minimums) {
    const expected = String(minimumTopUp(minimum, comparison.currency));
    if (minimum.topUpMinor !== expected)
      differences.push({ kind: 'minimum', subject: minimum.planId, expected, found: minimum.topUpMinor });
  }
  return differences;
}

/**
 * The same of a draft, whose quantities Stripe brings up to date when it finalizes, at the latest: a line proves what it
 * shows, and otherwise Stripe's own sum of the meter does. What a line that stands still charges says nothing. What Stripe
 * forgoes is no reason to hold the rest.
 */
export function findDraftDifferences(comparison: CloseComparison): CloseDifference[] {
  const open = comparison.meters.filter((meter) => BigInt(meter.invoiceQuantity) !== shownTokens(meter));
  const bySum = open.filter(
    ({ stripeTokens, pushedTokens, ratedAmountMinor, stripeMeterId, standsStill }) =>
      standsStill !== true &&
      stripeTokens === pushedTokens &&
      // A minimum is topped up by our own rating: where there is none, by what the line charges.
      (ratedAmountMinor !== null ||
        comparison.minimums.every((minimum) => !minimum.stripeMeterIds.includes(stripeMeterId))),
  );
  const proven = new Set(bySum);
  const { uninvoiced: _, ...rest } = comparison;
  return findCloseDifferences({
    ...rest,
    meters: comparison.meters
      .filter((meter) => !proven.has(meter))
      .map((meter) =>
        open.includes(meter) && meter.standsStill !== true
          ? {
              ...meter,
              ratedAmountMinor: null,
              invoiceQuantity: shownOfStripe(meter) ?? meter.invoiceQuantity,
            }
          : meter,
      ),
  });
}

/** What the lines lack of the minimum, in minor units. */
export function minimumTopUp({ minimumMinor, linesMinor }: CloseMinimum, currency: string): bigint {
  return lackingOf(BigInt(minimumMinor), BigInt(linesMinor), currency);
}

export interface CloseOutcome {
  outcome: 'finalized' | 'finalized_without_us';
  /** Who let it go in spite of a difference, and why. */
  release: { by: string; reason: string } | null;
}

export interface BuiltCertificate {
  /** Canonical JSON: what is hashed. */
  content: string;
  /** Tokens and minor units by which the halves differ, without regard to sign. */
  driftTokenCount: bigint;
  driftAmountMinor: bigint;
}

/** The certificate of a closed invoice, as the one text that it always is. */
export function buildCloseCertificate(comparison: CloseComparison, end: CloseOutcome): BuiltCertificate {
  const differences = findCloseDifferences(comparison);
  const sum = (rows: readonly string[]) => String(rows.reduce((total, row) => total + BigInt(row), 0n));
  let driftTokenCount = 0n;
  let driftAmountMinor = 0n;
  for (const { kind, expected, found } of differences) {
    const isTokens = kind === 'source' || kind === 'quantity' || kind === 'uninvoiced';
    const have = kind === 'late_item' && !/^-?\d+$/.test(found) ? 0n : BigInt(found);
    const gap = BigInt(expected) - have;
    if (isTokens) driftTokenCount += gap < 0n ? -gap : gap;
    else driftAmountMinor += gap < 0n ? -gap : gap;
  }
  const { tokenTypes, lateItems } = comparison;
  const content = canonicalJson({
    format: isChained(comparison.collection) ? CERTIFICATE_FORMAT : RECORDED_CERTIFICATE_FORMAT,
    ...comparison,
    ...end,
    carriedInTokens: sum(lateItems.map((item) => item.tokenCount)),
    carriedOutTokens: sum(tokenTypes.map((row) => row.carriedOutTokens)),
    quarantinedTokens: sum(tokenTypes.flatMap((row) => [row.heldTokens, row.quarantinedTokens])),
    differences,
    drift: { tokens: String(driftTokenCount), amountMinor: String(driftAmountMinor) },
  });
  return { content, driftTokenCount, driftAmountMinor };
}

/** JSON with keys in order of their code points and no spaces: equal content is equal text. Bigints become text. */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'bigint') return JSON.stringify(String(value));
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`;
}
