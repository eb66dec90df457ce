import { sql } from 'kysely';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import type { BillingCatalogChange, BillingSubscriptionItem } from '../stripe/port.ts';
import { keepItemPrices } from './item-prices.ts';
import { toStoredPrice } from './stored-price.ts';

/** Subscriptions in these states take usage; ended and never-started ones do not. */
const BILLING_STATES = new Set(['active', 'trialing', 'past_due', 'unpaid', 'paused']);

const column = <Row, Value>(rows: readonly Row[], pick: (row: Row) => Value) => rows.map(pick);
const instant = (date: Date | null) => date?.toISOString() ?? null;

/**
 * Puts items as they were read at `now` into the ledger, unless something younger is known of them. An item that was
 * moved to a price on another meter leaves its old self behind, ended: usage of the old meter is placed by it. Items of
 * the whole list are numbered by it; others keep their place in it, or come last.
 */
export async function storeItems(
  transaction: LedgerTransaction,
  items: readonly BillingSubscriptionItem[],
  idByStripeId: ReadonlyMap<string, string>,
  options: { now: Date; isWholeList: boolean },
): Promise<void> {
  const { now } = options;
  const known = items.filter((item) => idByStripeId.has(item.stripeCustomerId));
  if (known.length === 0) return;
  const prices = known.map((item) => toStoredPrice(item.price));
  const ids = column(known, (row) => row.subscriptionItemId);
  const firstPosition = options.isWholeList
    ? sql`0`
    : sql`(select coalesce(max(list_position), 0) from subscription_items)`;
  await leaveOldSelves(transaction, known, now);
  await sql`
    insert into subscription_items as known (subscription_item_id, subscription_id, subscription_status, customer_id, price_id,
      product_name, product_id, currency, price_problem, unit_amount_decimal, tiers_mode, price_tiers, price_model, price_token_type,
      price_feature, price_plan, price_plan_version, stripe_meter_id, current_period_start, current_period_end, started_at, ends_at, trial_ends_at,
      collection_pause, active, list_position, synced_at)
    select *, row_number() over () + ${firstPosition}, ${now}::timestamptz
    from unnest(${ids}::text[],
      ${column(known, (row) => row.subscriptionId)}::text[], ${column(known, (row) => row.subscriptionStatus)}::text[],
      ${column(known, (row) => idByStripeId.get(row.stripeCustomerId) ?? '')}::text[], ${column(known, (row) => row.priceId)}::text[],
      ${column(known, (row) => row.productName)}::text[], ${column(known, (row) => row.productId)}::text[],
      ${column(known, (row) => row.currency)}::text[], ${column(known, (row) => row.priceProblem)}::text[],
      ${column(prices, (row) => row.unitAmountDecimal)}::text[],
      ${column(prices, (row) => row.tiersMode)}::text[], ${column(prices, (row) => row.priceTiers)}::jsonb[],
      ${column(known, (row) => row.priceMetadata.tallystick_model ?? null)}::text[],
      ${column(known, (row) => row.priceMetadata.tallystick_token_type ?? null)}::text[],
      ${column(known, (row) => row.priceMetadata.tallystick_feature ?? null)}::text[],
      ${column(known, (row) => row.priceMetadata.tallystick_plan ?? null)}::text[],
      ${column(known, (row) => row.priceMetadata.tallystick_plan_version ?? null)}::text[],
      ${column(known, (row) => row.stripeMeterId)}::text[],
      ${column(known, (row) => row.currentPeriodStart.toISOString())}::timestamptz[],
      ${column(known, (row) => row.currentPeriodEnd.toISOString())}::timestamptz[],
      ${column(known, (row) => row.startedAt.toISOString())}::timestamptz[],
      ${column(known, (row) => instant(row.endsAt))}::timestamptz[],
      ${column(known, (row) => instant(row.trialEndsAt))}::timestamptz[],
      ${column(known, (row) => row.collectionPause)}::text[],
      ${column(known, (row) => BILLING_STATES.has(row.subscriptionStatus))}::boolean[])
    on conflict (subscription_item_id) do update
      set price_since = case when known.price_id <> excluded.price_id then excluded.current_period_start else known.price_since end,
          subscription_status = excluded.subscription_status, price_id = excluded.price_id, product_name = excluded.product_name,
          product_id = excluded.product_id, currency = excluded.currency, price_problem = excluded.price_problem, unit_amount_decimal = excluded.unit_amount_decimal,
          tiers_mode = excluded.tiers_mode, price_tiers = excluded.price_tiers, price_model = excluded.price_model,
          price_token_type = excluded.price_token_type, price_feature = excluded.price_feature,
          price_plan = excluded.price_plan, price_plan_version = excluded.price_plan_version,
          stripe_meter_id = excluded.stripe_meter_id, current_period_start = excluded.current_period_start,
          current_period_end = excluded.current_period_end, started_at = excluded.started_at,
          ends_at = case when excluded.active then excluded.ends_at else coalesce(excluded.ends_at, known.ends_at, excluded.synced_at) end,
          trial_ends_at = excluded.trial_ends_at, collection_pause = excluded.collection_pause,
          active = excluded.active, synced_at = excluded.synced_at,
          list_position = case when ${options.isWholeList} then excluded.list_position else known.list_position end
      where known.synced_at <= excluded.synced_at`.execute(transaction);
  await keepItemPrices(
    transaction,
    known.map((item) => item.subscriptionId),
    now,
  );
}

