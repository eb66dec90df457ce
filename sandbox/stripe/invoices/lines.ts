import { toSeconds, type WireInvoiceLine, type WireSubscriptionItem, type WireTier } from '../http/wire.ts';
import { chargeStep, formatDecimal, parseDecimal, priceLine } from '../money.ts';
import { amountsIn } from '../prices.ts';
import type { MeteredItem, StripeState } from '../state.ts';

export interface LineInput {
  state: StripeState;
  customerId: string;
  subscriptionId: string;
  metered: readonly MeteredItem[];
  periodEndMs: number;
  /** Usage received later than this is not in yet. */
  receivedUntilMs: number;
  /** Null for previews. */
  invoiceId: string | null;
  linePrefix: string;
}

/** What one line charges; `unitAmountDecimal` null: a flat amount, which has no quantity. */
export interface Charge {
  quantity: bigint;
  unitAmountDecimal: string | null;
  amount: bigint;
  description: string;
}

/** The lines of every item of the subscription, those with nothing used included, as Stripe does. */
export function computeLines(input: LineInput): WireInvoiceLine[] {
  const { currency = 'usd' } = input.state.subscriptions.get(input.subscriptionId)?.wire ?? {};
  return input.metered.flatMap((metered) => {
    const used = quantityOf(input, metered);
    return chargesOf(input.state, metered.item, used, currency).map((charge, index) =>
      toLine(input, metered, { ...charge, currency }, index),
    );
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

/** What a quantity costs at an item's price in a currency: one charge, or those of its tiers. */
export function chargesOf(
  state: StripeState,
  { price }: WireSubscriptionItem,
  quantity: bigint,
  currency: string,
): Charge[] {
  const productId = String(price.product);
  const name = state.products.get(productId)?.name ?? productId;
  const amounts = amountsIn(state, price, currency);
  if (amounts === undefined) throw new RangeError(`price ${price.id} has no amount in ${currency}`);
  const { tiers } = amounts;
  const step = state.roundsLinesToSteps ? chargeStep(currency) : 1n;
  if (tiers === null) {
    const unitAmountDecimal = amounts.unitAmountDecimal ?? '0';
    const amount = priceLine(quantity, unitAmountDecimal, step);
    return [{ quantity, unitAmountDecimal, amount, description: `${quantity} × ${name}` }];
  }
  const parts = price.tiers_mode === 'volume' ? volumePart(tiers, quantity) : graduatedParts(tiers, quantity);
  return parts.flatMap(({ tier, number, quantity: used }) => {
    const unitAmountDecimal = tier.unit_amount_decimal ?? '0';
    const label = (cents: string) => `${name} (Tier ${number} at ${showPrice(cents, currency)} / month)`;
    const usage: Charge = {
      quantity: used,
      unitAmountDecimal,
      amount: priceLine(used, unitAmountDecimal, step),
      description: `${used} × ${label(unitAmountDecimal)}`,
    };
    const flat = tier.flat_amount_decimal;
    if (flat === null) return [usage];
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
  { item, fromMs }: MeteredItem,
  charge: Charge & { currency: string },
  index: number,
): WireInvoiceLine {
  const amount = Number(charge.amount);
  // By the item and not by its place: a line keeps its id when tiers or items before it come and go.
  const place = index === 0 ? '' : `t${index}`;
  return {
    id: `${input.linePrefix}${item.id.slice(-4)}${place}`,
    object: 'line_item',
    amount,
    currency: charge.currency,
    description: charge.description,
    discount_amounts: [],
    discountable: true,
    discounts: [],
    invoice: input.invoiceId,
    livemode: false,
    metadata: {},
    parent: {
      invoice_item_details: null,
      subscription_item_details: {
        invoice_item: null,
        proration: false,
        proration_details: null,
        subscription: input.subscriptionId,
        subscription_item: item.id,
      },
      type: 'subscription_item_details',
    },
    period: { end: toSeconds(input.periodEndMs), start: toSeconds(fromMs) },
    pretax_credit_amounts: [],
    pricing: {
      price_details: { price: item.price.id, product: String(item.price.product) },
      type: 'price_details',
      unit_amount_decimal: charge.unitAmountDecimal,
    },
    quantity: Number(charge.quantity),
    quantity_decimal: charge.quantity.toString(),
    subscription: input.subscriptionId,
    subtotal: amount,
    taxes: [],
  };
}
