import {
  toSeconds,
  type WireInvoiceLine,
  type WirePrice,
  type WireSubscriptionItem,
  type WireTier,
} from '../http/wire.ts';
import { chargeStep, formatDecimal, parseDecimal, priceLine } from '../money.ts';
import { amountsIn } from '../prices.ts';
import type { BilledEarlier, MeteredItem, StripeState } from '../state.ts';
import { itemLine } from './item-line.ts';

export interface LineInput {
  state: StripeState;
  customerId: string;
  subscriptionId: string;
  metered: readonly MeteredItem[];
  periodEndMs: number;
  /** Where the lines say another end than their usage has. */
  shownEndMs?: number;
  /** Usage received later than this is not in yet. */
  receivedUntilMs: number;
  /** Null for previews. */
  invoiceId: string | null;
  linePrefix: string;
}

/** What one line charges; `unitAmountDecimal` null: a flat amount, which has no quantity, or one taken back. */
export interface Charge {
  /** Null: the line has none. */
  quantity: bigint | null;
  unitAmountDecimal: string | null;
  amount: bigint;
  description: string;
}

/** The lines of every item of the subscription, those with nothing used included, as Stripe does. */
export function computeLines(input: LineInput): WireInvoiceLine[] {
  const { currency = 'usd' } = input.state.subscriptions.get(input.subscriptionId)?.wire ?? {};
  return input.metered.flatMap((metered) => {
    const used = quantityOf(input, metered);
    const charges = metered.isTrial
      ? [trialCharge(input.state, metered.item, used)]
      : chargesOf(input.state, metered.item, used, currency, metered.billedEarlier);
    return charges.map((charge, index) => toLine(input, metered, { ...charge, currency }, index));
  });
}

/** What a meter counts of a customer between two instants, never below 0. */
export function quantityOf(
  input: Pick<LineInput, 'state' | 'customerId' | 'periodEndMs' | 'receivedUntilMs'>,
  { item, fromMs }: MeteredItem,
): bigint {
  const { state } = input;
  const meterId = item.price.recurring?.meter ?? null;
  if (meterId === null) return state.usageRecords.total(item.id, { fromMs, untilMs: input.periodEndMs });
  const meter = state.meters.get(meterId);
  if (meter === undefined || fromMs >= input.periodEndMs) return 0n;
  const used = state.usage.aggregate(input.customerId, meter, {
    startSeconds: toSeconds(fromMs),
    endSeconds: toSeconds(input.periodEndMs),
    receivedUntilMs: input.receivedUntilMs,
  });
  // Corrections may outweigh the usage they correct; Stripe then bills nothing, and pays nothing back.
  return used < 0n ? 0n : used;
}

/** As on an invoice in the flexible billing mode (docs.stripe.com/billing/subscriptions/billing-mode/compare). */
function trialCharge(state: StripeState, item: WireSubscriptionItem, quantity: bigint): Charge {
  const description = `Free trial for ${quantity} × ${nameOf(state, item)}`;
  return { quantity, unitAmountDecimal: '0', amount: 0n, description };
}

function nameOf(state: StripeState, { price }: WireSubscriptionItem): string {
  const productId = String(price.product);
  return state.products.get(productId)?.name ?? productId;
}

/**
 * What a quantity costs at an item's price in a currency: one charge, or those of its tiers. Of what thresholds have
 * billed before, tiers go on where they stood; a price by volume is charged for all, and what was billed is taken back
 * (docs.stripe.com/billing/subscriptions/usage-based/thresholds).
 */
export function chargesOf(
  state: StripeState,
  item: WireSubscriptionItem,
  quantity: bigint,
  currency: string,
  earlier: BilledEarlier = NOTHING_BILLED,
): Charge[] {
  const { price } = item;
  const name = nameOf(state, item);
  const amounts = amountsIn(state, price, currency);
  if (amounts === undefined) throw new RangeError(`price ${price.id} has no amount in ${currency}`);
  const { tiers } = amounts;
  const step = state.roundsLinesToSteps ? chargeStep(currency) : 1n;
  if (tiers === null) {
    const unitAmountDecimal = amounts.unitAmountDecimal ?? '0';
    const packages = further(packagesOf(price, quantity), packagesOf(price, earlier.quantity));
    const amount = priceLine(packages, unitAmountDecimal, step);
    const shown = state.packageQuantities === 'packages' ? packages : further(quantity, earlier.quantity);
    return [{ quantity: shown, unitAmountDecimal, amount, description: `${shown} × ${name}` }];
  }
  if (price.tiers_mode === 'volume') {
    const charges = tierCharges(volumePart(tiers, quantity), { name, currency, step });
    if (earlier.amount === 0n) return charges;
    const description = `Amount previously billed for ${name}`;
    return [...charges, { quantity: null, unitAmountDecimal: null, amount: -earlier.amount, description }];
  }
  const before = earlier === NOTHING_BILLED ? [] : graduatedParts(tiers, earlier.quantity);
  const parts = graduatedParts(tiers, quantity).flatMap((part) => {
    const billed = before.find(({ number }) => number === part.number);
    if (billed === undefined) return [part];
    const more = further(part.quantity, billed.quantity);
    return more === 0n ? [] : [{ ...part, quantity: more, isEntered: true }];
  });
  const last = before.slice(-1).map((part) => ({ ...part, quantity: 0n, isEntered: true }));
  return tierCharges(parts.length === 0 ? last : parts, { name, currency, step });
}

