import { type BilledBefore, rateFurtherInSteps, shownOf, wholeOf } from '../rating/rate-further.ts';
import type { RatePrice } from '../rating/rate-price.ts';
import { type RatedLine, splitAmount } from '../rating/rating.ts';
import { sum } from '../statistics.ts';
import { countedBy, lineStepOf, type PreviewStripeLine } from './counted-lines.ts';

/** A metered subscription item as the ledger knows it. */
export interface PreviewItem {
  subscriptionItemId: string;
  priceId: string;
  description: string;
  /** In minor units; null: of a kind that we cannot rate. */
  price: RatePrice | null;
  meterId: string | null;
  /** A billing threshold has invoiced a part of the period that is not read yet: how tiers go on only Stripe knows. */
  isBilledInPart?: boolean;
  /** What thresholds have billed at its price within the period; null: nothing. */
  before?: BilledBefore | null;
}

/** Tokens of one model and feature in the ledger that belong to a meter and the previewed period. */
export interface PreviewUsage {
  meterId: string;
  model: string;
  feature: string;
  tokenCount: bigint;
  /** Of these, not pushed or pushed without an answer yet. */
  undeliveredTokenCount: bigint;
}

interface PreviewPart {
  /** Null: counted by Stripe and not known to the ledger. */
  model: string | null;
  feature: string | null;
  quantity: bigint;
  amountMinor: bigint | null;
}

/** Why a line has no amount of ours. */
type UnpricedReason =
  | 'price_not_rateable'
  | 'price_changed_since_sync'
  /** By a billing threshold; see `PreviewItem.isBilledInPart`. */
  | 'billed_in_part'
  | 'usage_unpriced';

type PreviewLineKind =
  | 'usage'
  /** Of a price that its item has left within the period. */
  | 'usage_at_former_price'
  /** What its own invoice could not hold any more. */
  | 'late_usage'
  | 'minimum_top_up'
  /** A fee, an item of somebody else. */
  | 'other';

export interface PreviewLine {
  kind: PreviewLineKind;
  /** Null: it is of no meter of ours. */
  meterId: string | null;
  subscriptionItemId: string | null;
  priceId: string | null;
  description: string;
  /** What the line was rated by; null: not by us. */
  price: RatePrice | null;
  quantity: bigint | null;
  /** What Stripe counts already; null when it did not answer or the line is not metered. */
  countedByStripe: bigint | null;
  /** What the ledger has and Stripe does not count yet; never negative. */
  notYetCounted: bigint | null;
  undelivered: bigint | null;
  /** The quantity rated, a line for each tier used; empty when not by us. */
  ratedLines: RatedLine[];
  /** Sum of the rated lines, each rounded once. Null, with a reason, when only Stripe could say and lacks usage. */
  amountMinor: bigint | null;
  unpricedReason: UnpricedReason | null;
  stripeAmountMinor: bigint | null;
  /** Whether our rating of what Stripe counts is Stripe's own amount; null when one of the two is missing. */
  equalsStripe: boolean | null;
  /** Per model and feature; quantities and amounts sum exactly to the line's. */
  parts: PreviewPart[];
  /** When that was used, where it is not the period of the invoice. */
  usedIn?: { start: Date; end: Date };
  /** What thresholds have billed at its price within the period: the line is what is left. */
  before?: BilledBefore;
}

/** Usage at a price that its item has left: Stripe has put it on an item, to which nothing is added. */
export interface PreviewLeft {
  meterId: string;
  period: { start: Date; end: Date };
  priceId: string;
  description: string;
  price: RatePrice | null;
  /** As of `PreviewItem`. */
  before?: BilledBefore | null;
  lines: readonly PreviewStripeLine[];
  usage: readonly PreviewUsage[];
}

/**
 * Merges Stripe's preview with the ledger's own totals of the same period.
 * @param stripeLines null when Stripe did not answer: then the ledger alone speaks
 */
