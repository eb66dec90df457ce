import { sql } from 'kysely';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { isCertificateSound } from './certificates.ts';

/** What became of the invoices whose period ended in one month. */
export interface ClosedMonth {
  /** `YYYY-MM`, UTC. */
  month: string;
  invoiceCount: number;
  /** Ended, and by ourselves before the deadline. */
  inTimeCount: number;
  /** Ended by Stripe's clock or a person, or by us after the deadline. */
  otherwiseCount: number;
  /** Not ended. */
  openCount: number;
  /** Ever held: something differed, or did not come through for long. */
  heldCount: number;
  /** Let go in spite of a difference. */
  releasedCount: number;
  /** From the end of the period to its invoice, the longest; null: none has ended. */
  longestMinutes: number | null;
  certificateCount: number;
  /** Certificates without any drift, whose hash is right. */
  cleanCount: number;
  /** Items for late usage of an earlier period, on these invoices. */
  lateItemCount: number;
  lateTokenCount: bigint;
  /**
   * Of these, such that are not where they belong: on the very next invoice under the period that they missed, or, when
   * they came between the last push and the end of a draft, on that draft.
   */
  misplacedLateItemCount: number;
}

/** The closes of a ledger by the month in which periods ended, oldest first. Checks the hash of every certificate. */
export async function readClosedMonths(database: LedgerDatabase): Promise<ClosedMonth[]> {
  const months = await sql<Omit<ClosedMonth, 'cleanCount'>>`
    with by_month as (
      select to_char(c.period_end at time zone 'UTC', 'YYYY-MM') as month, c.*, t.invoice_id is not null as has_certificate
      from closes c left join close_certificates t on t.invoice_id = c.invoice_id),
    late as (
      select to_char(c.period_end at time zone 'UTC', 'YYYY-MM') as month, l.token_count,
        l.state = 'invoiced' and (
          (l.period_start = m.period_start and l.period_end = m.period_end and m.period_end = c.period_start)
          or (l.missed_invoice_id is null and l.period_start = c.period_start and l.period_end = c.period_end))
          is not true as is_misplaced
      from late_items l join closes c on c.invoice_id = l.invoice_id
        left join closes m on m.invoice_id = l.missed_invoice_id)
    select b.month,
      count(*)::int as "invoiceCount",
      (count(*) filter (where b.state = 'finalized' and b.ended_at <= b.deadline))::int as "inTimeCount",
      (count(*) filter (where b.ended_at is not null and not (b.state = 'finalized' and b.ended_at <= b.deadline)))::int as "otherwiseCount",
      (count(*) filter (where b.ended_at is null))::int as "openCount",
      (count(*) filter (where b.held_count > 0))::int as "heldCount",
      (count(*) filter (where b.released_by is not null))::int as "releasedCount",
      (extract(epoch from max(b.ended_at - b.period_end)) / 60)::int as "longestMinutes",
      (count(*) filter (where b.has_certificate))::int as "certificateCount",
      (select count(*) from late l where l.month = b.month)::int as "lateItemCount",
      (select coalesce(sum(l.token_count), 0) from late l where l.month = b.month)::bigint as "lateTokenCount",
      (select count(*) from late l where l.month = b.month and l.is_misplaced)::int as "misplacedLateItemCount"
    from by_month b group by b.month order by b.month`.execute(database);
  const clean = await countCleanCertificates(database);
  return months.rows.map((row) => ({ ...row, cleanCount: clean.get(row.month) ?? 0 }));
}

async function countCleanCertificates(database: LedgerDatabase): Promise<Map<string, number>> {
  const certificates = await sql<{ month: string; content: string; sha256: string; isWithoutDrift: boolean }>`
    select to_char(c.period_end at time zone 'UTC', 'YYYY-MM') as month, t.content, t.sha256,
      t.drift_token_count = 0 and t.drift_amount_minor = 0 as "isWithoutDrift"
    from close_certificates t join closes c on c.invoice_id = t.invoice_id`.execute(database);
  const counts = new Map<string, number>();
  for (const certificate of certificates.rows) {
    if (!certificate.isWithoutDrift || !isCertificateSound(certificate)) continue;
    counts.set(certificate.month, (counts.get(certificate.month) ?? 0) + 1);
  }
  return counts;
}
