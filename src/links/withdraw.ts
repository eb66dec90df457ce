import type { KnownLink } from '../identity/links/links.ts';
import { writeAudit } from '../platform/database/audit.ts';
import { camelRow } from '../platform/database/camel-row.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { TallystickError } from '../platform/errors.ts';

interface By {
  actor: string;
  now: Date;
}

/**
 * Ends a link, and the sessions that it opened, at once; with an audit row in the same transaction. One that was withdrawn before
 * stays as it was then.
 * @throws TallystickError NOT_FOUND
 */
export async function withdrawLink(
  database: LedgerDatabase,
  linkId: string,
  { actor, now }: By,
): Promise<{ link: KnownLink; isNew: boolean }> {
  return await database.transaction().execute(async (transaction) => {
    const withdrawn = await transaction
      .updateTable('page_links')
      .set({ withdrawn_at: now, withdrawn_by: actor })
      .where('link_id', '=', linkId)
      .where('withdrawn_at', 'is', null)
      .returningAll()
      .executeTakeFirst();
    if (withdrawn === undefined) {
      const before = await transaction
        .selectFrom('page_links')
        .selectAll()
        .where('link_id', '=', linkId)
        .executeTakeFirst();
      if (before !== undefined) return { link: camelRow(before), isNew: false };
      throw new TallystickError('No link has this id.', {
        code: 'NOT_FOUND',
        retry: false,
        fix: 'List the links; those of before 0.5.0 have no id and end with all of their customer.',
      });
    }
    await transaction.deleteFrom('portal_sessions').where('link_id', '=', linkId).execute();
    const { kind, target_id: target, customer_id: customerId } = withdrawn;
    await writeAudit(transaction, {
      actor,
      action: 'link.withdraw',
      target: linkId,
      details: { kind, target, customerId },
      now,
    });
    return { link: camelRow(withdrawn), isNew: true };
  });
}

/** What ended when all of a customer's links were withdrawn. */
export interface WithdrawnAll {
  linkCount: number;
  sessionCount: number;
}

/**
 * Ends all that opens something of a customer to who has no key: its living links, those of before links were kept, and its
 * sessions of the portal, whoever began them; with an audit row in the same transaction.
 */
export async function withdrawCustomerLinks(
  database: LedgerDatabase,
  customerId: string,
  { actor, now }: By,
): Promise<WithdrawnAll> {
  return await database.transaction().execute(async (transaction) => {
    const by = { withdrawn_at: now, withdrawn_by: actor };
    await transaction
      .insertInto('link_withdrawals')
      .values({ customer_id: customerId, ...by })
      .onConflict((conflict) => conflict.column('customer_id').doUpdateSet(by))
      .execute();
    const { numUpdatedRows } = await transaction
      .updateTable('page_links')
      .set(by)
      .where('customer_id', '=', customerId)
      .where('withdrawn_at', 'is', null)
      .where('expires_at', '>', now)
      .executeTakeFirst();
    const { numDeletedRows } = await transaction
      .deleteFrom('portal_sessions')
      .where('customer_id', '=', customerId)
      .executeTakeFirst();
    const ended = { linkCount: Number(numUpdatedRows), sessionCount: Number(numDeletedRows) };
    await writeAudit(transaction, {
      actor,
      action: 'links.withdraw',
      target: customerId,
      details: { ...ended },
      now,
    });
    return ended;
  });
}
