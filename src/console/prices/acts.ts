import { tokenTypeInWords } from '../../pages/words.ts';
import { ValidationError } from '../../platform/errors.ts';
import { acceptPriceItem, rejectPriceItem } from '../../prices/sync/desk.ts';
import { getPriceSyncItem, type PriceSyncItem } from '../../prices/sync/items.ts';
import type { PageAct } from '../frame/define-page.ts';
import { requiredText } from '../frame/fields.ts';
import { requireSeen } from '../invoices/seen.ts';
import { ACCEPT_ACT, itemSeen, REFUSE_ACT } from './waiting-table.ts';

const decide = (
  run: typeof acceptPriceItem,
  fix: string,
  say: (item: PriceSyncItem, name: string) => string,
): PageAct => ({
  scopes: [],
  run: async (form, { caller, dependencies: { database, clock } }) => {
    const id = requiredText(form, 'item', 'Choose one from the list.', 18);
    if (!/^\d+$/.test(id)) throw new ValidationError('item', 'is no price', 'Choose one from the list.');
    const reason = requiredText(form, 'reason', fix, 1_000);
    const before = await getPriceSyncItem(database, BigInt(id));
    // One that was decided is refused with who did it.
    if (before.status === 'pending') requireSeen(form, itemSeen(before), `The price ${id}`);
    const decision = { itemId: BigInt(id), reason, actor: caller.actor, now: clock.now() };
    const item = await run(database, decision);
    const { target, meterName } = item;
    return {
      notice: say(
        item,
        target === null ? meterName : `${target.model} ${tokenTypeInWords(target.tokenType)}`,
      ),
    };
  },
});

/** A person's word on listed prices: by the functions of the API's routes. */
export const PRICE_ACTS: Readonly<Record<string, PageAct>> = {
  [ACCEPT_ACT]: decide(acceptPriceItem, 'Say why this price is right.', ({ effectiveFrom }, name) =>
    effectiveFrom === null
      ? `${name} stays in the book as it is.`
      : `The book has the listed price of ${name} from ${effectiveFrom.toISOString().slice(0, 16).replace('T', ', ')} UTC on.`,
  ),
  [REFUSE_ACT]: decide(
    rejectPriceItem,
    'Say why the book stays as it is.',
    (_, name) => `The book stays as it is for ${name}; the same is not asked again.`,
  ),
};
