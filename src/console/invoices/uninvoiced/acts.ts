import { decideUninvoiced, getUninvoiced } from '../../../billing/uninvoiced/desk.ts';
import type { UninvoicedGroup } from '../../../billing/uninvoiced/groups.ts';
import { ValidationError } from '../../../platform/errors.ts';
import type { PageAct } from '../../frame/define-page.ts';
import { requiredText } from '../../frame/fields.ts';
import { requireSeen, type Seen } from '../seen.ts';
import { tokensInWords } from '../words.ts';

/** What a decision is about: usage of the same cause may have joined it since. */
export const usageSeen = ({ tokenCount, reason }: UninvoicedGroup): Seen => [tokenCount, reason];

const decide = (
  state: 'written_off' | 'due_again',
  fix: string,
  say: (group: UninvoicedGroup) => string,
): PageAct => ({
  scopes: [],
  run: async (form, { caller, dependencies: { database, clock } }) => {
    const id = requiredText(form, 'usage', 'Choose one from the list.', 18);
    if (!/^\d+$/.test(id)) throw new ValidationError('usage', 'is no usage', 'Choose one from the list.');
    const before = await getUninvoiced(database, BigInt(id));
    const reason = requiredText(form, 'reason', fix, 2_000);
    requireSeen(form, usageSeen(before), `Usage ${id}`);
    const decision = { uninvoicedId: BigInt(id), state, reason, actor: caller.actor, now: clock.now() };
    return { notice: say(await decideUninvoiced(database, decision)) };
  },
});

/** A person's word on usage that no invoice has: by the function of the API's routes. */
export const UNINVOICED_ACTS: Readonly<Record<string, PageAct>> = {
  'due-again': decide(
    'due_again',
    'Say why the next invoice has it.',
    ({ tokenCount, customerId }) =>
      `The next invoice of ${customerId} has ${tokensInWords(tokenCount)} more, as an item.`,
  ),
  'write-off': decide(
    'written_off',
    'Say why it is given up.',
    ({ tokenCount, customerId }) =>
      `${tokensInWords(tokenCount)} of ${customerId} are given up. Nothing is deleted.`,
  ),
};
