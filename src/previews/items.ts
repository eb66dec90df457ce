import type { RatePrice } from '../../pricing/rating/rate-price.ts';
import { ownMeter } from '../catalog/bound-item.ts';
import { readStoredPrice } from '../catalog/stored-price.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';

export interface ActiveItem {
  subscriptionItemId: string;
  subscriptionId: string;
  priceId: string;
  productName: string;
  currency: string;
  /** In minor units; null: of a kind that we cannot rate. */
  price: RatePrice | null;
  /** Null: it has none, or somebody else feeds it. */
  stripeMeterId: string | null;
  currentPeriod: TimeWindow;
  /** Until then nothing is charged; null: it is not, or not any more, in a trial that is known. */
  trialEndsAt: Date | null;
  /** When the price was last read from Stripe. */
  syncedAt: Date;
}

/** The customer's active subscription items, by subscription and then in a stable order. */
export async function readActiveItems(database: LedgerDatabase, customerId: string): Promise<ActiveItem[]> {
  const rows = await database
    .selectFrom('subscription_items')
    .selectAll()
    .select(ownMeter('subscription_items').as('own_meter_id'))
    .where('customer_id', '=', customerId)
    .where('active', '=', true)
    .orderBy('subscription_id')
    .orderBy('product_name')
    .orderBy('subscription_item_id')
    .execute();
  return rows.map((row) => ({
    subscriptionItemId: row.subscription_item_id,
    subscriptionId: row.subscription_id,
    priceId: row.price_id,
    productName: row.product_name,
    currency: row.currency,
    price: readStoredPrice(row),
    stripeMeterId: row.own_meter_id,
    currentPeriod: { start: row.current_period_start, end: row.current_period_end },
    trialEndsAt: row.trial_ends_at,
    syncedAt: row.synced_at,
  }));
}

/** A subscription with something to bill: one invoice to come. */
export interface BilledSubscription {
  customerId: string;
  customerName: string;
  subscriptionId: string;
}

/** All that are active, by the name of their customer. */
export async function listBilledSubscriptions(database: LedgerDatabase): Promise<BilledSubscription[]> {
  return (
    await database
      .selectFrom('subscription_items as i')
      .innerJoin('customers as c', 'c.customer_id', 'i.customer_id')
      .select(['i.customer_id', 'i.subscription_id', 'c.name'])
      .distinct()
      .where('i.active', '=', true)
      .where('c.deleted_at', 'is', null)
      .orderBy('c.name')
      .orderBy('i.customer_id')
      .orderBy('i.subscription_id')
      .execute()
  ).map((row) => ({
    customerId: row.customer_id,
    customerName: row.name,
    subscriptionId: row.subscription_id,
  }));
}

/** Whether a billing threshold has invoiced a part of the period that runs. */
export async function hasInstalment(database: LedgerDatabase, subscriptionId: string): Promise<boolean> {
  const row = await database
    .selectFrom('invoices')
    .innerJoin('subscription_items', 'subscription_items.subscription_id', 'invoices.subscription_id')
    .select('invoices.invoice_id')
    .where('invoices.subscription_id', '=', subscriptionId)
    .where('is_instalment', '=', true)
    .where('status', '<>', 'deleted')
    .where('active', '=', true)
    .whereRef('invoices.period_end', '>', 'subscription_items.current_period_start')
    .executeTakeFirst();
  return row !== undefined;
}
