import { INVOICE_REASONS } from '../../../pricing/closing/fate.ts';
import { ValidationError } from '../../platform/errors.ts';
import { readUninvoicedAmount } from '../uninvoiced/amount.ts';
import {
  chooseForInvoice,
  INVOICE_CHOICES,
  lockInvoice,
  readInvoiceChoice,
  readTakenBack,
  TAKEN_BACK,
} from '../uninvoiced/choices.ts';
import { decideUninvoiced, getUninvoiced, isDecidable, lockGroup } from '../uninvoiced/desk.ts';
import { exactMoney, type GuardedAct } from './guarded-act.ts';

function decision(name: GuardedAct['name'], state: 'written_off' | 'due_again'): GuardedAct {
  return {
    name,
    targetOf: (subjectId) => `uninvoiced-${subjectId}`,
    lock: async (transaction, subjectId) => {
      await lockGroup(transaction, BigInt(subjectId));
    },
    read: async (database, subjectId) => {
      const group = await getUninvoiced(database, BigInt(subjectId));
      const isOfInvoice = INVOICE_REASONS.includes(group.reason);
      const { amountMinor, currency } = await readUninvoicedAmount(database, group);
      return {
        customerId: group.customerId,
        amountMinor,
        currency,
        figures: {
          tokens: String(group.tokenCount),
          amount: amountMinor === null || currency === null ? 'unknown' : exactMoney(amountMinor, currency),
        },
        obstacle: isOfInvoice
          ? 'its whole invoice was taken back, and is decided about'
          : isDecidable(group) && group.state !== state
            ? null
            : `it is ${group.state.replaceAll('_', ' ')} already`,
        deadline: null,
      };
    },
    run: async (transaction, { subjectId, reason, actor, now }) => {
      const uninvoicedId = BigInt(subjectId);
      await decideUninvoiced(transaction, { uninvoicedId, state, reason: reason ?? '', actor, now });
    },
    isFollowed: false,
  };
}

/** Gives usage up that no invoice has. */
export const USAGE_WRITE_OFF = decision('uninvoiced.write_off', 'written_off');
/** Gives it to the next invoice. */
export const USAGE_DUE_AGAIN = decision('uninvoiced.due_again', 'due_again');

/** Says what becomes of the usage of an invoice that was taken back: `choice`. */
export const INVOICE_CHOICE: GuardedAct = {
  name: 'invoice.choose',
  targetOf: (subjectId) => subjectId,
  lock: async (transaction, subjectId) => {
    await lockInvoice(transaction, subjectId);
  },
  read: async (database, subjectId) => {
    const { customerId, standing, totalMinor, currency } = await readTakenBack(database, subjectId);
    const said = await readInvoiceChoice(database, subjectId);
    return {
      customerId,
      amountMinor: totalMinor,
      currency,
      figures: { total: exactMoney(totalMinor, currency), standing },
      obstacle:
        said !== null
          ? `it is ${said.choice.replaceAll('_', ' ')} already`
          : TAKEN_BACK.includes(standing)
            ? null
            : `the invoice is ${standing}`,
      deadline: null,
    };
  },
  run: async (transaction, { subjectId: invoiceId, parameters, reason, actor, now }) => {
    const choice = INVOICE_CHOICES.find((known) => known === parameters.choice);
    if (choice === undefined) throw new ValidationError('choice', 'is missing', 'Choose one of the three.');
    await chooseForInvoice(transaction, { invoiceId, choice, reason: reason ?? '', actor, now });
  },
  isFollowed: true,
};
