import { sql } from 'kysely';
import { exactMoney, type GuardedAct } from '../../billing/second-person/guarded-act.ts';
import { getClose, releaseClose } from '../desk.ts';
import { readInvoices } from '../invoice-list.ts';

/** Lets a held invoice go in spite of what differs. */
export const CLOSE_RELEASE: GuardedAct = {
  name: 'close.release',
  targetOf: (subjectId) => subjectId,
  lock: async (transaction, subjectId) => {
    await sql`select 1 from closes where invoice_id = ${subjectId} for update`.execute(transaction);
  },
  read: async (database, invoiceId) => {
    const { close } = await getClose(database, invoiceId);
    const [invoice] = await readInvoices(database, { invoiceId });
    const { customerId, currency, difference, lastError, state, deadline } = close;
    const amountMinor = invoice?.totalMinor ?? close.totalMinor;
    return {
      customerId,
      amountMinor,
      currency,
      figures: {
        total: amountMinor === null ? 'unknown' : exactMoney(amountMinor, currency),
        'what differs':
          (difference ?? [])
            .map((one) => `${one.kind} of ${one.subject} ${one.found}, expected ${one.expected}`)
            .join('; ') || 'nothing that is known',
        ...(lastError === null ? {} : { 'what Stripe refused with': lastError }),
      },
      obstacle:
        state !== 'held'
          ? `its close is ${state.replaceAll('_', ' ')}, not held`
          : invoice?.status === 'void'
            ? 'the invoice is void'
            : null,
      // What Stripe refuses to finalize stays a draft.
      deadline: lastError === null ? deadline : null,
    };
  },
  run: async (transaction, { subjectId: invoiceId, reason, actor, now }) => {
    await releaseClose(transaction, { invoiceId, reason: reason ?? '', actor, now });
  },
  isFollowed: true,
};
