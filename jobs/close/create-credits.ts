import { speakPeriod } from '../../pricing/closing/words.ts';
import { speakProduct } from '../../pricing/usage/words.ts';
import {
  type CreditProposal,
  listCreditProposals,
  markCreditCreated,
  markCreditFailed,
} from '../../src/billing/credits.ts';
import { type TallystickError, toTallystickError } from '../../src/platform/errors.ts';
import type { NewCreditNote } from '../../src/stripe/closing/port.ts';
import type { JobDependencies } from '../dependencies.ts';

const BATCH_LIMIT = 100;

/**
 * Creates the credit notes that a person has approved, each once: Stripe is asked for the proposal's key before.
 * @throws UpstreamError when Stripe does not answer; a refusal is kept with its proposal and tried again
 */
export async function createCredits(deps: JobDependencies, signal: AbortSignal | undefined): Promise<number> {
  const { database, invoicing, clock, log } = deps;
  const approved = await listCreditProposals(database, {
    states: ['approved'],
    afterId: 0n,
    limit: BATCH_LIMIT,
  });
  let count = 0;
  let failure: TallystickError | null = null;
  for (const proposal of approved) {
    signal?.throwIfAborted();
    const { creditProposalId } = proposal;
    try {
      const { creditNoteId } = await invoicing.createCreditNote(toCreditNote(proposal), signal);
      await markCreditCreated(database, { creditProposalId, creditNoteId, now: clock.now() });
      count += 1;
    } catch (error) {
      const known = toTallystickError(error);
      await markCreditFailed(database, creditProposalId, known.message);
      log.error(
        { creditProposalId: String(creditProposalId), reason: known.message },
        'A credit note was not created',
      );
      if (known.retry) failure ??= known;
    }
  }
  if (failure !== null) throw failure;
  return count;
}

function toCreditNote(proposal: CreditProposal): NewCreditNote {
  const { invoiceId, lineId, amountMinor, idempotencyKey, productName } = proposal;
  const period = speakPeriod(proposal.periodStart.toISOString(), proposal.periodEnd.toISOString());
  return {
    invoiceId,
    ...(lineId === null ? { amountMinor } : { lines: [{ lineId, amountMinor }] }),
    reason: 'order_change',
    memo: `Correction of ${speakProduct(productName)}, ${period}: less was used than billed.`,
    metadata: {
      tallystick_credit_proposal: String(proposal.creditProposalId),
      tallystick_token_count: String(proposal.tokenCount),
    },
    idempotencyKey,
  };
}
