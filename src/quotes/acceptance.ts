import { createHash, createHmac } from 'node:crypto';
import { allKeys, type LinkKeys } from '../identity/links/keys.ts';
import { writeAudit } from '../platform/database/audit.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { isSameText } from '../platform/same-text.ts';
import type { Seller } from '../platform/seller.ts';
import type { Standing } from './page/acceptance.ts';

/** What of a seller is agreed to. */
export type AgreedSeller = Omit<Seller, 'logo' | 'color'>;

/** That a customer agreed to a quote. */
export interface Acceptance {
  /** The name, as it was typed. */
  acceptedBy: string;
  acceptedAt: Date;
  /** Of all that the page said. */
  offerHash: string;
  /** As it was read then, but for the picture. */
  seller: AgreedSeller;
}

export function agreedPartOf({ name, address, contact, terms }: Seller): AgreedSeller {
  return { name, address, contact, terms };
}

/** Who sells, and how a quote stands for whoever only looks at it; what was agreed to stays as it was read then. */
export function standingOf(
  seller: Seller,
  acceptance: Acceptance | null,
): { seller: Seller; standing: Standing } {
  if (acceptance === null) return { seller, standing: { kind: 'seen' } };
  return { seller: { ...seller, ...acceptance.seller }, standing: { kind: 'accepted', acceptance } };
}

/** SHA-256 of all that a customer agrees to: the stored quote to the letter, who sells, and the terms. */
export function offerHashOf(resultText: string, seller: Seller): string {
  return createHash('sha256')
    .update(JSON.stringify([resultText, agreedPartOf(seller)]))
    .digest('hex');
}

/** What the form of a page carries: nobody has it who was not shown this offer by us. */
export function acceptanceToken({ signing }: LinkKeys, quoteId: string, offerHash: string): string {
  return tokenOf(signing.secret, quoteId, offerHash);
}

function tokenOf(secret: string, quoteId: string, offerHash: string): string {
  return createHmac('sha256', secret)
    .update(`quote-acceptance\n${quoteId}\n${offerHash}`)
    .digest('base64url');
}

/** Whether a form carries what one of our keys gave it. */
export function isAcceptanceToken(
  keys: LinkKeys,
  offer: { quoteId: string; offerHash: string },
  given: string,
): boolean {
  return allKeys(keys).some(({ secret }) =>
    isSameText(given, tokenOf(secret, offer.quoteId, offer.offerHash)),
  );
}

export async function readAcceptance(database: LedgerDatabase, quoteId: string): Promise<Acceptance | null> {
  const row = await database
    .selectFrom('quote_acceptances')
    .selectAll()
    .where('quote_id', '=', quoteId)
    .executeTakeFirst();
  if (row === undefined) return null;
  return {
    acceptedBy: row.accepted_by,
    acceptedAt: row.accepted_at,
    offerHash: row.offer_hash,
    seller: JSON.parse(row.seller) as AgreedSeller,
  };
}

/**
 * Writes down that a quote is accepted, with an audit row in the same transaction. Of several at once one wins.
 * @returns whose acceptance stands, and whether it is this one
 */
export async function acceptQuote(
  database: LedgerDatabase,
  accepted: { quoteId: string; acceptedBy: string; offerHash: string; seller: AgreedSeller; now: Date },
): Promise<{ acceptance: Acceptance; isNew: boolean }> {
  const { quoteId, acceptedBy, offerHash, seller, now } = accepted;
  return await database.transaction().execute(async (transaction) => {
    const { numInsertedOrUpdatedRows: count } = await transaction
      .insertInto('quote_acceptances')
      .values({
        quote_id: quoteId,
        accepted_by: acceptedBy,
        offer_hash: offerHash,
        seller: JSON.stringify(seller),
        accepted_at: now,
      })
      .onConflict((conflict) => conflict.column('quote_id').doNothing())
      .executeTakeFirst();
    const isNew = count === 1n;
    if (isNew) {
      await writeAudit(transaction, {
        actor: `link of a quote (${acceptedBy})`,
        action: 'quote.accept',
        target: quoteId,
        details: { acceptedBy, offerHash },
        now,
      });
    }
    const acceptance = await readAcceptance(transaction, quoteId);
    if (acceptance === null) throw new Error('an acceptance that was written is not there');
    return { acceptance, isNew };
  });
}
