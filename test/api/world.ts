import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import type { Ledger } from '../../src/platform/database/schema/schema.ts';
import type { BillingInvoice, BillingInvoiceLine } from '../../src/stripe/port.ts';

export const PERIOD = { start: new Date('2026-11-01T00:00:00Z'), end: new Date('2026-12-01T00:00:00Z') };
const SYNCED = new Date('2026-11-21T09:00:00Z');

type TokenType = Ledger['hourly_usage']['token_type'];

/** Two customers, their subjects, three meters with prices and bindings. */
export async function insertCatalog(database: LedgerDatabase): Promise<void> {
  await database
    .insertInto('customers')
    .values(
      [
        { id: 'adatum', currency: 'eur' },
        { id: 'northwind', currency: 'usd' },
      ].map(({ id, currency }) => ({
        customer_id: id,
        stripe_customer_id: `cus_${id}`,
        tenant_key: id,
        name: id.toUpperCase(),
        currency,
        deleted_at: null,
        synced_at: SYNCED,
      })),
    )
    .execute();
  await database
    .insertInto('subjects')
    .values(
      [
        { subject: 'user-1', tenant_key: 'northwind', customer_id: 'northwind' },
        { subject: 'user-2', tenant_key: 'northwind', customer_id: 'northwind' },
        { subject: 'user-3', tenant_key: 'adatum', customer_id: 'adatum' },
        { subject: 'stray', tenant_key: 'nobody', customer_id: null },
      ].map((row) => ({
        ...row,
        assigned_by: row.customer_id === null ? null : ('tenant' as const),
        first_seen_at: SYNCED,
        updated_at: SYNCED,
      })),
    )
    .execute();
  const meters = [
    { id: 'mtr_prompt', tokenType: 'prompt' as const, cents: '0.0003' },
    { id: 'mtr_cached', tokenType: 'prompt_cached' as const, cents: '0.00015' },
    { id: 'mtr_completion', tokenType: 'completion' as const, cents: '0.0012' },
  ];
  for (const meter of meters) {
    await database
      .insertInto('stripe_meters')
      .values({
        stripe_meter_id: meter.id,
        event_name: meter.id,
        display_name: meter.id,
        aggregation: 'sum',
        event_time_window: null,
        status: 'active',
        synced_at: SYNCED,
      })
      .execute();
    await database
      .insertInto('meter_bindings')
      .values({
        model: 'gpt-4o',
        token_type: meter.tokenType,
        feature: '*',
        stripe_meter_id: meter.id,
        synced_at: SYNCED,
      })
      .execute();
    for (const [customer, currency] of [
      ['northwind', 'usd'],
      ['adatum', 'eur'],
    ] as const) {
      await insertItem(database, {
        id: `si_${customer}_${meter.tokenType}`,
        customer,
        currency,
        meterId: meter.id,
        cents: meter.cents,
        name: `GPT-4o ${meter.tokenType}`,
      });
    }
  }
}

export async function insertItem(
  database: LedgerDatabase,
  item: {
    id: string;
    customer: string;
    currency: string;
    meterId: string | null;
    cents: string | null;
    name: string;
  },
): Promise<void> {
  await database
    .insertInto('subscription_items')
    .values({
      subscription_item_id: item.id,
      subscription_id: `sub_${item.customer}`,
      subscription_status: 'active',
      customer_id: item.customer,
      price_id: `price_${item.id}`,
      product_name: item.name,
      currency: item.currency,
      unit_amount_decimal: item.cents,
      stripe_meter_id: item.meterId,
      current_period_start: PERIOD.start,
      current_period_end: PERIOD.end,
      active: true,
      synced_at: SYNCED,
    })
    .execute();
}

export interface UsageSeed {
  hour: string;
  subject?: string;
  customer?: string | null;
  model?: string;
  feature?: string;
  deployment?: string;
  tokenType?: TokenType;
  tokens: bigint;
  revision?: number;
  /** Null or absent: not pushed. */
  push?: { meterId: string; status: 'pending' | 'delivered' | 'refused' };
  quarantine?: string;
  /** Minutes of the hour that the row covers; the whole of it unless given. */
  part?: [number, number];
}