/** Corrections may leave less than was billed; nothing is paid back for that. */
function further(quantity: bigint, before: bigint): bigint {
  return quantity > before ? quantity - before : 0n;
}

const NOTHING_BILLED: BilledEarlier = { quantity: 0n, amount: 0n, untilMs: 0 };

/** Units as the price counts them: as they are, or divided and rounded. */
function packagesOf({ transform_quantity: transform }: WirePrice, quantity: bigint): bigint {
  if (transform === null) return quantity;
  const divideBy = BigInt(transform.divide_by);
  return (quantity + (transform.round === 'up' ? divideBy - 1n : 0n)) / divideBy;
}

function tierCharges(
  parts: readonly TierPart[],
  { name, currency, step }: { name: string; currency: string; step: bigint },
): Charge[] {
  return parts.flatMap(({ tier, number, quantity: used, isEntered }) => {
    const unitAmountDecimal = tier.unit_amount_decimal ?? '0';
    const label = (cents: string) => `${name} (Tier ${number} at ${showPrice(cents, currency)} / month)`;
    const usage: Charge = {
      quantity: used,
      unitAmountDecimal,
      amount: priceLine(used, unitAmountDecimal, step),
      description: `${used} × ${label(unitAmountDecimal)}`,
    };
    const flat = tier.flat_amount_decimal;
    if (flat === null || isEntered === true) return [usage];
    // As seen on a real invoice: a line of its own without quantity, also where the flat amount is 0.
    return [
      usage,
      { quantity: 0n, unitAmountDecimal: null, amount: priceLine(1n, flat), description: label(flat) },
    ];
  });
}

interface TierPart {
  tier: WireTier;
  /** From 1, as on the invoice. */
  number: number;
  quantity: bigint;
  /** Before: its flat amount is billed. */
  isEntered?: boolean;
}

/** The part of the quantity in each tier that it reaches; the first tier is always reached. */
function graduatedParts(tiers: readonly WireTier[], quantity: bigint): TierPart[] {
  const parts: TierPart[] = [];
  let below = 0n;
  for (const [index, tier] of tiers.entries()) {
    if (index > 0 && quantity <= below) break;
    const end = tier.up_to === null || quantity < BigInt(tier.up_to) ? quantity : BigInt(tier.up_to);
    parts.push({ tier, number: index + 1, quantity: end - below });
    below = end;
  }
  return parts;
}

/** All of the quantity in the tier it falls into. */
function volumePart(tiers: readonly WireTier[], quantity: bigint): TierPart[] {
  const index = tiers.findIndex((tier) => tier.up_to === null || quantity <= BigInt(tier.up_to));
  const tier = tiers[index];
  return tier === undefined ? [] : [{ tier, number: index + 1, quantity }];
}

/** Minor units per token as a price in major units: `$0.000003`, at least two decimals. */
function showPrice(minorDecimal: string, currency: string): string {
  const major = formatDecimal(parseDecimal(minorDecimal), 14);
  const [whole = '0', fraction = ''] = major.split('.');
  const symbol = currency === 'usd' ? '$' : currency === 'eur' ? '€' : `${currency.toUpperCase()} `;
  return `${symbol}${whole}.${fraction.padEnd(2, '0')}`;
}

function toLine(
  input: LineInput,
  { item, fromMs, billedEarlier }: MeteredItem,
  charge: Charge & { currency: string },
  index: number,
): WireInvoiceLine {
  const isSliced = billedEarlier !== undefined && input.state.thresholdPeriods === 'slices';
  // By the item and not by its place: a line keeps its id when tiers or items before it come and go.
  const place = index === 0 ? '' : `t${index}`;
  return itemLine(item, {
    id: `${input.linePrefix}${item.id.slice(-4)}${place}`,
    invoiceId: input.invoiceId,
    subscriptionId: input.subscriptionId,
    currency: charge.currency,
    description: charge.description,
    amount: charge.amount,
    quantity: charge.quantity,
    unitAmountDecimal: charge.unitAmountDecimal,
    startMs: isSliced ? billedEarlier.untilMs : fromMs,
    endMs: input.shownEndMs ?? input.periodEndMs,
  });
}
