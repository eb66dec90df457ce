import { sql } from 'kysely';
import { formatDecimal, PICO_DIGITS } from '../../../pricing/money.ts';
import { findPrice } from '../../../pricing/prices/lookup.ts';
import type { PriceBook } from '../../../pricing/prices/price-book.ts';
import type { TokenType } from '../../../pricing/usage/shape.ts';
import type { LedgerDatabase } from '../../../src/platform/database/database.ts';

const RATES = { prompt: '0.0004', prompt_cached: '0.0002', completion: '0.0016' };

/**
 * Customers with a rate for each token type, and for each customer and hour four settled rows; 24 kinds of usage in a
 * month.
 * @returns the rows of usage
 */
export async function addScenarioUsage(
  database: LedgerDatabase,
  size: { startMs: number; hourCount: number; customerCount: number },
): Promise<bigint> {
  const { hourCount, customerCount } = size;
  const start = new Date(size.startMs);
  await sql`
    insert into customers (customer_id, stripe_customer_id, tenant_key, name, currency, synced_at)
    select 'customer ' || number, 'cus_' || number, 'tenant ' || number, 'Customer ' || number, 'usd', now()
    from generate_series(1, ${customerCount}::int) as number`.execute(database);
  await sql`
    insert into subjects (subject, tenant_key, customer_id, assigned_by, first_seen_at, updated_at)
    select 'user of ' || customer_id, tenant_key, customer_id, 'tenant', now(), now() from customers`.execute(
    database,
  );
  for (const [tokenType, amount] of Object.entries(RATES)) {
    await sql`
      insert into stripe_meters (stripe_meter_id, event_name, display_name, aggregation, status, synced_at)
      values (${tokenType}, ${tokenType}, ${tokenType}, 'sum', 'active', now())`.execute(database);
    await sql`
      insert into meter_bindings (model, token_type, feature, stripe_meter_id, synced_at)
      values ('*', ${tokenType}, '*', ${tokenType}, now())`.execute(database);
    await sql`
      insert into subscription_items (subscription_item_id, subscription_id, subscription_status, customer_id, price_id,
        product_name, currency, unit_amount_decimal, stripe_meter_id, current_period_start, current_period_end, active,
        synced_at)
      select 'si_' || ${tokenType} || customer_id, 'sub_' || customer_id, 'active', customer_id, 'price_' || ${tokenType},
        ${tokenType}, 'usd', ${amount}, ${tokenType}, ${start}, ${start}::timestamptz + interval '1 month', true, now()
      from customers`.execute(database);
  }
  const inserted = await sql`
    insert into hourly_usage (window_start, subject, feature, model, deployment, token_type, revision, token_count,
      delta_token_count, created_at)
    select ${start}::timestamptz + make_interval(hours => hour), subject, feature, model, model || '-global', token_type, 1,
      tokens, tokens, now()
    from generate_series(0, ${hourCount - 1}::int) as hour
    cross join subjects
    -- Two of twelve models and features in each hour, in turn.
    cross join lateral (
      select (array['gpt-4o', 'gpt-4o-mini', 'gpt-4.1', 'gpt-4.1-mini'])[pair % 4 + 1] as model,
        (array['chat', 'search', 'summary'])[pair % 3 + 1] as feature
      from (values (hour % 12), ((hour + 5) % 12)) as chosen(pair)) as surface
    cross join (values ('prompt'), ('completion')) as type(token_type)
    cross join lateral (
      select 1000 + abs(hashtext(subject || ' ' || hour || model || token_type)::bigint) % 100000 as tokens) as drawn`.execute(
    database,
  );
  await sql`analyze`.execute(database);
  return inserted.numAffectedRows ?? 0n;
}

/** What the stored usage costs in USD by sums of Postgres alone, one for each kind: the oracle of the scan. */
export async function expectedCostUsd(database: LedgerDatabase, book: PriceBook): Promise<string> {
  const kinds = await sql<{ model: string; deployment: string; tokenType: TokenType; tokens: string }>`
    select model, deployment, token_type as "tokenType", sum(token_count)::text as tokens
    from hourly_usage group by 1, 2, 3`.execute(database);
  let picoUsd = 0n;
  for (const { model, deployment, tokenType, tokens } of kinds.rows) {
    const found = findPrice(book, { model, deployment }, tokenType);
    if (!found.found) throw new Error(`the bench's usage has no price: ${model} ${tokenType}`);
    picoUsd += BigInt(tokens) * found.picoUsdPerToken;
  }
  return formatDecimal(picoUsd, PICO_DIGITS, 2);
}
