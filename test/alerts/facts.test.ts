import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sayAmount } from '../../pricing/alerts/amounts.ts';
import { gatherDigest } from '../../src/alerts/digest-facts.ts';
import { gatherAlerts } from '../../src/alerts/gather.ts';
import { type ListedAlert, listAlerts } from '../../src/alerts/list.ts';
import { operatorMessage } from '../../src/alerts/words.ts';
import { moveClose, postponeClose } from '../../src/closing/closes.ts';
import { addMs, DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/platform/clock.ts';
import { insertUsage } from '../api/world.ts';
import { insertRollupWorld, rate } from '../costs/rollup-world.ts';
import { createTestLedger, type TestLedger } from '../setup/ledger.ts';
import { clearAlerts } from './world.ts';

const START = new Date('2026-11-21T12:00:00Z');
const ago = (hours: number) => addMs(now, -hours * HOUR_MS);

let ledger: TestLedger;
let now = START;
beforeAll(async () => {
  ledger = await createTestLedger();
  await insertRollupWorld(ledger.database);
  await rate(ledger.database);
});
afterAll(() => ledger.close());
beforeEach(async () => {
  now = START;
  const { database } = ledger;
  await clearAlerts(database);
  await sql`truncate billing_drifts, held_item_sums`.execute(database);
  await sql`update hourly_usage set written_off_at = ${now} where quarantine_reason is not null`.execute(
    database,
  );
  await sql`update price_book_changes set made_at = ${ago(24 * 90)}`.execute(database);
});

/** What a look, later by so much, raises or takes back: in words, as people read it. */
async function look(
  laterMs = 0,
): Promise<(Pick<ListedAlert, 'severity' | 'customerId' | 'facts'> & { subject: string })[]> {
  now = addMs(now, laterMs);
  const { database } = ledger;
  const [before] = await listAlerts(database, {}, { beforeId: null, limit: 1 });
  await gatherAlerts(database, { now, quarantineAfterMs: DAY_MS });
  const all = await listAlerts(database, {}, { beforeId: null, limit: 100 });
  return all
    .filter(({ alertId }) => alertId > (before?.alertId ?? 0n))
    .reverse()
    .map((alert) => ({
      severity: alert.severity,
      customerId: alert.customerId,
      facts: alert.facts,
      subject: operatorMessage(alert).subject,
    }));
}
const subjects = async (laterMs = 0) => (await look(laterMs)).map(({ subject }) => subject);

/** A close of northwind, pushed and due. */
async function openClose(invoiceId: string, deadlineHours: number): Promise<void> {
  await sql`
    insert into invoices (invoice_id, customer_id, subscription_id, status, currency, total_minor, period_start, period_end, synced_at)
    values (${invoiceId}, 'northwind', 'sub_northwind', 'draft', 'usd', 100, '2026-10-20T00:00:00Z', '2026-11-20T00:00:00Z', ${now})
    on conflict do nothing`.execute(ledger.database);
  await sql`
    insert into closes (invoice_id, customer_id, subscription_id, currency, period_start, period_end, state, found_at, state_at, deadline)
    values (${invoiceId}, 'northwind', 'sub_northwind', 'usd', '2026-10-20T00:00:00Z', '2026-11-20T00:00:00Z', 'pushed', ${now}, ${now},
      ${addMs(now, deadlineHours * HOUR_MS)})`.execute(ledger.database);
}
type Move = Parameters<typeof moveClose>[1];
const move = async (invoiceId: string, from: Move['to'], to: Move['to'], more: Partial<Move> = {}) =>
  expect(await moveClose(ledger.database, { invoiceId, from: [from], to, now, ...more })).toBe(true);
const difference = [
  { kind: 'late', tokenType: 'prompt', model: 'gpt-4o', expected: '5', found: '0' },
] as unknown as NonNullable<Move['difference']>;
const postpone = async (invoiceId: string, error: string | null, state: Move['to'] = 'pushed') =>
  await postponeClose(ledger.database, { invoiceId, state, nextLookAt: now, error });

async function insertDrift(
  meterSlug: string,
  difference: bigint,
  seenHoursAgo: number,
  hour = '09',
): Promise<void> {
  await sql`
    insert into drifts (window_start, subject, feature, model, deployment, meter_slug, ledger_value, metered_value, first_seen_at, last_seen_at)
    values (${`2026-11-21T${hour}:00:00Z`}, 'user-1', 'chat', 'gpt-4o', 'gpt-4o-global', ${meterSlug}, 1000, ${String(1000n - difference)}::bigint,
      ${ago(seenHoursAgo)}, ${now})`.execute(ledger.database);
}

describe('what is told of', () => {
  it('drift: each token once, though several meters count it, after two hours, until it is repaired', async () => {
    await insertDrift('tallystick_prompt_tokens', 100n, 1);
    expect(await look()).toEqual([]);
    await insertDrift('tallystick_cached_prompt_tokens', 60n, 3);
    await insertDrift('tallystick_completion_tokens', -20n, 3);
    await insertDrift('tallystick_total_tokens', 80n, 3);
    await insertDrift('tallystick_requests', 2n, 3);
    await sql`update drifts set first_seen_at = ${ago(3)}`.execute(ledger.database);
    expect(await look()).toMatchObject([
      {
        customerId: 'northwind',
        severity: 'warning',
        facts: { boundary: 'openmeter', hourCount: 1, tokenCount: '120' },
        subject: 'NORTHWIND: OpenMeter differs from the ledger by 120 tokens',
      },
    ]);
    await insertDrift('tallystick_prompt_tokens', 7n, 5, '10');
    expect(await look(MINUTE_MS)).toEqual([]);
    await sql`update drifts set resolved_at = ${now}`.execute(ledger.database);
    expect(await subjects(MINUTE_MS)).toEqual([
      'Settled: NORTHWIND: OpenMeter differs from the ledger by 120 tokens',
    ]);
    // Another one is another fact.
    await insertDrift('tallystick_requests', 1n, 4, '11');
    expect(await subjects()).toEqual([
      'NORTHWIND: OpenMeter differs from the ledger in what it counts of requests',
    ]);
  });

  it('drift at Stripe, by customer', async () => {
    await sql`
      insert into billing_drifts (customer_id, stripe_meter_id, window_start, acknowledged_value, counted_value, class, first_seen_at, last_seen_at)
      select customer_id, 'mtr_prompt', hour, 500, counted, 'unexplained', ${ago(3)}, ${now}
      from (values ('adatum', '2026-11-21T07:00:00Z'::timestamptz, 400), ('adatum', '2026-11-21T08:00:00Z', 530),
        ('northwind', '2026-11-21T08:00:00Z', 0)) as seed(customer_id, hour, counted)`.execute(
      ledger.database,
    );
    const told = await look();
    expect(told.map(({ customerId, facts }) => [customerId, facts])).toEqual([
      ['adatum', expect.objectContaining({ hourCount: 2, tokenCount: '130' })],
      ['northwind', expect.objectContaining({ hourCount: 1, tokenCount: '500' })],
    ]);
  });

  it('a held invoice once, again when its deadline is near, and that it is settled; held late, once in all', async () => {
    await openClose('in_early', 20);
    await move('in_early', 'pushed', 'held', { difference });
    expect(await look()).toMatchObject([
      {
        severity: 'warning',
        facts: { reason: 'late' },
        subject: expect.stringMatching(/^Invoice of NORTHWIND is held; /),
      },
    ]);
    // A look that finds it as it was.
    await move('in_early', 'held', 'rescanned');
    expect(await look(MINUTE_MS)).toEqual([]);
    await move('in_early', 'rescanned', 'held', { difference });
    expect(await look(MINUTE_MS)).toEqual([]);
    expect((await look(17 * HOUR_MS)).map(({ severity }) => severity)).toEqual(['urgent']);
    await move('in_early', 'held', 'annotated');
    expect((await subjects(MINUTE_MS)).map((subject) => subject.slice(0, 24))).toEqual([
      'Settled: Invoice of NORT',
      'Settled: Invoice of NORT',
    ]);
    await openClose('in_late', 3);
    await move('in_late', 'pushed', 'held', { difference });
    expect((await look()).map(({ severity }) => severity)).toEqual(['urgent']);
    expect(await look(MINUTE_MS)).toEqual([]);
  });

  it('a close that fails again and again, and none that waits or failed once', async () => {
    await openClose('in_stuck', 48);
    for (let waits = 0; waits < 6; waits += 1) await postpone('in_stuck', null);
    await postpone('in_stuck', 'Stripe was slow');
    expect(await look()).toEqual([]);
    for (let failures = 0; failures < 4; failures += 1) await postpone('in_stuck', 'Stripe refuses');
    expect(await look()).toMatchObject([
      { severity: 'warning', facts: { state: 'pushed', problem: 'Stripe refuses' } },
    ]);
    await postpone('in_stuck', 'Stripe refuses');
    expect(await look(MINUTE_MS)).toEqual([]);
    // It went on, and met trouble once since.
    await move('in_stuck', 'pushed', 'compared');
    await postpone('in_stuck', 'Stripe was slow', 'compared');
    expect(await subjects(MINUTE_MS)).toEqual([
      'Settled: Invoice of NORTHWIND could not be closed as it should: pushed',
    ]);
    for (let failures = 0; failures < 4; failures += 1) await postpone('in_stuck', 'again', 'compared');
    expect(await subjects(MINUTE_MS)).toEqual([
      'Invoice of NORTHWIND could not be closed as it should: compared',
    ]);
  });

  it('an invoice that Stripe finalized with a difference, and none that it finalized as it should be', async () => {
    for (const [invoiceId, found] of [
      ['in_differs', difference],
      ['in_equal', null],
    ] as const) {
      await openClose(invoiceId, -1);
      await move(invoiceId, 'pushed', 'overtaken');
      await move(invoiceId, 'overtaken', 'finalized_without_us', { difference: found });
    }
    expect(await look()).toMatchObject([{ severity: 'urgent', facts: { invoiceId: 'in_differs' } }]);
  });

  it('what waits in quarantine for longer than a day, by reason, until nothing of it does', async () => {
    await insertUsage(ledger.database, [
      {
        hour: '2026-11-19T09:00:00Z',
        tokens: 30n,
        subject: 'stray',
        customer: null,
        quarantine: 'no_customer',
      },
      {
        hour: '2026-11-19T10:00:00Z',
        tokens: 12n,
        subject: 'stray',
        customer: null,
        quarantine: 'no_customer',
      },
      { hour: '2026-11-19T11:00:00Z', tokens: 7n, model: 'mystery', quarantine: 'no_binding' },
      { hour: '2026-10-20T12:00:00Z', tokens: 9n, quarantine: 'carry_to_next_invoice' },
    ]);
    await sql`update hourly_usage set created_at = ${ago(48)} where quarantine_reason in ('no_customer', 'carry_to_next_invoice')`.execute(
      ledger.database,
    );
    await sql`
      insert into held_item_sums (reason, metric_name, collection_window_id, is_written_off, row_count, token_count, counted_row_count,
        counted_token_count, first_ingested_at)
      values ('unknown_metric', 'Thinking Tokens', 0, false, 5, 0, 0, 0, ${ago(30)}), ('bad_count', '', 0, false, 1, 0, 0, 0, ${ago(30)}),
        ('bad_count', '', 0, false, -1, 0, 0, 0, ${ago(29)})`.execute(ledger.database);
    const told = await look();
    const byReason = new Map(told.map(({ facts }) => [(facts as { reason: string }).reason, facts]));
    expect([...byReason.keys()].sort()).toEqual(['no_customer', 'unknown_metric']);
    expect(byReason.get('unknown_metric')).toMatchObject({
      stage: 'source_item',
      metricName: 'Thinking Tokens',
      rowCount: '5',
    });
    expect(byReason.get('no_customer')).toMatchObject({
      stage: 'hourly_usage',
      metricName: null,
      rowCount: '2',
      tokenCount: '42',
    });
    await sql`update hourly_usage set written_off_at = ${now} where quarantine_reason = 'no_customer'`.execute(
      ledger.database,
    );
    expect(await subjects(MINUTE_MS)).toEqual([
      expect.stringMatching(/^Settled: 42 tokens wait since .*: no customer$/),
    ]);
  });

  it('that prices changed, and that changes wait, once for as long as any does', async () => {
    await sql`
      insert into price_book_changes (change_id, kind, made_at, made_by, reason, version)
      values (9001, 'import', ${ago(1)}, 'a person', 'a new list', 'v-new')`.execute(ledger.database);
    await sql`
      insert into price_sync_runs (price_sync_run_id, created_at, requested_by, status) values ('run', ${now}, 'test', 'done')`.execute(
      ledger.database,
    );
    const insertPending = async (fingerprint: string, model: string | null) =>
      await sql`
        insert into price_sync_items (currency, fingerprint, first_run_id, last_run_id, found_at, seen_at, is_retroactive, meter_id, meter_name,
          model, product_name, regions, retail_price, status, subject, unit_of_measure, verdict)
        values ('usd', ${fingerprint}, 'run', 'run', ${now}, ${now}, false, 'meter', 'meter', ${model}, 'product', '{}', '1', 'pending', ${fingerprint}, '1K',
          'unmapped')`.execute(ledger.database);
    await insertPending('one', 'gpt-4o');
    await insertPending('two', null);
    expect((await subjects()).sort()).toEqual([
      '2 change(s) of prices wait for somebody: gpt-4o',
      'Prices changed: no model named',
    ]);
    await insertPending('three', 'o4-mini');
    expect(await look(MINUTE_MS)).toEqual([]);
    await sql`update price_sync_items set status = 'rejected', decided_by = 'a person', decided_at = ${now}`.execute(
      ledger.database,
    );
    expect(await look(MINUTE_MS)).toEqual([]);
    await insertPending('four', 'o4-mini');
    expect(await subjects(MINUTE_MS)).toEqual(['1 change(s) of prices wait for somebody: o4-mini']);
  });

  it('a digest: a week beside the one before, of everybody and of one customer, with what waits', async () => {
    const { database } = ledger;
    const week = { start: new Date('2026-11-02T00:00:00Z'), end: new Date('2026-11-09T00:00:00Z') };
    const costOf = async (from: Date, until: Date, customerId: string | null) => {
      const { rows } = await sql<{ cost: string }>`
        select coalesce(sum(cost_pico_usd), 0)::text as cost from daily_costs
        where day >= ${from}::timestamptz::date and day < ${until}::timestamptz::date
          and ${customerId === null ? sql`true` : sql`customer_id = ${customerId}`}`.execute(database);
      return sayAmount(BigInt(rows[0]?.cost ?? '0'), 'usd');
    };
    await insertDrift('tallystick_prompt_tokens', 7n, 5);
    await openClose('in_digest', 3);
    await move('in_digest', 'pushed', 'held', { difference });
    await look();
    for (const customerId of [null, 'northwind', 'adatum']) {
      const digest = await gatherDigest(database, { window: week, customerId, now });
      expect(digest).toMatchObject({
        cost: await costOf(week.start, week.end, customerId),
        costBefore: await costOf(addMs(week.start, -7 * DAY_MS), week.start, customerId),
        waits:
          customerId === 'adatum'
            ? []
            : [
                { what: 'drift', count: 1 },
                { what: 'held invoice', count: 1 },
              ],
        alertCount: 0,
      });
      expect(digest.movers.map(({ name }) => name)).not.toContain(
        customerId === 'adatum' ? 'NORTHWIND' : customerId === 'northwind' ? 'ADATUM' : undefined,
      );
    }
    const today = await gatherDigest(database, {
      window: { start: addMs(START, -DAY_MS), end: addMs(START, DAY_MS) },
      customerId: null,
      now,
    });
    expect(today).toMatchObject({ cost: '0.00 USD', alertCount: 2 });
  });
});
