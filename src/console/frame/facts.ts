import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { IS_COLLECTION } from '../../usage/collection/watermarks.ts';

/** What the top of every page says. */
export interface FrameFacts {
  /** Up to when every source has been collected; null: nothing has. */
  dataAsOf: Date | null;
  /** Of the customers there are, in order. */
  currencies: string[];
}

/** Read in the snapshot of the page, so that the top speaks of the same instant. */
export async function readFrameFacts(snapshot: LedgerSnapshot): Promise<FrameFacts> {
  const watermark = await snapshot
    .selectFrom('watermarks')
    .select(({ fn }) => fn.min('position').as('position'))
    .where(IS_COLLECTION)
    .executeTakeFirst();
  const customers = await snapshot
    .selectFrom('customers')
    .select('currency')
    .distinct()
    .where('currency', 'is not', null)
    .where('deleted_at', 'is', null)
    .orderBy('currency')
    .execute();
  return {
    dataAsOf: watermark?.position ?? null,
    currencies: customers.flatMap(({ currency }) => (currency === null ? [] : [currency])),
  };
}
