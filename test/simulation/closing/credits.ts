import { decideCredit, listCreditProposals } from '../../../src/billing/credits.ts';
import type { LedgerDatabase } from '../../../src/platform/database/database.ts';
import type { Draws } from '../draws.ts';

/** Somebody looks at what is to be given back, now and then, and mostly agrees. */
export async function decideCredits(ledger: LedgerDatabase, draws: Draws, now: Date): Promise<void> {
  if (!draws.chance(0.5)) return;
  const proposals = await listCreditProposals(ledger, { states: ['proposed'], afterId: 0n, limit: 100 });
  for (const { creditProposalId } of proposals) {
    const state = draws.chance(0.8) ? 'approved' : 'rejected';
    await ledger.transaction().execute((transaction) =>
      decideCredit(transaction, {
        creditProposalId,
        state,
        reason: 'as it was drawn',
        actor: 'person',
        now,
      }),
    );
  }
}
