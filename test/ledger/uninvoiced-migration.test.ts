import { expect, it } from 'vitest';
import { releaseTakenBack } from '../../src/billing/uninvoiced/taken-back.ts';
import { readUndecidedPairs } from '../../src/billing/uninvoiced/undecided.ts';
import { openLedgerBefore } from '../setup/earlier-ledger.ts';

it('what was delivered before the running period is invoiced, as it always counted, and nothing of it is decided anew', async () => {
  const ledger = await openLedgerBefore(/_uninvoiced\.sql$/);
  try {
    await ledger.client.query(`
      insert into customers (customer_id, stripe_customer_id, name, synced_at)
        values ('old', 'cus_1', 'Old', now()), ('gone', 'cus_2', 'Gone', now());
      insert into stripe_meters (stripe_meter_id, event_name, display_name, aggregation, status, synced_at)
        values ('mtr_1', 'm', 'm', 'sum', 'active', now());
      insert into subscription_items (subscription_item_id, subscription_id, subscription_status, customer_id, price_id, product_name,
        currency, unit_amount_decimal, stripe_meter_id, current_period_start, current_period_end, started_at, ends_at, active, synced_at,
        product_id, list_position)
      values ('si_1', 'sub_1', 'active', 'old', 'price_1', 'P', 'usd', '1', 'mtr_1', '2026-11-01', '2026-12-01', '2026-01-01', null,
          true, now(), 'prod', 1),
        ('si_2', 'sub_2', 'canceled', 'gone', 'price_1', 'P', 'usd', '1', 'mtr_1', '2026-05-01', '2026-05-10', '2026-01-01',
          '2026-05-10', false, now(), 'prod', 2);
      insert into invoices (invoice_id, customer_id, subscription_id, status, currency, total_minor, period_start, period_end, synced_at)
        values ('in_1', 'old', 'sub_1', 'draft', 'usd', 1, '2026-10-01', '2026-11-01', now());
      insert into meter_pushes (customer_id, stripe_customer_id, stripe_meter_id, event_name, window_start, revision, delta_token_count,
        total_token_count, sent_value, event_timestamp, identifier, status, created_at)
      select customer_id, 'cus', 'mtr_1', 'm', at::timestamptz, 1, 10, 10, 10, at::timestamptz, customer_id || at, status, now()
      from (values ('old', '2026-09-05', 'delivered'), ('old', '2026-10-05', 'delivered'), ('old', '2026-11-05', 'delivered'),
        ('old', '2026-08-05', 'pending'), ('gone', '2026-05-05', 'delivered')) as given(customer_id, at, status)`);
    await ledger.migrate();
    const { rows } = await ledger.client.query(
      'select customer_id, event_timestamp::date::text as at, fate from meter_pushes order by 1, 2',
    );
    expect(rows.map((row) => Object.values(row))).toEqual([
      ['gone', '2026-05-05', 'invoiced'],
      ['old', '2026-08-05', null],
      ['old', '2026-09-05', 'invoiced'],
      ['old', '2026-10-05', null],
      ['old', '2026-11-05', null],
    ]);
    expect(await readUndecidedPairs(ledger.database, { after: null, limit: 10 })).toEqual([]);
    expect(await releaseTakenBack(ledger.database, new Date())).toBe(0n);
  } finally {
    await ledger.close();
  }
});
