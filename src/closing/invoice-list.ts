import { type RawBuilder, sql } from 'kysely';
import type { CloseDifference } from '../../pricing/closing/certificate.ts';
import { INVOICE_REASONS } from '../../pricing/closing/fate.ts';
import type { CloseState } from '../billing/states.ts';
import { isCreditedInFull } from '../billing/uninvoiced/undecided.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';

/** An invoice with what its close says of it: a row of what finance looks at. */
export interface InvoiceRow {
  invoiceId: string;
  number: string | null;
  customerId: string;
  customerName: string;
  currency: string;
  periodStart: Date;
  periodEnd: Date;
  /** As Stripe says, as far as we heard: `draft`, `open`, `paid`, `void`, `uncollectible`, `deleted`. */
  status: string;
  /** Minor units: what was certified or compared last, else what the invoice said when it was read. */
  totalMinor: bigint;
  creditedMinor: bigint;
  /** Credit notes gave all of it back, beyond what corrects its usage. */
  isCreditedInFull: boolean;
  /** Null: no close has taken it up, as of an invoice without usage. */
  closeState: CloseState | null;
  stateAt: Date | null;
  deadline: Date | null;
  endedAt: Date | null;
  difference: readonly CloseDifference[] | null;
  /** Why Stripe does not finalize it, or what the last try met. */
  lastError: string | null;
  /** What was noted with its last step. */
  note: string | null;
  releasedBy: string | null;
  releasedReason: string | null;
  /** The final total is not the certified one. */
  isMismatch: boolean;
  certificateSha256: string | null;
  driftTokenCount: bigint | null;
  /** Late usage of earlier periods that it has as items. */
  lateTokenCount: bigint;
  lateAmountMinor: bigint;
  /** Credits of it that a person has not decided. */
  proposedCreditCount: number;
  /** Of usage that was on it when it was taken back: nobody has said what becomes of it. */
  undecidedTokenCount: bigint;
}

export interface InvoiceFilter {
  /** Those that somebody, or the jobs, must still do something about. */
  isOpen?: boolean;
  /** Periods that end in `(start, end]`, as closes are listed. */
  periodEnds?: { start: Date; end: Date };
  invoiceId?: string;
  customerId?: string;
}

const IS_MISMATCH = sql`(c.confirmed_at is not null and c.last_error is not null)`;
const PROPOSED = sql`(select count(*)::int from credit_proposals p where p.invoice_id = v.invoice_id and p.state = 'proposed')`;
const UNDECIDED = sql`(select coalesce(sum(u.token_count), 0)::bigint from uninvoiced_usage u
  where u.invoice_id = v.invoice_id and u.state = 'open' and u.reason = any(${[...INVOICE_REASONS]}::text[]))`;
const IS_OPEN = sql`(case when c.invoice_id is null then v.status = 'draft' else c.ended_at is null end
  or ${IS_MISMATCH} or ${UNDECIDED} > 0)`;

/** Invoices, the latest period first, then by customer. */
export async function readInvoices(database: LedgerDatabase, filter: InvoiceFilter): Promise<InvoiceRow[]> {
  const { isOpen, periodEnds, invoiceId, customerId } = filter;
  const conditions: RawBuilder<unknown>[] = [
    ...(isOpen === true ? [IS_OPEN] : []),
    ...(periodEnds === undefined
      ? []
      : [sql`v.period_end > ${periodEnds.start} and v.period_end <= ${periodEnds.end}`]),
    ...(invoiceId === undefined ? [] : [sql`v.invoice_id = ${invoiceId}`]),
    ...(customerId === undefined ? [] : [sql`v.customer_id = ${customerId}`]),
  ];
  const rows = await sql<InvoiceRow>`
    select v.invoice_id as "invoiceId", v.number, v.customer_id as "customerId", coalesce(k.name, v.customer_id) as "customerName",
      v.currency, v.period_start as "periodStart", v.period_end as "periodEnd",
      -- A final invoice may be known as such by its reading before the catalog shows it.
      case when v.status = 'draft' then coalesce(r.status, 'draft') else v.status end as status,
      coalesce(c.total_minor, case when coalesce(r.status, 'draft') <> 'draft' then r.total_minor end, v.total_minor) as "totalMinor",
      v.credited_minor as "creditedMinor", ${isCreditedInFull()} as "isCreditedInFull", c.state as "closeState", c.state_at as "stateAt", c.deadline, c.ended_at as "endedAt",
      c.difference, c.last_error as "lastError",
      (select s.note from close_steps s where s.invoice_id = v.invoice_id order by s.close_step_id desc limit 1) as note,
      c.released_by as "releasedBy", c.released_reason as "releasedReason", coalesce(${IS_MISMATCH}, false) as "isMismatch",
      x.sha256 as "certificateSha256", x.drift_token_count as "driftTokenCount",
      coalesce(late.tokens, 0)::bigint as "lateTokenCount", coalesce(late.amount, 0)::bigint as "lateAmountMinor",
      ${PROPOSED} as "proposedCreditCount", ${UNDECIDED} as "undecidedTokenCount"
    from invoices v join customers k on k.customer_id = v.customer_id
    left join invoice_readings r on r.invoice_id = v.invoice_id
    left join closes c on c.invoice_id = v.invoice_id
    left join close_certificates x on x.invoice_id = v.invoice_id
    left join lateral (
      select sum(l.token_count) as tokens, sum(l.amount_minor) as amount from late_items l
      where l.invoice_id = v.invoice_id and l.state <> 'taken_back') late on true
    where ${conditions.length === 0 ? sql`true` : sql.join(conditions, sql` and `)}
    order by v.period_end desc, k.name, v.invoice_id`.execute(database);
  return rows.rows;
}
