import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import type { Seller } from '../../src/platform/seller.ts';
import { insertInvoice, storeLines } from '../api/statement-world.ts';
import { insertCatalog, insertItem, insertUsage, type UsageSeed } from '../api/world.ts';

export const SELLER: Seller = {
  name: 'Contoso Cloud <b>AB</b>',
  address: [],
  contact: 'billing@contoso.example',
  logo: null,
  color: '#7a3ff2',
  terms: [],
};

export const HOSTILE = `<script>alert(1)</script>‮${'م'.repeat(470)}`;

const mini = (tokens: bigint) => ({
  model: 'gpt-4o-mini',
  tokens,
  push: { meterId: 'mtr_mini', status: 'delivered' as const },
});
const prompt = (tokens: bigint) => ({
  tokens,
  push: { meterId: 'mtr_prompt', status: 'delivered' as const },
});

/** Days of northwind's November: a quiet weekend, three users, two models, and a feature without a name. */
const USAGE: UsageSeed[] = [
  ...['02', '03', '04', '05', '06', '09', '10', '11', '12', '13', '16', '17', '18', '19', '20'].flatMap(
    (day, index): UsageSeed[] => [
      { hour: `2026-11-${day}T08:00:00Z`, ...prompt(900_000_000n + BigInt(index) * 31_234_567n) },
      { hour: `2026-11-${day}T09:00:00Z`, subject: 'user-2', feature: 'search', ...prompt(212_345_678n) },
      { hour: `2026-11-${day}T13:00:00Z`, feature: '', ...mini(300_000_001n) },
      {
        hour: `2026-11-${day}T14:00:00Z`,
        subject: 'user-2',
        tokenType: 'completion',
        tokens: 40_000_003n,
        push: { meterId: 'mtr_completion', status: 'delivered' },
      },
    ],
  ),
  // Not pushed yet.
  { hour: '2026-11-21T08:00:00Z', tokens: 12_345n },
  { hour: '2026-11-19T10:00:00Z', customer: 'adatum', subject: 'user-3', ...prompt(77_000_000n) },
];

/** Northwind with a month of usage, an allowance, invoices and names; adatum beside it. */
export async function insertPortalWorld(database: LedgerDatabase): Promise<void> {
  await insertCatalog(database);
  const meter = {
    event_name: 'mtr_mini',
    display_name: 'mtr_mini',
    aggregation: 'sum' as const,
    event_time_window: null,
  };
  const synced_at = new Date('2026-11-21T09:00:00Z');
  await database
    .insertInto('stripe_meters')
    .values({ stripe_meter_id: 'mtr_mini', ...meter, status: 'active', synced_at })
    .execute();
  const binding = { model: 'gpt-4o-mini', token_type: 'prompt' as const, feature: '*' };
  await database
    .insertInto('meter_bindings')
    .values({ ...binding, stripe_meter_id: 'mtr_mini', synced_at })
    .execute();
  const item = { customer: 'northwind', currency: 'usd', meterId: 'mtr_mini', cents: null };
  await insertItem(database, { ...item, id: 'si_northwind_mini', name: 'GPT-4o mini prompt' });
  await database
    .updateTable('subscription_items')
    .set({
      tiers_mode: 'graduated',
      price_tiers: JSON.stringify([
        { upTo: '6000000000', unitAmountDecimal: '0', flatAmountDecimal: null },
        { upTo: null, unitAmountDecimal: '0.000015', flatAmountDecimal: null },
      ]),
    })
    .where('subscription_item_id', '=', 'si_northwind_mini')
    .execute();
  await insertUsage(database, USAGE);
  await database
    .insertInto('watermarks')
    .values({ source: 'app-metrics', position: new Date('2026-11-21T10:20:00Z'), updated_at: synced_at })
    .execute();
  await insertInvoices(database);
  await database
    .insertInto('display_names')
    .values([
      { customer_id: 'northwind', subject: 'user-1', name: 'Ada Lovelace' },
      { customer_id: 'northwind', subject: 'user-2', name: HOSTILE },
      { customer_id: 'adatum', subject: 'user-3', name: 'Grace of Adatum' },
    ])
    .execute();
}

async function insertInvoices(database: LedgerDatabase): Promise<void> {
  const october = { start: new Date('2026-10-01T00:00:00Z'), end: new Date('2026-11-01T00:00:00Z') };
  await insertUsage(database, [
    { hour: '2026-10-05T10:00:00Z', ...prompt(3_000_000_000n) },
    { hour: '2026-10-20T10:00:00Z', subject: 'user-2', feature: 'search', ...prompt(1_000_000_000n) },
  ]);
  await insertInvoice(database, { id: 'in_october', totalMinor: 1_250_000n, number: 'NW-0010' });
  await insertInvoice(database, { id: 'in_adatum', customer: 'adatum', totalMinor: 99n, number: 'AD-0001' });
  await database
    .updateTable('invoices')
    .set({ period_start: october.start, period_end: october.end })
    .where('invoice_id', '=', 'in_october')
    .execute();
  const period = { periodStart: october.start, periodEnd: october.end };
  await storeLines(database, {
    id: 'in_october',
    totalMinor: 1_250_000n,
    lines: [
      {
        lineId: 'il_prompt',
        subscriptionItemId: 'si_northwind_prompt',
        quantity: 4_000_000_000n,
        unitAmountDecimal: '0.0003',
        amountMinor: 1_200_000n,
        ...period,
      },
      { lineId: 'il_fee', description: 'Support', amountMinor: 50_000n, ...period },
    ],
  });
  await storeLines(database, { id: 'in_adatum', lines: [{ lineId: 'il_adatum', amountMinor: 99n }] });
}
