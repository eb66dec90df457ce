import { doOrAsk } from '../../../billing/second-person/do-or-ask.ts';
import type { GuardedAct } from '../../../billing/second-person/guarded-act.ts';
import { USAGE_DUE_AGAIN, USAGE_WRITE_OFF } from '../../../billing/second-person/usage-acts.ts';
import { getUninvoiced } from '../../../billing/uninvoiced/desk.ts';
import type { UninvoicedGroup } from '../../../billing/uninvoiced/groups.ts';
import { ValidationError } from '../../../platform/errors.ts';
import type { PageAct } from '../../frame/define-page.ts';
import { requiredText } from '../../frame/fields.ts';
import { askedNotice } from '../second-person/words.ts';
import { requireSeen, type Seen } from '../seen.ts';
import { tokensInWords } from '../words.ts';

/** What a decision is about: usage of the same cause may have joined it since. */
export const usageSeen = ({ tokenCount, reason }: UninvoicedGroup): Seen => [tokenCount, reason];

const decide = (act: GuardedAct, fix: string, say: (group: UninvoicedGroup) => string): PageAct => ({
  scopes: [],
  run: async (form, { caller, dependencies }) => {
    const id = requiredText(form, 'usage', 'Choose one from the list.', 18);
    if (!/^\d+$/.test(id)) throw new ValidationError('usage', 'is no usage', 'Choose one from the list.');
    const before = await getUninvoiced(dependencies.database, BigInt(id));
    const reason = requiredText(form, 'reason', fix, 2_000);
    requireSeen(form, usageSeen(before), `Usage ${id}`);
    const asked = await doOrAsk(dependencies, act, { subjectId: id, reason, caller });
    return asked === null ? { notice: say(before) } : askedNotice(asked);
  },
});

/** A person's word on usage that no invoice has: by the function of the API's routes. */
export const UNINVOICED_ACTS: Readonly<Record<string, PageAct>> = {
  'due-again': decide(
    USAGE_DUE_AGAIN,
    'Say why the next invoice has it.',
    ({ tokenCount, customerId }) =>
      `The next invoice of ${customerId} has ${tokensInWords(tokenCount)} more, as an item.`,
  ),
  'write-off': decide(
    USAGE_WRITE_OFF,
    'Say why it is given up.',
    ({ tokenCount, customerId }) =>
      `${tokensInWords(tokenCount)} of ${customerId} are given up. Nothing is deleted.`,
  ),
};
