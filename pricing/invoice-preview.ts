import { amountMinor, splitAmount } from './rating.ts';

/** A metered subscription item as the ledger knows it. */
export interface PreviewItem {
  subscriptionItemId: string;
  priceId: string;
  description: string;
  /** Minor units per token; null when tiered. */
  unitAmountDecimal: string | null;
  meterId: string | null;
}

/** A line of Stripe's own preview. Several may belong to one item (tiers). */
export interface PreviewStripeLine {
  description: string;
  subscriptionItemId: string | null;
  priceId: string | null;
  quantity: bigint | null;
  amountMinor: bigint;
  unitAmountDecimal: string | null;
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

export interface PreviewPart {
  /** Null: counted by Stripe and not known to the ledger. */
  model: string | null;
  feature: string | null;
  quantity: bigint;
  amountMinor: bigint | null;
}

export interface PreviewLine {
  subscriptionItemId: string | null;
  priceId: string | null;
  description: string;
  unitAmountDecimal: string | null;
  quantity: bigint | null;
  /** What Stripe counts already; null when it did not answer or the line is not metered. */
  countedByStripe: bigint | null;
  /** What the ledger has and Stripe does not count yet; never negative. */
  notYetCounted: bigint | null;
  undelivered: bigint | null;
  /** Rounded once for the line; null when the price is tiered and not all of the usage is at Stripe. */
  amountMinor: bigint | null;
  stripeAmountMinor: bigint | null;
  /** Per model and feature; quantities and amounts sum exactly to the line's. */
  parts: PreviewPart[];
}

/**
 * Merges Stripe's preview with the ledger's own totals of the same period.
 * @param stripeLines null when Stripe did not answer: then the ledger alone speaks
 */
export function mergePreview(input: {
  items: readonly PreviewItem[];
  stripeLines: readonly PreviewStripeLine[] | null;
  usage: readonly PreviewUsage[];
}): PreviewLine[] {
  const meteredIds = new Set(
    input.items.filter((item) => item.meterId !== null).map((item) => item.subscriptionItemId),
  );
  const metered = input.items
    .filter((item) => item.meterId !== null)
    .map((item) =>
      mergeItem(
        item,
        input.stripeLines?.filter((line) => line.subscriptionItemId === item.subscriptionItemId) ?? null,
        input.usage.filter((usage) => usage.meterId === item.meterId),
      ),
    );
  const others = (input.stripeLines ?? [])
    .filter((line) => line.subscriptionItemId === null || !meteredIds.has(line.subscriptionItemId))
    .map(passLine);
  return [...metered, ...others];
}

function mergeItem(
  item: PreviewItem,
  stripeLines: readonly PreviewStripeLine[] | null,
  usage: readonly PreviewUsage[],
): PreviewLine {
  const ledgerTotal = sum(usage.map((entry) => entry.tokenCount));
  const counted = stripeLines === null ? null : sum(stripeLines.map((line) => line.quantity ?? 0n));
  const notYetCounted = larger(ledgerTotal - (counted ?? 0n), 0n);
  const quantity = (counted ?? 0n) + notYetCounted;
  const [only, ...further] = stripeLines ?? [];
  const unitAmountDecimal =
    item.unitAmountDecimal === null || further.length > 0
      ? null
      : (only?.unitAmountDecimal ?? item.unitAmountDecimal);
  const stripeAmountMinor = stripeLines === null ? null : sum(stripeLines.map((line) => line.amountMinor));
  // Tiers are Stripe's to apply: its own amount is right once it counts everything, and nothing is before.
  const amount =
    unitAmountDecimal !== null
      ? amountMinor(quantity, unitAmountDecimal)
      : notYetCounted === 0n
        ? stripeAmountMinor
        : null;
  return {
    subscriptionItemId: item.subscriptionItemId,
    priceId: item.priceId,
    description: item.description,
    unitAmountDecimal,
    quantity,
    countedByStripe: counted,
    notYetCounted,
    undelivered: larger(sum(usage.map((entry) => entry.undeliveredTokenCount)), 0n),
    amountMinor: amount,
    stripeAmountMinor,
    parts: partsOf(usage, quantity, amount),
  };
}

function partsOf(usage: readonly PreviewUsage[], quantity: bigint, amount: bigint | null): PreviewPart[] {
  // Corrections alone could leave a pair below zero; then no honest split exists, and none is shown.
  const splittable = usage.every((entry) => entry.tokenCount >= 0n);
  const attributed = splittable ? usage.filter((entry) => entry.tokenCount > 0n) : [];
  const rest = quantity - sum(attributed.map((entry) => entry.tokenCount));
  const pieces = [
    ...attributed.map(({ model, feature, tokenCount }) => ({ model, feature, quantity: tokenCount })),
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
function passLine(line: PreviewStripeLine): PreviewLine {
  return {
    subscriptionItemId: line.subscriptionItemId,
    priceId: line.priceId,
    description: line.description,
    unitAmountDecimal: line.unitAmountDecimal,
    quantity: line.quantity,
    countedByStripe: null,
    notYetCounted: null,
    undelivered: null,
    amountMinor: line.amountMinor,
    stripeAmountMinor: line.amountMinor,
    parts: [],
  };
}

function sum(values: readonly bigint[]): bigint {
  return values.reduce((total, value) => total + value, 0n);
}

function larger(left: bigint, right: bigint): bigint {
  return left > right ? left : right;
}
