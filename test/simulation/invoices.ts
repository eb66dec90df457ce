import { sql } from 'kysely';
import { hashContent } from '../../src/closing/certificates.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import type { World } from './world.ts';

/**
 * At the end every period that was to be closed is: no draft is left past its deadline, every certificate is what was
 * written, and what we finalized ourselves, without anybody's release, has no drift.
 */
export async function checkCloses(world: World, ledger: LedgerDatabase): Promise<void> {
  const { witness, clock } = world;
  const rows = await sql<{
    invoice_id: string;
    state: string;
    deadline: Date | null;
    content: string | null;
    sha256: string | null;
    drift: bigint | null;
  }>`
    select c.invoice_id, c.state, c.deadline, x.content, x.sha256, x.drift_token_count as drift
    from closes c left join close_certificates x on x.invoice_id = c.invoice_id order by 1`.execute(ledger);
  for (const row of rows.rows) {
    const isFinal = row.state === 'finalized' || row.state === 'finalized_without_us';
    if (!['finalized', 'finalized_without_us', 'deleted', 'voided', 'left_alone'].includes(row.state))
      witness.report(`the close of ${row.invoice_id} ended as ${row.state}`);
    if (!isFinal && row.deadline !== null && row.deadline.getTime() < clock.nowMs())
      witness.report(`the close of ${row.invoice_id} is ${row.state} past its deadline`);
    if (isFinal && (row.content === null || hashContent(row.content) !== row.sha256))
      witness.report(`${row.invoice_id} is final without a sound certificate`);
    if (row.state === 'finalized' && row.drift !== 0n)
      witness.report(`${row.invoice_id} was finalized with a drift of ${row.drift} tokens`);
  }
}
