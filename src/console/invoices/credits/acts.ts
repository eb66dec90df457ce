import { amountToCredit, type CreditProposal, getCreditProposal } from '../../../billing/credits.ts';
import { CREDIT_APPROVAL, CREDIT_REJECTION } from '../../../billing/second-person/credit-acts.ts';
import { doOrAsk } from '../../../billing/second-person/do-or-ask.ts';
import { ValidationError } from '../../../platform/errors.ts';
import { askForStep } from '../../../platform/http/dependencies.ts';
import type { PaidPart } from '../../../stripe/closing/port.ts';
import type { ConsoleView, PageAct } from '../../frame/define-page.ts';
import { requiredText } from '../../frame/fields.ts';
import { askedNotice } from '../second-person/words.ts';
import { requireSeen, type Seen } from '../seen.ts';
import { minorInMoney } from '../words.ts';

export const PAID_PARTS: Record<PaidPart, string> = {
  customer_balance: 'to the customer’s balance, which the next invoices use up',
  refund: 'back, as a refund',
  outside_stripe: 'back another way, outside of Stripe',
};

/** What a decision is about. */
export const creditSeen = (credit: CreditProposal): Seen => [amountToCredit(credit), credit.tokenCount];

/** A person decides about a credit: by the function of the API's routes. */
export const CREDIT_ACTS: Readonly<Record<string, PageAct>> = {
  approve: {
    scopes: [],
    run: async (form, view) => {
      const paidPart = Object.keys(PAID_PARTS).find((part) => part === form.get('paidPart')) as
        | PaidPart
        | undefined;
      if (paidPart === undefined)
        throw new ValidationError('paidPart', 'is missing', 'Say where what was paid goes.');
      const { before, given } = await begin(form, view, 'Say why it is given back.');
      const parameters = { paidPart };
      const asked = await doOrAsk(view.dependencies, CREDIT_APPROVAL, { ...given, parameters });
      if (asked !== null) return askedNotice(asked);
      await askForStep(view.dependencies, 'close-invoices', 'credit');
      const amount = minorInMoney(amountToCredit(before), before.currency);
      return {
        notice: `${amount} go back to ${before.customerId}: the jobs create the credit note of ${before.invoiceId}, once.`,
      };
    },
  },
  reject: {
    scopes: [],
    run: async (form, view) => {
      const { before, given } = await begin(form, view, 'Say why nothing is given back.');
      const asked = await doOrAsk(view.dependencies, CREDIT_REJECTION, given);
      if (asked !== null) return askedNotice(asked);
      const amount = minorInMoney(amountToCredit(before), before.currency);
      return { notice: `Nothing of ${amount} is given back to ${before.customerId}; the reason is kept.` };
    },
  },
};

async function begin(form: URLSearchParams, { caller, dependencies }: ConsoleView, fix: string) {
  const id = requiredText(form, 'credit', 'Choose one from the list.', 18);
  if (!/^\d+$/.test(id)) throw new ValidationError('credit', 'is no credit', 'Choose one from the list.');
  const before = await getCreditProposal(dependencies.database, BigInt(id));
  const reason = requiredText(form, 'reason', fix, 2_000);
  // One that somebody decided meanwhile says so itself.
  if (before.state === 'proposed') requireSeen(form, creditSeen(before), `Credit ${id}`);
  return { before, given: { subjectId: id, reason, caller } };
}
