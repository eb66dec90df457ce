import { sql } from 'kysely';
import type { CloseChain, CloseCollection } from '../../pricing/closing/collection.ts';
import type { RatePrice } from '../../pricing/rating/rate-price.ts';
import { ownMeter } from '../catalog/bound-item.ts';
import { readStoredPrice, type StoredPrice } from '../catalog/stored-price.ts';
import type { TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { readPriceBookVersion } from '../prices/book.ts';
import { readCloseChains } from './chains.ts';

/** How the usage of a period was found, and by which prices it is known; equal for all invoices of the period. */
export interface CloseEvidence {
  collection: CloseCollection;
  priceBookVersion: string;
  planVersions: { planId: string; versionId: string }[];
}

/** What the evidence of any of the periods is picked from. */
export interface CloseEvidenceFacts {
  /** By the period's start. */
  chains: ReadonlyMap<number, CloseChain[]>;
  priceBookVersion: string;
  /** Of each plan the latest first. */
  planVersions: readonly { planId: string; versionId: string; effectiveFrom: Date }[];
}

/** Reads it for all periods at once, in as many statements as for one. */
export async function readCloseEvidence(
  database: LedgerDatabase,
  periodStarts: readonly Date[],
): Promise<CloseEvidenceFacts> {
  const chains = await readCloseChains(database, periodStarts);
  const { version } = await readPriceBookVersion(database);
  const plans = await sql<CloseEvidenceFacts['planVersions'][number]>`
    select plan_id as "planId", version_id as "versionId", effective_from as "effectiveFrom" from plan_versions
    order by plan_id, effective_from desc, plan_version_id desc`.execute(database);
  return { chains, priceBookVersion: version, planVersions: plans.rows };
}

/** The evidence of one of the periods that were read. */
export function pickCloseEvidence(facts: CloseEvidenceFacts, period: TimeWindow): CloseEvidence {
  const chains = facts.chains.get(period.start.getTime());
  if (chains === undefined)
    throw new RangeError(`the evidence from ${period.start.toISOString()} was not read`);
  const inForce = new Map<string, string>();
  for (const { planId, versionId, effectiveFrom } of facts.planVersions) {
    if (effectiveFrom < period.end && !inForce.has(planId)) inForce.set(planId, versionId);
  }
  return {
    collection: { chains },
    priceBookVersion: facts.priceBookVersion,
    planVersions: [...inForce].map(([planId, versionId]) => ({ planId, versionId })),
  };
}

/** A subscription item as a close needs it: its meter and its price. */
export interface ClosingItem {
  subscriptionItemId: string;
  subscriptionId: string;
  stripeMeterId: string;
  eventName: string;
  eventTimeWindow: 'hour' | 'day' | null;
  priceId: string;
  productName: string;
  price: RatePrice | null;
  /** Until then nothing is charged of it; null: it has, and had, no trial. */
  trialEndsAt: Date | null;
}

/** Metered items of subscriptions, and the prices that they had: each as an item of that price. */
export interface ClosingItems {
  byItem: ReadonlyMap<string, ClosingItem>;
  /** By `priceKey`. */
  byPrice: ReadonlyMap<string, ClosingItem>;
}

export function priceKey(subscriptionId: string | null, priceId: string | null): string {
  return `${subscriptionId} ${priceId}`;
}

/** Metered items of these subscriptions, ended ones too, as far as usage of ours goes to them. */
export async function readClosingItems(
  database: LedgerDatabase,
  subscriptionIds: readonly string[],
): Promise<ClosingItems> {
  const read = async (table: 'subscription_items' | 'item_prices') => {
    const rows = await sql<Omit<ClosingItem, 'price'> & StoredPrice>`
      select i.subscription_item_id as "subscriptionItemId", i.subscription_id as "subscriptionId",
        i.stripe_meter_id as "stripeMeterId", m.event_name as "eventName", m.event_time_window as "eventTimeWindow",
        i.price_id as "priceId", i.product_name as "productName", i.unit_amount_decimal, i.tiers_mode, i.price_tiers,
        (select max(trial.trial_ends_at) from subscription_items trial where trial.subscription_id = i.subscription_id) as "trialEndsAt"
      from ${sql.table(table)} i join stripe_meters m on m.stripe_meter_id = i.stripe_meter_id
      where i.subscription_id = any(${subscriptionIds}::text[]) and ${ownMeter('i')} is not null`.execute(
      database,
    );
    return rows.rows.map(toClosingItem);
  };
  const items = await read('subscription_items');
  const prices = await read('item_prices');
  return {
    byItem: new Map(items.map((item) => [item.subscriptionItemId, item])),
    byPrice: new Map(prices.map((item) => [priceKey(item.subscriptionId, item.priceId), item])),
  };
}

function toClosingItem({
  unit_amount_decimal,
  tiers_mode,
  price_tiers,
  ...item
}: Omit<ClosingItem, 'price'> & StoredPrice): ClosingItem {
  return { ...item, price: readStoredPrice({ unit_amount_decimal, tiers_mode, price_tiers }) };
}