async function leaveOldSelves(
  transaction: LedgerTransaction,
  items: readonly BillingSubscriptionItem[],
  now: Date,
): Promise<void> {
  await sql`
    insert into subscription_items (subscription_item_id, subscription_id, subscription_status, customer_id, price_id,
      product_name, product_id, currency, price_problem, unit_amount_decimal, tiers_mode, price_tiers, price_model, price_token_type,
      price_feature, price_plan, price_plan_version, stripe_meter_id, current_period_start, current_period_end, started_at, ends_at, trial_ends_at,
      collection_pause, active, list_position, synced_at)
    select i.subscription_item_id || '#' || i.price_id, i.subscription_id, i.subscription_status, i.customer_id, i.price_id,
      i.product_name, i.product_id, i.currency, i.price_problem, i.unit_amount_decimal, i.tiers_mode, i.price_tiers, i.price_model,
      i.price_token_type, i.price_feature, i.price_plan, i.price_plan_version, i.stripe_meter_id, i.current_period_start, i.current_period_end, i.started_at,
      ${now}, i.trial_ends_at, i.collection_pause, false, i.list_position, i.synced_at
    from subscription_items i
    join unnest(${column(items, (row) => row.subscriptionItemId)}::text[], ${column(items, (row) => row.stripeMeterId)}::text[])
      as read(id, meter_id) on read.id = i.subscription_item_id
    where i.active and i.synced_at <= ${now} and i.stripe_meter_id is not null and i.stripe_meter_id is distinct from read.meter_id
    on conflict (subscription_item_id) do update set ends_at = excluded.ends_at, synced_at = excluded.synced_at`.execute(
    transaction,
  );
}

/**
 * Ends the active items that were not among those read, at the latest now: all of the ledger's, or those of the
 * subscriptions named.
 */
export async function endMissingItems(
  transaction: LedgerTransaction,
  read: { itemIds: readonly string[]; subscriptionIds: readonly string[] | 'all'; now: Date },
): Promise<void> {
  const among =
    read.subscriptionIds === 'all'
      ? sql`true`
      : sql`subscription_id = any(${[...read.subscriptionIds]}::text[])`;
  await sql`
    update subscription_items set active = false, synced_at = ${read.now}, ends_at = least(ends_at, ${read.now})
    where active and synced_at <= ${read.now} and ${among}
      and subscription_item_id <> all(${[...read.itemIds]}::text[])`.execute(transaction);
}

/** Subscriptions with active items that a listing did not show: they ended, or lost these items. */
export async function findVanishedSubscriptions(
  database: LedgerDatabase,
  listedItemIds: readonly string[],
): Promise<string[]> {
  const rows = await sql<{ id: string }>`
    select distinct subscription_id as id from subscription_items
    where active and subscription_item_id <> all(${[...listedItemIds]}::text[]) order by 1`.execute(database);
  return rows.rows.map((row) => row.id);
}

/** Of prices and products that changed by themselves: what items say of them. */
export async function storePriceChanges(
  transaction: LedgerTransaction,
  change: {
    prices: BillingCatalogChange['prices'];
    products: readonly { productId: string; name: string }[];
  },
): Promise<void> {
  for (const { priceId, metadata, priceByCurrency } of change.prices) {
    await transaction
      .updateTable('subscription_items')
      .set({
        price_model: metadata.tallystick_model ?? null,
        price_token_type: metadata.tallystick_token_type ?? null,
        price_feature: metadata.tallystick_feature ?? null,
        price_plan: metadata.tallystick_plan ?? null,
        price_plan_version: metadata.tallystick_plan_version ?? null,
      })
      .where('price_id', '=', priceId)
      .execute();
    const currencies = Object.keys(priceByCurrency);
    for (const currency of currencies) {
      const stored = toStoredPrice(priceByCurrency[currency] ?? null);
      await transaction
        .updateTable('subscription_items')
        .set({
          price_problem: null,
          unit_amount_decimal: stored.unitAmountDecimal,
          tiers_mode: stored.tiersMode as 'graduated' | 'volume' | 'package_up' | 'package_down' | null,
          price_tiers: stored.priceTiers,
        })
        .where('price_id', '=', priceId)
        .where('currency', '=', currency)
        .execute();
    }
    await transaction
      .updateTable('subscription_items')
      .set({
        price_problem: 'no_price_in_currency',
        unit_amount_decimal: null,
        tiers_mode: null,
        price_tiers: null,
      })
      .where('price_id', '=', priceId)
      .where('active', '=', true)
      .where('currency', 'not in', currencies)
      .execute();
  }
  for (const { productId, name } of change.products) {
    await transaction
      .updateTable('subscription_items')
      .set({ product_name: name })
      .where('product_id', '=', productId)
      .execute();
  }
}
