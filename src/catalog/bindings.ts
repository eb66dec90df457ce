import { sql } from 'kysely';
import { modelKey, nameKey } from '../../pricing/usage/names.ts';
import { isTokenType, TOKEN_TYPES_IN_WORDS, type TokenType } from '../../pricing/usage/shape.ts';
import type { LedgerTransaction } from '../platform/database/database.ts';
import { LEGACY_METER_PREFIX } from '../stripe/port.ts';

/** Model and feature by their keys, for any spelling of them. */
export interface MeterBinding {
  model: string;
  tokenType: TokenType;
  feature: string;
  stripeMeterId: string;
}

/** How long the price of an ended item still says where usage of its time goes. */
const ENDED_ITEMS_BIND = '70 days';

interface BindingPrice {
  priceId: string;
  model: string | null;
  tokenType: string | null;
  feature: string | null;
  stripeMeterId: string | null;
  isActive: boolean;
}

/**
 * Derives the meter bindings anew from what the ledger's items say, and stores them where they differ: prices say in
 * their metadata what they price (`tallystick_model`, `tallystick_token_type`, `tallystick_feature`). Where two
 * contradict each other the first keeps it; ended items speak only where no other does.
 * @returns the bindings, and what is wrong with prices
 */
export async function renewBindings(
  transaction: LedgerTransaction,
  options: { now: Date },
): Promise<{ bindings: MeterBinding[]; problems: string[] }> {
  const prices = await sql<BindingPrice>`
    select price_id as "priceId", price_model as model, price_token_type as "tokenType", price_feature as feature,
      stripe_meter_id as "stripeMeterId", active as "isActive"
    from subscription_items
    where active or ends_at > ${options.now}::timestamptz - ${ENDED_ITEMS_BIND}::interval
    group by 1, 2, 3, 4, 5, 6
    order by active desc, min(case when active then list_position else -list_position end), price_id`.execute(
    transaction,
  );
  // Those that usage records serve bind apart: they hold for the customers that have such an item.
  const isLegacy = (price: BindingPrice) => price.stripeMeterId?.startsWith(LEGACY_METER_PREFIX) === true;
  const metered = deriveBindings(prices.rows.filter((price) => !isLegacy(price)));
  const legacy = deriveBindings(prices.rows.filter(isLegacy));
  await storeBindings(transaction, metered.bindings, options.now);
  await storeLegacyBindings(transaction, legacy.bindings);
  return {
    bindings: [...metered.bindings, ...legacy.bindings],
    problems: [...metered.problems, ...legacy.problems, ...(await findPriceProblems(transaction))],
  };
}

async function findPriceProblems(transaction: LedgerTransaction): Promise<string[]> {
  const items = await transaction
    .selectFrom('subscription_items')
    .select(['subscription_item_id', 'customer_id', 'price_id', 'currency'])
    .where('active', '=', true)
    .where('price_problem', '=', 'no_price_in_currency')
    .orderBy('list_position')
    .execute();
  return items.map(
    (item) =>
      `Price ${item.price_id} of item ${item.subscription_item_id} (customer ${item.customer_id}) has no amount in ` +
      `${item.currency}, its subscription's currency (no_price_in_currency); its usage waits until the price has one.`,
  );
}

function deriveBindings(prices: readonly BindingPrice[]): { bindings: MeterBinding[]; problems: string[] } {
  const bindings = new Map<string, MeterBinding>();
  const problems: string[] = [];
  const legacy = new Set<string>();
  for (const price of prices) {
    const { model, tokenType, stripeMeterId } = price;
    if (stripeMeterId === null) {
      if (price.isActive) legacy.add(price.priceId);
      continue;
    }
    if (model === null || tokenType === null) continue;
    if (!isTokenType(tokenType)) {
      if (price.isActive)
        problems.push(
          `Price ${price.priceId} has tallystick_token_type "${tokenType}"; use ${TOKEN_TYPES_IN_WORDS}.`,
        );
      continue;
    }
    const binding = {
      model: modelKey(model),
      tokenType,
      feature: nameKey(price.feature ?? '*'),
      stripeMeterId,
    };
    const key = JSON.stringify([binding.model, tokenType, binding.feature]);
    const before = bindings.get(key);
    if (before === undefined) {
      bindings.set(key, binding);
    } else if (price.isActive && before.stripeMeterId !== stripeMeterId) {
      problems.push(
        `Prices bind ${binding.model} ${tokenType} to two meters, ${before.stripeMeterId} and ${stripeMeterId}; the first is used.`,
      );
    }
  }
  for (const priceId of legacy) {
    problems.push(
      `Price ${priceId} is metered without a meter (legacy usage records); such items are not billed through.`,
    );
  }
  return { bindings: [...bindings.values()], problems };
}

async function storeLegacyBindings(
  transaction: LedgerTransaction,
  bindings: readonly MeterBinding[],
): Promise<void> {
  await transaction.deleteFrom('legacy_bindings').execute();
  if (bindings.length === 0) return;
  await transaction
    .insertInto('legacy_bindings')
    .values(
      bindings.map((binding) => ({
        model: binding.model,
        token_type: binding.tokenType,
        feature: binding.feature,
        stripe_meter_id: binding.stripeMeterId,
      })),
    )
    .execute();
}

async function storeBindings(
  transaction: LedgerTransaction,
  bindings: readonly MeterBinding[],
  now: Date,
): Promise<void> {
  const given = sql`unnest(${bindings.map((row) => row.model)}::text[], ${bindings.map((row) => row.tokenType)}::text[],
    ${bindings.map((row) => row.feature)}::text[], ${bindings.map((row) => row.stripeMeterId)}::text[])
    as given(model, token_type, feature, stripe_meter_id)`;
  await sql`
    delete from meter_bindings b where not exists (select 1 from ${given}
      where given.model = b.model and given.token_type = b.token_type and given.feature = b.feature)`.execute(
    transaction,
  );
  await sql`
    insert into meter_bindings as known (model, token_type, feature, stripe_meter_id, synced_at)
    select given.*, ${now}::timestamptz from ${given}
    on conflict (model, token_type, feature) do update
      set stripe_meter_id = excluded.stripe_meter_id, synced_at = excluded.synced_at
      where known.stripe_meter_id <> excluded.stripe_meter_id`.execute(transaction);
}