export function mergePreview(input: {
  items: readonly PreviewItem[];
  stripeLines: readonly PreviewStripeLine[] | null;
  usage: readonly PreviewUsage[];
  /** Of items that are billed for another time than the rest, by item: instead of the above. */
  own?: ReadonlyMap<string, { period: { start: Date; end: Date }; usage: readonly PreviewUsage[] }>;
  /** Their lines are among Stripe's. */
  left?: readonly PreviewLeft[];
  /** Invoice items of ours that wait at Stripe. */
  lateItemIds?: ReadonlySet<string>;
  currency?: string;
}): PreviewLine[] {
  const { own, currency = 'usd' } = input;
  const step = lineStepOf(input, currency);
  const meteredIds = new Set(
    input.items.filter((item) => item.meterId !== null).map((item) => item.subscriptionItemId),
  );
  const metered = input.items
    .filter((item) => item.meterId !== null)
    .map((item): PreviewLine => {
      const { subscriptionItemId: id, meterId } = item;
      const its = own?.get(id);
      const line = mergeItem(
        item,
        input.stripeLines?.filter((line) => line.subscriptionItemId === id) ?? null,
        its?.usage ?? input.usage.filter((usage) => usage.meterId === meterId),
        step,
      );
      return its === undefined ? line : { ...line, usedIn: its.period };
    });
  const left = input.left ?? [];
  const standing = new Set(left.flatMap(({ lines }) => lines));
  const others = (input.stripeLines ?? [])
    .filter((line) => !standing.has(line))
    .filter((line) => line.subscriptionItemId === null || !meteredIds.has(line.subscriptionItemId))
    .map((line) => passLine(line, input.lateItemIds?.has(line.invoiceItemId ?? '') === true));
  return [...metered, ...left.map((one) => mergeLeft(one, step)), ...others];
}

/** What was used until an item left its price, as it stands: rated by us where that comes to what Stripe charges. */
function mergeLeft(
  { priceId, description, price, lines, usage, meterId, period, before = null }: PreviewLeft,
  step: bigint,
): PreviewLine {
  const used = sum(usage.map((entry) => entry.tokenCount));
  const whole = wholeOf(countedBy(lines, price, used, before), price, before);
  const quantity = shownOf(whole, price, before);
  const amountMinor = sum(lines.map((line) => line.amountMinor));
  const rated = price === null ? [] : rateFurtherInSteps(whole, price, before, step);
  const isEqual = price !== null && amountOf(rated) === amountMinor;
  return {
    kind: 'usage_at_former_price',
    meterId,
    subscriptionItemId: null,
    priceId,
    description,
    price: isEqual ? price : null,
    quantity,
    countedByStripe: quantity,
    notYetCounted: 0n,
    undelivered: 0n,
    ratedLines: isEqual ? rated : [],
    amountMinor,
    unpricedReason: null,
    stripeAmountMinor: amountMinor,
    equalsStripe: price === null ? null : isEqual,
    parts: partsOf(usage, quantity, amountMinor),
    usedIn: period,
    ...(before === null ? {} : { before }),
  };
}

