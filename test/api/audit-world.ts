import { sql } from 'kysely';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { seedPriceBook } from '../../src/prices/book.ts';
import { insertOpenSteps } from '../enforcement/world.ts';
import { insertListedPrices } from './listed-prices.ts';
import { insertCatalog, insertUsage } from './world.ts';

/** Something of every kind that a person may decide about. */
export async function insertAuditWorld(database: LedgerDatabase, now: Date) {
  await insertCatalog(database);
  await seedPriceBook(database, now);
  const { largeChange, unmapped } = await insertListedPrices(database, now);
  const waiting = { hour: '2026-11-20T09:00:00Z', model: 'mystery', quarantine: 'no_binding' };
  await insertUsage(database, [
    { ...waiting, tokens: 30n, subject: 'stray', customer: null, quarantine: 'no_customer' },
    { ...waiting, tokens: 31n },
    { ...waiting, tokens: 32n, feature: 'search' },
    { ...waiting, tokens: 33n, subject: 'other', customer: null, quarantine: 'no_customer' },
    { ...waiting, tokens: 34n, subject: 'owned', customer: null, quarantine: 'no_customer' },
    { ...waiting, tokens: 9n, feature: 'lost' },
  ]);
  await sql`insert into subjects (subject, tenant_key, first_seen_at, updated_at)
            values ('other', '', now(), now()), ('owned', 'contoso', now(), now())`.execute(database);
  await sql`insert into invoices (invoice_id, customer_id, subscription_id, status, currency, total_minor, period_start, period_end, synced_at)
            values ('in_1', 'northwind', 'sub_northwind', 'draft', 'usd', 100, '2026-10-01', '2026-11-01', now())`.execute(
    database,
  );
  await sql`insert into closes (invoice_id, customer_id, subscription_id, currency, period_start, period_end, state, found_at, state_at)
            values ('in_1', 'northwind', 'sub_northwind', 'usd', '2026-10-01', '2026-11-01', 'held', now(), now())`.execute(
    database,
  );
  const credits = await sql<{ id: string }>`
    insert into credit_proposals (customer_id, invoice_id, stripe_meter_id, product_name, period_start, period_end, token_count,
      currency, amount_minor, cause, idempotency_key, proposed_at)
    select 'northwind', 'in_1', 'mtr_prompt', 'Prompt', '2026-10-01', '2026-11-01', 5, 'usd', 7, 'corrected_usage', key, now()
    from unnest(array['one', 'two', 'three', 'four']) as key returning credit_proposal_id::text as id`.execute(
    database,
  );
  const asked = await sql<{ id: string }>`
    insert into second_person_requests (act, subject_id, target, parameters, customer_id, amount_minor, currency, figures, reason,
      asked_by, asked_by_name, asked_by_key, asked_at, expires_at)
    select 'credit.approve', id, 'credit-' || id, '{}', 'northwind', 7, 'usd', '{"amount":"0.07 USD","tokens":"5","invoice":"in_1"}', 'test',
      'key:other (key_other)', 'other', 'key_other', ${now}, ${now}::timestamptz + interval '1 day'
    from unnest(${credits.rows.slice(2).map(({ id }) => id)}::text[]) as id
    returning second_person_request_id::text as id`.execute(database);
  const held = await sql<{ id: string }>`
    insert into source_items (event_day, source_item_id, metric_name, event_time, ingested_at, subject, tenant_key, feature, model,
      deployment, token_kind, token_count, request_count, quarantine_reason, quarantine_detail, raw, collection_window_id,
      quarantine_number)
    values ('2026-11-20', 'held', 'Completion Tokens', '2026-11-20T09:00:00Z', now(), 'owned', 'contoso', 'chat', 'gpt-4o', '',
      'completion', 20, 1, 'counts_disagree', 'total 120', '{}', 0, nextval('quarantined_item_numbers'))
    returning 'item-' || quarantine_number as id`.execute(database);
  await sql`insert into invoices (invoice_id, customer_id, subscription_id, status, currency, total_minor, period_start, period_end, synced_at)
            values ('in_void', 'northwind', 'sub_northwind', 'void', 'usd', 100, '2026-09-01', '2026-10-01', now())`.execute(
    database,
  );
  await sql`
    insert into uninvoiced_usage (customer_id, stripe_meter_id, subscription_id, invoice_id, reason, period_start, period_end, token_count, found_at)
    values ('northwind', 'mtr_prompt', 'sub_northwind', 'in_void', 'invoice_voided', '2026-09-01', '2026-10-01', 8, now())`.execute(
    database,
  );
  const uninvoiced = await sql<{ id: string }>`
    insert into uninvoiced_usage (customer_id, stripe_meter_id, subscription_id, reason, period_start, period_end, token_count, found_at)
    select 'northwind', 'mtr_prompt', 'sub_northwind', reason, '2026-10-01', '2026-11-01', 9, now()
    from unnest(array['subscription_cancelled', 'in_trial']) as reason returning uninvoiced_id::text as id`.execute(
    database,
  );
  await sql`
    update hourly_usage set quarantine_reason = 'uninvoiced', uninvoiced_id = ${uninvoiced.rows[0]?.id}::bigint
    where hourly_usage_id = (select max(hourly_usage_id) from hourly_usage)`.execute(database);
  // Usage of two months that the former rules counted.
  await sql`
    insert into usage_events (usage_event_id, window_start, event_time, subject, feature, model, deployment, prompt_token_count,
      cached_prompt_token_count, completion_token_count, reasoning_token_count, total_token_count, request_count, body, status,
      created_at, counting_version)
    select 'ue_' || at, at::timestamptz, at::timestamptz, 'recounted', 'chat', 'claude-sonnet-4-5', '', 100, 60, 5, 0, 105, 1, '', 'confirmed',
      now(), 1 from unnest(array['2026-09-20T09:00:00Z', '2026-10-20T09:00:00Z']) as at`.execute(database);
  await sql`insert into subjects (subject, tenant_key, customer_id, assigned_by, first_seen_at, updated_at)
            values ('recounted', '', 'northwind', 'person', now(), now())`.execute(database);
  await sql`
    insert into budgets (budget_id, name, scope, per_user, period, measure, currency, limit_amount_pico, steps, created_at, created_by,
      changed_at, judge_at)
    select 'bud_' || what, what, 'all', false, 'month', 'cost', 'usd', 50000000000000, '[]', now(), 'test', now(), now()
    from unnest(array['changed', 'graced', 'ended']) as what`.execute(database);
  const findings = await sql<{ id: string }>`
    insert into anomaly_findings (customer_id, first_hour, last_hour, state, raised_at, cost_pico_usd, usual_pico_usd,
      excess_pico_usd, day_ahead_pico_usd, is_above_sigma, opened_at, changed_at)
    select 'northwind', now(), now(), 'open', now(), 9, 1, 8, 0, true, now(), now() from generate_series(1, 3)
    returning anomaly_finding_id::text as id`.execute(database);
  const [liftedStep = '', restoredStep = ''] = await insertOpenSteps(
    database,
    ['bud_lifted', 'bud_restored'].map((budgetId) => ({
      budgetId,
      customerId: 'northwind',
      step: { action: 'stop' },
      windowEnd: '2030-01-01T00:00:00Z',
    })),
  );
  await sql`update budget_step_events set lifted_until = '2029-01-01T00:00:00Z', lifted_by = 'test'
            where budget_step_event_id = ${restoredStep}::bigint`.execute(database);
  await sql`
    insert into alert_routes (alert_route_id, name, channel, audience, kinds, least_severity, email_addresses, time_zone, urgent_passes,
      hourly_limit, locale, digest, digest_minute, skips_empty_digest, created_at, created_by, changed_at)
    select 'route_' || rpad(what, 16, '0'), what, 'email', 'operator', '{}', 'info', '{a@example.com}', 'UTC', true, 30, 'en', 'none', 480,
      false, now(), 'test', now() from unnest(array['tested', 'ended']) as what`.execute(database);
  const told = await sql<{ id: string }>`
    insert into alerts (kind, key, topic, is_standing, audience, severity, facts, raised_at, routed_at)
    select 'test', key, key, false, 'operator', 'info', '{"askedBy": "test"}', now(), now() from unnest(array['seen', 'again']) as key
    returning alert_id::text as id`.execute(database);
  await sql`
    insert into alert_deliveries (alert_id, alert_route_id, message_id, state, created_at)
    values (${told.rows[1]?.id}::bigint, 'route_tested0000000000', 'msg_again', 'given_up', now())`.execute(
    database,
  );
  const usage = await sql<{ id: string; token_count: bigint }>`
    select 'usage-' || hourly_usage_id as id, token_count from hourly_usage`.execute(database);
  const usageOf = (count: bigint) => usage.rows.find((row) => row.token_count === count)?.id ?? '';
  return {
    largeChange,
    unmapped,
    agreedTo: asked.rows[0]?.id ?? '',
    declined: asked.rows[1]?.id ?? '',
    approved: credits.rows[0]?.id ?? '',
    rejected: credits.rows[1]?.id ?? '',
    assigned: usageOf(30n),
    retried: usageOf(31n),
    writtenOff: usageOf(32n),
    accepted: held.rows[0]?.id ?? '',
    givenUp: uninvoiced.rows[0]?.id ?? '',
    dueAgain: uninvoiced.rows[1]?.id ?? '',
    realFinding: findings.rows[0]?.id ?? '',
    vainFinding: findings.rows[1]?.id ?? '',
    laterFinding: findings.rows[2]?.id ?? '',
    seenAlert: told.rows[0]?.id ?? '',
    givenUpAlert: told.rows[1]?.id ?? '',
    liftedStep,
    restoredStep,
  };
}
