import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { rateMeter } from '../../pricing/closing/meter.ts';
import { CHARGE_STEPS, toChargeable } from '../../pricing/money.ts';
import { writeAudits } from '../platform/database/audit.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { type CreditProposal, JOB } from './credits.ts';
import { type LateGroup, lockLateGroups } from './late-groups.ts';
import { CARRY_TO_NEXT_INVOICE } from './meter-pushes.ts';
import { markTakenUp } from './uninvoiced/groups.ts';

/**
 * Proposes what the ledger can prove: carried corrections that make a meter's usage of a final invoice less than it
 * billed, and invoices that were final with more on them than Stripe had been told. Less than a minor unit is no
 * proposal; corrections wait until they are worth one. Audited.
 * @returns how many
 */
export async function proposeCredits(database: LedgerDatabase, now: Date): Promise<number> {
  const customers = await sql<{ customerId: string }>`
    select distinct customer_id as "customerId" from hourly_usage
    where quarantine_reason = ${CARRY_TO_NEXT_INVOICE} and late_item_id is null and credit_proposal_id is null
      and written_off_at is null and delta_token_count < 0 and customer_id is not null`.execute(database);
  let count = await database.transaction().execute((transaction) => proposeAboveLedger(transaction, now));
  if (customers.rows.length === 0) return count;
  const ids = customers.rows.map((row) => row.customerId);
  count += await database.transaction().execute(async (transaction) => {
    const groups = await lockLateGroups(transaction, ids);
    let proposed = 0;
    for (const group of groups) proposed += (await proposeCorrection(transaction, group, now)) ? 1 : 0;
    return proposed;
  });
  return count;
}

async function proposeCorrection(
  transaction: LedgerTransaction,
  group: LateGroup,
  now: Date,
): Promise<boolean> {
  const { price, missedInvoiceId, billedQuantity, tokenCount } = group;
  if (tokenCount >= 0n || missedInvoiceId === null || price === null) return false;
  const before = rateMeter(billedQuantity, price) ?? 0n;
  const after = rateMeter(billedQuantity + tokenCount, price) ?? 0n;
  const amountMinor = toChargeable(before - after, group.currency);
  if (amountMinor <= 0n) return false;
  const facts = [missedInvoiceId, group.stripeMeterId, ...group.hourlyUsageIds.map(String)].join('|');
  const row = await transaction
    .insertInto('credit_proposals')
    .values({
      customer_id: group.customerId,
      invoice_id: missedInvoiceId,
      stripe_meter_id: group.stripeMeterId,
      product_name: group.productName,
      line_id: group.lineId,
      period_start: group.periodStart,
      period_end: group.periodEnd,
      token_count: -tokenCount,
      currency: group.currency,
      amount_minor: amountMinor,
      cause: 'corrected_usage',
      idempotency_key: `tallystick_credit_${createHash('sha256').update(facts).digest('hex').slice(0, 40)}`,
      proposed_at: now,
    })
    .returning('credit_proposal_id')
    .executeTakeFirstOrThrow();
  await sql`update hourly_usage set credit_proposal_id = ${row.credit_proposal_id}
            where hourly_usage_id = any(${group.hourlyUsageIds.map(String)}::bigint[])`.execute(transaction);
  await markTakenUp(transaction, group.uninvoicedIds);
  await auditProposals(
    transaction,
    [
      {
        creditProposalId: row.credit_proposal_id,
        invoiceId: missedInvoiceId,
        tokenCount: -tokenCount,
        amountMinor,
        cause: 'corrected_usage',
      },
    ],
    now,
  );
  return true;
}

async function proposeAboveLedger(transaction: LedgerTransaction, now: Date): Promise<number> {
  const proposed = await sql<Proposed>`
    insert into credit_proposals (customer_id, invoice_id, stripe_meter_id, product_name, line_id, period_start, period_end,
      token_count, currency, amount_minor, cause, idempotency_key, proposed_at)
    select m.customer_id, m.invoice_id, m.stripe_meter_id, m.product_name, m.line_id, m.period_start, m.period_end,
      m.invoice_quantity - greatest(m.ledger_quantity, 0), i.currency, round((m.invoice_amount_minor - m.rated_amount_minor) / step.size) * step.size,
      'invoice_above_ledger', 'tallystick_credit_above_' || md5(m.invoice_id || m.subscription_item_id || m.period_start), ${now}
    from close_meters m join invoices i on i.invoice_id = m.invoice_id
    -- Only so much can be given back as can be charged in the currency.
    cross join lateral (select coalesce((${JSON.stringify(CHARGE_STEPS)}::jsonb->>i.currency)::numeric, 1) as size) step
    where m.invoice_quantity > greatest(m.ledger_quantity, 0)
      and round((m.invoice_amount_minor - m.rated_amount_minor) / step.size) > 0
      -- What Stripe took and the ledger heard of only after it compared, or has yet to hear of, was used and is owed.
      and greatest(m.ledger_quantity, 0) >= (select coalesce(sum(p.delta_token_count), 0) from meter_pushes p
        where p.customer_id = m.customer_id and p.stripe_meter_id = m.stripe_meter_id and p.status in ('pending', 'delivered')
          and p.fate is distinct from 'uninvoiced' and p.event_timestamp >= m.period_start and p.event_timestamp < m.period_end)
    on conflict (idempotency_key) do nothing
    returning credit_proposal_id as "creditProposalId", invoice_id as "invoiceId", token_count as "tokenCount",
      amount_minor as "amountMinor", cause`.execute(transaction);
  await auditProposals(transaction, proposed.rows, now);
  return proposed.rows.length;
}

type Proposed = Pick<
  CreditProposal,
  'creditProposalId' | 'invoiceId' | 'tokenCount' | 'amountMinor' | 'cause'
>;

async function auditProposals(
  transaction: LedgerTransaction,
  proposals: readonly Proposed[],
  now: Date,
): Promise<void> {
  await writeAudits(
    transaction,
    proposals.map((proposal) => ({
      actor: JOB,
      action: 'credit.propose',
      target: `credit-${proposal.creditProposalId}`,
      details: {
        invoice_id: proposal.invoiceId,
        token_count: String(proposal.tokenCount),
        amount_minor: String(proposal.amountMinor),
        cause: proposal.cause,
      },
      now,
    })),
  );
}
