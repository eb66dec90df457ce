import { speakPeriod } from '../../pricing/closing/words.ts';
import { formatMinor } from '../../pricing/money.ts';
import { speakProduct } from '../../pricing/usage/words.ts';
import {
  amountToCredit,
  type CreditProposal,
  listCreditProposals,
  markCreditCreated,
  markCreditFailed,
  returnCredit,
} from '../../src/billing/credits.ts';
import { readInvoiceLines } from '../../src/billing/invoice-lines.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { type TallystickError, toTallystickError } from '../../src/platform/errors.ts';
import type { CreditBeyond, NewCreditNote } from '../../src/stripe/closing/port.ts';
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
      const lineIds = await readCreditedLines(database, proposal);
      const outcome = await invoicing.createCreditNote(toCreditNote(proposal, lineIds), signal);
      const now = clock.now();
      if ('creditNoteId' in outcome) {
        await markCreditCreated(database, { creditProposalId, ...outcome, now });
        count += 1;
        continue;
      }
      const error = explainBeyond(proposal, outcome);
      const { creditableMinor } = outcome;
      await returnCredit(database, { creditProposalId, creditableMinor, error, now });
      log.warn(
        { creditProposalId: String(creditProposalId), reason: error },
        'Less is left than was approved',
      );
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

/** The meter's lines, the last tier first: what was billed too much came on top. */
async function readCreditedLines(database: LedgerDatabase, proposal: CreditProposal): Promise<string[]> {
  const { invoiceId, lineId, stripeMeterId, periodStart } = proposal;
  const lines = await readInvoiceLines(database, invoiceId);
  const ofMeter = lines.filter(
    (line) =>
      line.stripeMeterId === stripeMeterId &&
      line.amountMinor > 0n &&
      line.period.start.getTime() === periodStart.getTime(),
  );
  const known = lineId === null ? [] : [lineId];
  return [...new Set([...known, ...ofMeter.map((line) => line.lineId).reverse()])];
}

function toCreditNote(proposal: CreditProposal, lineIds: readonly string[]): NewCreditNote {
  const { invoiceId, idempotencyKey, productName, paidPart } = proposal;
  const period = speakPeriod(proposal.periodStart.toISOString(), proposal.periodEnd.toISOString());
  return {
    invoiceId,
    amountMinor: amountToCredit(proposal),
    lineIds,
    reason: 'order_change',
    memo: `Correction of ${speakProduct(productName)}, ${period}: less was used than billed.`,
    metadata: {
      tallystick_credit_proposal: String(proposal.creditProposalId),
      tallystick_token_count: String(proposal.tokenCount),
    },
    paidPart,
    idempotencyKey,
  };
}

function explainBeyond(proposal: CreditProposal, { creditableMinor, reason }: CreditBeyond): string {
  const { amountMinor, currency } = proposal;
  const money = (amount: bigint) => `${formatMinor(amount, currency)} ${currency.toUpperCase()}`;
  const rest = money(amountMinor - creditableMinor);
  if (reason === 'not_charged') {
    return `Nothing of these lines was charged in money: discounts or billing credits paid for ${money(amountMinor)}. What they paid is given back by a new credit grant.`;
  }
  if (creditableMinor === 0n)
    return `Nothing is left of the invoice to credit: of ${rest} all was credited before.`;
  return `Only ${money(creditableMinor)} of ${money(amountMinor)} is left to credit: ${rest} was credited before. Approve again to give back what is left.`;
}
