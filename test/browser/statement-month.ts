import { sql } from 'kysely';
import { amountMinor } from '../../pricing/rating/rating.ts';
import type { TimeWindow } from '../../src/platform/clock.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { insertInvoice, storeLines } from '../api/statement-world.ts';
import { PERIOD } from '../api/world.ts';

const MONTH_MODELS = [
  'gpt-4o',
  'gpt-4o-mini',
  'gpt-4.1',
  'gpt-4.1-mini',
  'o3',
  'o4-mini',
  'gpt-5',
  'gpt-5-mini',
];
const TOKEN_TYPES = ['prompt', 'prompt_cached', 'completion'];
const TYPE_WORDS: Record<string, string> = {
  prompt: 'input tokens',
  prompt_cached: 'cached input tokens',
  completion: 'output tokens',
};

export interface StatementMonth {
  customerId: string;
  invoiceId: string;
  hourCount: number;
  userCount: number;
  /** Usage in every so manieth hour; in every one unless given. */
  hourStep?: number;
  models?: readonly string[];
  /** November 2026 unless given. */
  period?: TimeWindow;
  /** Of the names of its users, which are of one customer only; `user-` unless given. */
  userPrefix?: string;
}

/**
 * A customer whose people work by day and rest at weekends: pushed usage of November for every model, user and kind of
 * token, and the invoice that bills it.
 */
