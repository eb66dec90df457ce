import { sql } from 'kysely';
import { PAID_PARTS } from '../../stripe/closing/port.ts';
import { amountToCredit, decideCredit, getCreditProposal } from '../credits.ts';
import { type ActFacts, exactMoney, type GuardedAct } from './guarded-act.ts';

const COMMON = {
  targetOf: (subjectId: string) => `credit-${subjectId}`,
  lock: async (transaction, subjectId) => {
    await sql`select 1 from credit_proposals where credit_proposal_id = ${subjectId}::bigint for update`.execute(
      transaction,
    );
  },
  read: async (database, subjectId): Promise<ActFacts> => {
    const credit = await getCreditProposal(database, BigInt(subjectId));
    const { customerId, currency, invoiceId, tokenCount, state } = credit;
    const amountMinor = amountToCredit(credit);
    return {
      customerId,
      amountMinor,
      currency,
      figures: {
        amount: exactMoney(amountMinor, currency),
        tokens: String(tokenCount),
        invoice: invoiceId,
      },
      obstacle: state === 'proposed' ? null : `it is ${state} already`,
      deadline: null,
    };
  },
} satisfies Partial<GuardedAct>;

/** Gives back what was billed too much; `paidPart` says where what was paid goes. */
export const CREDIT_APPROVAL: GuardedAct = {
  ...COMMON,
  name: 'credit.approve',
  run: async (transaction, { subjectId, parameters, ...given }) => {
    const paidPart = PAID_PARTS.find((part) => part === parameters.paidPart);
    const decision = { creditProposalId: BigInt(subjectId), state: 'approved' as const, paidPart };
    await decideCredit(transaction, { ...given, ...decision });
  },
  isFollowed: true,
};

/** Gives nothing back of it, for good. */
export const CREDIT_REJECTION: GuardedAct = {
  ...COMMON,
  name: 'credit.reject',
  run: async (transaction, { subjectId, reason, actor, now }) => {
    const creditProposalId = BigInt(subjectId);
    await decideCredit(transaction, { creditProposalId, state: 'rejected', reason, actor, now });
  },
  isFollowed: false,
};
