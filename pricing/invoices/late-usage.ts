import { rateMeter } from '../closing/meter.ts';
import { chargeStep, toChargeable } from '../money.ts';
import type { RatePrice } from '../rating/rate-price.ts';
import { amountMinor } from '../rating/rating.ts';

/** Usage of one meter and period that its own invoice cannot hold any more. */
export interface LateUsage {
  stripeMeterId: string;
  /** The final invoice of that period; null when the ledger knows none. */
  missedInvoiceId: string | null;
  tokenCount: bigint;
  currency: string;
  /** Of then; null: of a kind that cannot be rated. */
  price: RatePrice | null;
  /** What was billed of that meter and period before. */
  billedQuantity: bigint;
  /** Subscriptions that bill the meter now. */
  subscriptionIds: readonly string[];
}

/** What is left of a top-up that an invoice was given: it has paid for so much late usage of these meters. */
export interface TopUpLeft {
  invoiceId: string;
  stripeMeterIds: readonly string[];
  leftMinor: bigint;
}

/** What an invoice charges for late usage. */
export interface LateCharge {
  /** Null: only an amount is said. */
  unitAmountDecimal: string | null;
  amountMinor: bigint;
  /** What the missed invoice's top-up has paid for. */
  absorbedMinor: bigint;
}

/** An invoice that is, or will be, made for a subscription. */
export interface TakingInvoice {
  subscriptionId: string;
  currency: string;
}

/**
 * Which of these invoices, the next one first, takes up late usage, and what it charges for it. What another subscription
 * bills waits for that one's; a sum below zero is no item, and what has no price goes on waiting.
 */
export function chargeLateUsage<Usage extends LateUsage, Invoice extends TakingInvoice>(
  usage: readonly Usage[],
  invoices: readonly Invoice[],
  topUpsLeft: readonly TopUpLeft[],
): { usage: Usage; invoice: Invoice; charge: LateCharge }[] {
  const left = new Map(topUpsLeft.map((topUp) => [topUp, topUp.leftMinor]));
  return usage.flatMap((entry) => {
    const { subscriptionIds, missedInvoiceId, stripeMeterId } = entry;
    const invoice = invoices.find(
      ({ subscriptionId, currency }) =>
        currency === entry.currency &&
        (subscriptionIds.length === 0 || subscriptionIds.includes(subscriptionId)),
    );
    const full = amountOf(entry);
    if (invoice === undefined || entry.tokenCount <= 0n || full === null) return [];
    const own = topUpsLeft.filter(
      ({ invoiceId, stripeMeterIds }) =>
        invoiceId === missedInvoiceId && stripeMeterIds.includes(stripeMeterId),
    );
    const charge = absorb(
      full,
      own.reduce((total, topUp) => total + positive(left.get(topUp) ?? 0n), 0n),
    );
    for (const topUp of own) left.set(topUp, (left.get(topUp) ?? 0n) - charge.absorbedMinor);
    return [{ usage: entry, invoice, charge }];
  });
}

/** A price for a token is shown as such; of tiers the item costs what it would have made the invoice cost more. */
function amountOf({ price, tokenCount, billedQuantity, currency }: LateUsage) {
  if (price === null) return null;
  if (price.kind === 'per_unit') {
    const full = amountMinor(tokenCount, price.unitAmountDecimal);
    // A quantity at a price may come to what cannot be charged in the currency: then the amount is said.
    if (chargeStep(currency) > 1n)
      return { unitAmountDecimal: null, amountMinor: toChargeable(full, currency) };
    return { unitAmountDecimal: price.unitAmountDecimal, amountMinor: full };
  }
  const before = rateMeter(billedQuantity, price) ?? 0n;
  const after = rateMeter(billedQuantity + tokenCount, price) ?? 0n;
  // A volume price may fall for all when the total rises: nothing is taken back for usage.
  return { unitAmountDecimal: null, amountMinor: toChargeable(positive(after - before), currency) };
}

/** Less what the missed invoice's top-up to its minimum has paid for already; then there is no price for a token. */
function absorb(full: { unitAmountDecimal: string | null; amountMinor: bigint }, topUpLeft: bigint) {
  const absorbedMinor = full.amountMinor < topUpLeft ? full.amountMinor : topUpLeft;
  if (absorbedMinor === 0n) return { ...full, absorbedMinor };
  return { unitAmountDecimal: null, amountMinor: full.amountMinor - absorbedMinor, absorbedMinor };
}

function positive(amount: bigint): bigint {
  return amount > 0n ? amount : 0n;
}