export async function addStatementMonth(database: LedgerDatabase, month: StatementMonth): Promise<void> {
  const { customerId, invoiceId } = month;
  const models = month.models ?? MONTH_MODELS;
  const period = month.period ?? PERIOD;
  const prefix = month.userPrefix ?? 'user-';
  const cells = models.flatMap((model, index) =>
    TOKEN_TYPES.map((tokenType, place) => ({
      model,
      tokenType,
      meterId: `mtr_${model}_${tokenType}`,
      itemId: `si_${customerId}_${model}_${tokenType}`,
      name: `${model} ${TYPE_WORDS[tokenType]}`,
      cents: `0.000${index + 1}${place + 1}`,
    })),
  );
  const column = (pick: (cell: (typeof cells)[number]) => string) => cells.map(pick);
  const cellRows = sql`unnest(${column((cell) => cell.model)}::text[], ${column((cell) => cell.tokenType)}::text[],
    ${column((cell) => cell.meterId)}::text[], ${column((cell) => cell.itemId)}::text[], ${column((cell) => cell.name)}::text[],
    ${column((cell) => cell.cents)}::text[]) with ordinality as cell(model, token_type, meter_id, item_id, name, cents, place)`;
  const statements = [
    sql`insert into customers (customer_id, stripe_customer_id, tenant_key, name, currency, synced_at)
      values (${customerId}, ${`cus_${customerId}`}, ${customerId}, 'Contoso Ltd', 'usd', now())`,
    sql`insert into subjects (subject, tenant_key, customer_id, assigned_by, first_seen_at, updated_at)
      select ${prefix}::text || lpad(number::text, 4, '0'), ${customerId}, ${customerId}, 'tenant', now(), now()
      from generate_series(1, ${month.userCount}::int) as number`,
    sql`insert into stripe_meters (stripe_meter_id, event_name, display_name, aggregation, status, synced_at)
      select meter_id, meter_id, name, 'sum', 'active', now() from ${cellRows} on conflict do nothing`,
    sql`insert into meter_bindings (model, token_type, feature, stripe_meter_id, synced_at)
      select model, token_type, '*', meter_id, now() from ${cellRows} on conflict do nothing`,
    sql`insert into subscription_items (subscription_item_id, subscription_id, subscription_status, customer_id, price_id,
        product_name, currency, unit_amount_decimal, stripe_meter_id, current_period_start, current_period_end, active, synced_at)
      select item_id, ${`sub_${customerId}`}, 'active', ${customerId}, 'price_' || item_id, name, 'usd', cents, meter_id,
        ${period.start}::timestamptz, ${period.end}::timestamptz, true, now() from ${cellRows}`,
    sql`insert into settlements (window_start, status, settled_at)
      select ${period.start}::timestamptz + make_interval(hours => hour), 'settled', now()
      from generate_series(0, ${month.hourCount - 1}::int) as hour on conflict do nothing`,
    sql`insert into meter_pushes (customer_id, stripe_customer_id, stripe_meter_id, event_name, window_start, revision,
        delta_token_count, total_token_count, sent_value, event_timestamp, identifier, status, created_at, delivered_at)
      select ${customerId}, ${`cus_${customerId}`}, meter_id, meter_id, at, 1, 1, 1, 1, at,
        ${customerId} || meter_id || hour, 'delivered', now(), at + interval '75 minutes'
      from generate_series(0, ${month.hourCount - 1}::int, ${month.hourStep ?? 1}::int) as hour
      cross join lateral (select ${period.start}::timestamptz + make_interval(hours => hour) as at) as moment
      cross join ${cellRows}`,
    sql`insert into hourly_usage (window_start, subject, feature, model, deployment, token_type, revision, token_count,
        delta_token_count, customer_id, meter_push_id, created_at)
      select at, ${prefix}::text || lpad(number::text, 4, '0'),
        (array['chat', 'search', 'summaries', 'translation', 'agents'])[1 + number % 5], cell.model, cell.model || '-global',
        cell.token_type, 1, tokens, tokens, ${customerId}, push.meter_push_id, now()
      from generate_series(0, ${month.hourCount - 1}::int, ${month.hourStep ?? 1}::int) as hour
      cross join lateral (select ${period.start}::timestamptz + make_interval(hours => hour) as at) as moment
      cross join generate_series(1, ${month.userCount}::int) as number
      join ${cellRows} on cell.place % 3 = (number + hour / ${month.hourStep ?? 1}::int) % 3
      cross join lateral (select 1 + (abs(hashtext(number || cell.model || hour)::bigint) % 900 *
        (case when extract(isodow from at) > 5 then 2 else 9 end + number % 7 + 9 - cell.place / 3)) / 3 as tokens) as drawn
      join meter_pushes as push on push.customer_id = ${customerId} and push.window_start = at
        and push.stripe_meter_id = cell.meter_id`,
    sql`update meter_pushes push set delta_token_count = usage.total, total_token_count = usage.total, sent_value = usage.total
      from (select meter_push_id, sum(delta_token_count) as total from hourly_usage group by 1) usage
      where usage.meter_push_id = push.meter_push_id and push.customer_id = ${customerId}`,
    sql`delete from meter_pushes push where customer_id = ${customerId}
      and not exists (select 1 from hourly_usage usage where usage.meter_push_id = push.meter_push_id)`,
  ];
  for (const statement of statements) await statement.execute(database);
  await sql`vacuum analyze hourly_usage, meter_pushes`.execute(database);
  const billed = await sql<{ stripe_meter_id: string; total: bigint }>`
    select stripe_meter_id, sum(delta_token_count)::bigint as total from meter_pushes
    where customer_id = ${customerId} group by 1`.execute(database);
  const quantities = new Map(billed.rows.map((row) => [row.stripe_meter_id, row.total]));
  const lines = cells.map((cell) => {
    const quantity = quantities.get(cell.meterId) ?? 0n;
    return {
      lineId: `il_${cell.itemId}`,
      description: `${quantity} × ${cell.name} (at $0.00 / month)`,
      subscriptionItemId: cell.itemId,
      quantity,
      unitAmountDecimal: cell.cents,
      amountMinor: amountMinor(quantity, cell.cents),
      periodStart: period.start,
      periodEnd: period.end,
    };
  });
  const totalMinor = lines.reduce((sum, line) => sum + line.amountMinor, 0n);
  await insertInvoice(database, { id: invoiceId, customer: customerId, totalMinor, number: 'CONTOSO-0007' });
  await storeLines(database, { id: invoiceId, lines });
}