function mergeItem(
  item: PreviewItem,
  stripeLines: readonly PreviewStripeLine[] | null,
  usage: readonly PreviewUsage[],
  step: bigint,
): PreviewLine {
  const ledgerTotal = sum(usage.map((entry) => entry.tokenCount));
  const { before = null } = item;
  const shown = stripeLines === null ? null : countedBy(stripeLines, item.price, ledgerTotal, before);
  const countedWhole = shown === null ? null : wholeOf(shown, item.price, before);
  // What was billed was counted, whether Stripe answers now or not.
  const notYetCounted = larger(ledgerTotal - (countedWhole ?? before?.tokenCount ?? 0n), 0n);
  const whole = (countedWhole ?? before?.tokenCount ?? 0n) + notYetCounted;
  const quantity = shownOf(whole, item.price, before);
  const counted = countedWhole === null ? null : shownOf(countedWhole, item.price, before);
  const stripeAmountMinor = stripeLines === null ? null : sum(stripeLines.map((line) => line.amountMinor));
  // A price never changes its amounts at Stripe; an item that has another one was not read since.
  const isStale =
    stripeLines?.some((line) => line.priceId !== null && line.priceId !== item.priceId) === true;
  const price = isStale ? null : item.price;
  const ratedLines = price === null ? [] : rateFurtherInSteps(whole, price, before, step);
  // What we cannot rate, Stripe can: its amount is right once it counts everything, and nothing is before.
  const amount =
    price !== null
      ? amountOf(ratedLines)
      : notYetCounted === 0n && counted !== null
        ? stripeAmountMinor
        : null;
  return {
    kind: 'usage',
    meterId: item.meterId,
    subscriptionItemId: item.subscriptionItemId,
    priceId: item.priceId,
    description: item.description,
    price,
    quantity,
    countedByStripe: counted,
    notYetCounted,
    undelivered: larger(sum(usage.map((entry) => entry.undeliveredTokenCount)), 0n),
    ratedLines,
    amountMinor: amount,
    unpricedReason: amount !== null ? null : whyUnpriced(item, isStale),
    stripeAmountMinor,
    equalsStripe:
      price === null || countedWhole === null || stripeAmountMinor === null
        ? null
        : amountOf(rateFurtherInSteps(countedWhole, price, before, step)) === stripeAmountMinor,
    parts: partsOf(usage, quantity, amount),
    ...(before === null ? {} : { before }),
  };
}

function whyUnpriced({ isBilledInPart }: PreviewItem, isStale: boolean): UnpricedReason {
  if (isStale) return 'price_changed_since_sync';
  return isBilledInPart === true ? 'billed_in_part' : 'price_not_rateable';
}

function partsOf(usage: readonly PreviewUsage[], quantity: bigint, amount: bigint | null): PreviewPart[] {
  // Corrections alone could leave a pair below zero; then no honest split exists, and none is shown.
  const splittable = usage.every((entry) => entry.tokenCount >= 0n);
  const attributed = splittable ? usage.filter((entry) => entry.tokenCount > 0n) : [];
  const rest = quantity - sum(attributed.map((entry) => entry.tokenCount));
  // What instalments have billed is taken off each in proportion.
  const billed =
    rest < 0n
      ? splitAmount(
          -rest,
          attributed.map(({ tokenCount }) => tokenCount),
        )
      : [];
  const pieces = [
    ...attributed.map(({ model, feature, tokenCount }, index) => ({
      model,
      feature,
      quantity: tokenCount - (billed[index] ?? 0n),
    })),
    ...(rest > 0n ? [{ model: null, feature: null, quantity: rest }] : []),
  ];
  if (amount === null || pieces.length === 0) {
    return pieces.map((piece) => ({ ...piece, amountMinor: null }));
  }
  const amounts = splitAmount(
    amount,
    pieces.map((piece) => piece.quantity),
  );
  return pieces.map((piece, index) => ({ ...piece, amountMinor: amounts[index] ?? 0n }));
}

/** A line that is not metered here (a flat fee, an invoice item): as Stripe says it. */
function passLine(line: PreviewStripeLine, isLate: boolean): PreviewLine {
  return {
    kind: isLate ? 'late_usage' : 'other',
    meterId: null,
    subscriptionItemId: line.subscriptionItemId,
    priceId: line.priceId,
    description: line.description,
    price: null,
    quantity: line.quantity,
    countedByStripe: null,
    notYetCounted: null,
    undelivered: null,
    ratedLines: [],
    amountMinor: line.amountMinor,
    unpricedReason: null,
    stripeAmountMinor: line.amountMinor,
    equalsStripe: null,
    parts: [],
  };
}

/** What rated lines come to in minor units: the sum of what each was rounded to. */
export function amountOf(lines: readonly RatedLine[]): bigint {
  return sum(lines.map((line) => line.amountMinor));
}

function larger(left: bigint, right: bigint): bigint {
  return left > right ? left : right;
}