/** Settled usage, one row each, with its meter push if it has one. */
export async function insertUsage(database: LedgerDatabase, seeds: readonly UsageSeed[]): Promise<void> {
  for (const seed of seeds) {
    const window = new Date(seed.hour);
    const customer = seed.customer === undefined ? 'northwind' : seed.customer;
    const pushId = seed.push === undefined ? null : await insertPush(database, seed, customer, window);
    await database
      .insertInto('hourly_usage')
      .values({
        window_start: window,
        subject: seed.subject ?? 'user-1',
        feature: seed.feature ?? 'chat',
        model: seed.model ?? 'gpt-4o',
        deployment: seed.deployment ?? 'gpt-4o-global',
        token_type: seed.tokenType ?? 'prompt',
        part_start_minute: seed.part?.[0] ?? 0,
        part_end_minute: seed.part?.[1] ?? 60,
        revision: seed.revision ?? 1,
        token_count: seed.tokens,
        delta_token_count: seed.tokens,
        customer_id: customer,
        meter_push_id: pushId,
        quarantine_reason: seed.quarantine ?? null,
        created_at: SYNCED,
      })
      .execute();
  }
}

/** Four days of November with a token of northwind each, and one of October: enough for a month to be made of. */
export const STEADY_USE: readonly UsageSeed[] = ['10-10', '11-02', '11-05', '11-08', '11-11'].map((day) => ({
  hour: `2026-${day}T09:00:00Z`,
  feature: 'steady',
  tokens: 1n,
}));

let pushNumber = 0;

async function insertPush(
  database: LedgerDatabase,
  seed: UsageSeed,
  customer: string | null,
  window: Date,
): Promise<bigint> {
  pushNumber += 1;
  const row = await database
    .insertInto('meter_pushes')
    .values({
      customer_id: customer ?? 'northwind',
      stripe_customer_id: `cus_${customer}`,
      stripe_meter_id: seed.push?.meterId ?? '',
      event_name: seed.push?.meterId ?? '',
      window_start: window,
      revision: pushNumber,
      delta_token_count: seed.tokens,
      total_token_count: seed.tokens,
      sent_value: seed.tokens,
      event_timestamp: window,
      identifier: `test-${pushNumber}`,
      status: seed.push?.status ?? 'pending',
      first_attempt_at: null,
      last_error: null,
      created_at: SYNCED,
      delivered_at: null,
    })
    .returning('meter_push_id')
    .executeTakeFirstOrThrow();
  return row.meter_push_id;
}

/** Stripe's preview of a customer's subscription with these quantities for each token type. */
export function stripePreview(
  customer: string,
  quantities: Partial<Record<TokenType, bigint>>,
  more: BillingInvoiceLine[] = [],
): BillingInvoice {
  const cents: Partial<Record<TokenType, string>> = {
    prompt: '0.0003',
    prompt_cached: '0.00015',
    completion: '0.0012',
  };
  const lines = (Object.entries(quantities) as [TokenType, bigint][]).map(([tokenType, quantity]) => ({
    lineId: `il_${tokenType}`,
    description: `${quantity} × GPT-4o ${tokenType}`,
    subscriptionItemId: `si_${customer}_${tokenType}`,
    priceId: `price_si_${customer}_${tokenType}`,
    quantity,
    amountMinor: BigInt(Math.round(Number(quantity) * Number(cents[tokenType]))),
    unitAmountDecimal: cents[tokenType] ?? '0',
    periodStart: PERIOD.start,
    periodEnd: PERIOD.end,
  }));
  const all = [...lines, ...more];
  return {
    invoiceId: 'upcoming_in_1',
    stripeCustomerId: `cus_${customer}`,
    subscriptionId: `sub_${customer}`,
    status: 'draft',
    number: null,
    currency: 'usd',
    totalMinor: all.reduce((sum, line) => sum + line.amountMinor, 0n),
    periodStart: PERIOD.start,
    periodEnd: PERIOD.end,
    createdAt: PERIOD.end,
    billingReason: 'upcoming',
    lines: all,
  };
}
