import { type RawBuilder, sql } from 'kysely';
import type { TopUpLeft } from '../../pricing/invoices/late-usage.ts';
import type { NamedMinimum } from '../../pricing/invoices/minimum.ts';
import { type PlanFileData, toPlan } from '../../pricing/plans/file.ts';
import { wholeMinorOf } from '../../pricing/plans/price.ts';
import { ownMeter } from '../catalog/bound-item.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';

/** What a plan lets the period of an invoice cost at least; of the meters of the subscription that are billed by the plan. */
export interface PlanMinimum extends NamedMinimum {
  planId: string;
  versionId: string;
  currency: string;
  meterIds: readonly string[];
}

/** Minimums of the plans that the prices of these invoices' subscriptions are of, by invoice. */
export async function readPlanMinimums(
  database: LedgerDatabase,
  invoiceIds: readonly string[],
): Promise<Map<string, PlanMinimum[]>> {
  return await minimumsOf(
    database,
    sql`select c.invoice_id as id, c.subscription_id, c.currency, c.period_start from closes c
      where c.invoice_id = any(${[...invoiceIds]}::text[])`,
  );
}

/** The same of periods that have no invoice yet, by subscription. */
export async function readRunningMinimums(
  database: LedgerDatabase,
  periods: readonly { subscriptionId: string; currency: string; periodStart: Date }[],
): Promise<Map<string, PlanMinimum[]>> {
  return await minimumsOf(
    database,
    sql`select period.id, period.id as subscription_id, period.currency, period.period_start
      from unnest(${periods.map(({ subscriptionId }) => subscriptionId)}::text[],
        ${periods.map(({ currency }) => currency)}::text[],
        ${periods.map(({ periodStart }) => periodStart.toISOString())}::timestamptz[]) as period(id, currency, period_start)`,
  );
}

/** The same of the periods that run of a customer's subscriptions. */
export async function readCustomerMinimums(
  database: LedgerDatabase,
  customerId: string,
): Promise<PlanMinimum[]> {
  const bySubscription = await minimumsOf(
    database,
    sql`select distinct on (s.subscription_id) s.subscription_id as id, s.subscription_id, s.currency,
        s.current_period_start as period_start
      from subscription_items s
      where s.customer_id = ${customerId} and s.active and s.price_plan is not null
      order by s.subscription_id, s.current_period_start`,
  );
  return [...bySubscription.values()].flat();
}

/** The same of calendar months of these customers' active subscriptions, by customer. A month before a subscription began has none. */
export async function readMonthlyMinimums(
  database: LedgerDatabase,
  customerIds: readonly string[],
  monthStarts: readonly Date[],
): Promise<Map<string, (PlanMinimum & { monthStart: Date })[]>> {
  const byPeriod = await minimumsOf(
    database,
    sql`select jsonb_build_array(s.customer_id, extract(epoch from month_start) * 1000, s.subscription_id)::text as id,
        s.subscription_id, s.currency, month_start as period_start
      from subscription_items s, unnest(${monthStarts.map((at) => at.toISOString())}::timestamptz[]) as month_start
      where s.customer_id = any(${[...customerIds]}::text[]) and s.active and s.price_plan is not null
        and coalesce(s.started_at < (month_start at time zone 'UTC' + interval '1 month') at time zone 'UTC', true)
      group by s.customer_id, s.subscription_id, s.currency, month_start`,
  );
  const minimums = [...byPeriod].flatMap(([id, its]) => {
    const [customerId, monthMs] = JSON.parse(id) as [string, number, string];
    return its.map((minimum) => ({ customerId, ...minimum, monthStart: new Date(monthMs) }));
  });
  return Map.groupBy(minimums, ({ customerId }) => customerId);
}

/**
 * A period is charged by the version in force at its start. A trial has no minimum, and a plan in another currency than the
 * invoice none either.
 * @param periods each with an id, its subscription, currency and start
 */
async function minimumsOf(
  database: LedgerDatabase,
  periods: RawBuilder<unknown>,
): Promise<Map<string, PlanMinimum[]>> {
  const rows = await sql<{
    id: string;
    currency: string;
    planId: string;
    versionId: string;
    content: PlanFileData;
    meterIds: string[];
  }>`
    select c.id, c.currency, i.price_plan as "planId", v.version_id as "versionId", v.content,
      array_agg(distinct i.stripe_meter_id) as "meterIds"
    from (${periods}) c
    join subscription_items i on i.subscription_id = c.subscription_id and i.price_plan is not null
      and ${ownMeter('i')} is not null and coalesce(i.trial_ends_at <= c.period_start, true)
      and coalesce(i.ends_at > c.period_start, true)
    join lateral (
      select p.plan_version_id, p.version_id, p.content from plan_versions p
      where p.plan_id = i.price_plan and p.effective_from <= c.period_start
      order by p.effective_from desc, p.plan_version_id desc limit 1) v on true
    group by c.id, c.currency, i.price_plan, v.plan_version_id, v.version_id, v.content
    order by c.id, i.price_plan`.execute(database);
  const minimums = new Map<string, PlanMinimum[]>();
  for (const { id, currency, planId, versionId, content, meterIds } of rows.rows) {
    const plan = toPlan(content, []);
    const minimum = plan.versions[0]?.minimum ?? null;
    if (minimum === null || plan.currency !== currency) continue;
    const known = minimums.get(id) ?? [];
    const minimumMinor = wholeMinorOf(minimum, currency);
    known.push({ planId, planName: plan.name, versionId, currency, minimumMinor, meterIds });
    minimums.set(id, known);
  }
  return minimums;
}

/**
 * What late usage may still cost without being charged: the missed invoices were topped up to a minimum, which would have
 * covered it.
 */
export async function readTopUpsLeft(
  database: LedgerDatabase,
  missed: readonly { missedInvoiceId: string | null }[],
): Promise<TopUpLeft[]> {
  const invoiceIds = [...new Set(missed.flatMap(({ missedInvoiceId }) => missedInvoiceId ?? []))];
  if (invoiceIds.length === 0) return [];
  const left = await sql<TopUpLeft>`
    select c.invoice_id as "invoiceId", m.minimum->'stripeMeterIds' as "stripeMeterIds",
      ((m.minimum->>'topUpMinor')::bigint - (
        select coalesce(sum(l.absorbed_minor), 0) from late_items l
        where l.missed_invoice_id = c.invoice_id and m.minimum->'stripeMeterIds' ? l.stripe_meter_id))::bigint as "leftMinor"
    from closes c cross join lateral jsonb_array_elements(c.comparison->'minimums') as m(minimum)
    where c.invoice_id = any(${invoiceIds}::text[]) and c.ended_at is not null
    order by 1, m.minimum->>'planId'`.execute(database);
  return left.rows;
}
