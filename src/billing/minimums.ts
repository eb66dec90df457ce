import { sql } from 'kysely';
import { type PlanFileData, toPlan } from '../../pricing/plans/file.ts';
import { wholeMinorOf } from '../../pricing/plans/price.ts';
import { ownMeter } from '../catalog/bound-item.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';

/** What a plan lets the period of an invoice cost at least. */
export interface PlanMinimum {
  planId: string;
  planName: string;
  versionId: string;
  minimumMinor: bigint;
  /** Meters of the subscription that are billed by the plan. */
  stripeMeterIds: readonly string[];
}

/**
 * Minimums of the plans that the prices of these invoices' subscriptions are of, by invoice. A period is charged by the
 * version in force at its start. A trial has no minimum, and a plan in another currency than the invoice none either.
 */
export async function readPlanMinimums(
  database: LedgerDatabase,
  invoiceIds: readonly string[],
): Promise<Map<string, PlanMinimum[]>> {
  const rows = await sql<{
    invoiceId: string;
    currency: string;
    planId: string;
    versionId: string;
    content: PlanFileData;
    stripeMeterIds: string[];
  }>`
    select c.invoice_id as "invoiceId", c.currency, i.price_plan as "planId", v.version_id as "versionId", v.content,
      array_agg(distinct i.stripe_meter_id) as "stripeMeterIds"
    from closes c
    join subscription_items i on i.subscription_id = c.subscription_id and i.price_plan is not null
      and ${ownMeter('i')} is not null and coalesce(i.trial_ends_at <= c.period_start, true)
      and coalesce(i.ends_at > c.period_start, true)
    join lateral (
      select p.plan_version_id, p.version_id, p.content from plan_versions p
      where p.plan_id = i.price_plan and p.effective_from <= c.period_start
      order by p.effective_from desc, p.plan_version_id desc limit 1) v on true
    where c.invoice_id = any(${[...invoiceIds]}::text[])
    group by c.invoice_id, c.currency, i.price_plan, v.plan_version_id, v.version_id, v.content
    order by c.invoice_id, i.price_plan`.execute(database);
  const minimums = new Map<string, PlanMinimum[]>();
  for (const { invoiceId, currency, planId, versionId, content, stripeMeterIds } of rows.rows) {
    const plan = toPlan(content, []);
    const minimum = plan.versions[0]?.minimum ?? null;
    if (minimum === null || plan.currency !== currency) continue;
    const known = minimums.get(invoiceId) ?? [];
    const minimumMinor = wholeMinorOf(minimum, currency);
    known.push({ planId, planName: plan.name, versionId, minimumMinor, stripeMeterIds });
    minimums.set(invoiceId, known);
  }
  return minimums;
}

/**
 * What late usage of a meter may still cost without being charged: the missed invoice was topped up to a minimum, which
 * would have covered it.
 */
export async function readTopUpLeft(
  transaction: LedgerTransaction,
  missed: { invoiceId: string | null; stripeMeterId: string },
): Promise<bigint> {
  if (missed.invoiceId === null) return 0n;
  const left = await sql<{ left: bigint }>`
    select coalesce(sum(greatest((m.minimum->>'topUpMinor')::bigint - (
      select coalesce(sum(l.absorbed_minor), 0) from late_items l
      where l.missed_invoice_id = c.invoice_id and m.minimum->'stripeMeterIds' ? l.stripe_meter_id), 0)), 0)::bigint as left
    from closes c cross join lateral jsonb_array_elements(c.comparison->'minimums') as m(minimum)
    where c.invoice_id = ${missed.invoiceId} and c.ended_at is not null
      and m.minimum->'stripeMeterIds' ? ${missed.stripeMeterId}`.execute(transaction);
  return left.rows[0]?.left ?? 0n;
}
