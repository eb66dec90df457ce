import { type LinkKeys, readLinkKeys } from '../identity/links/keys.ts';
import {
  ensureStandingLink,
  findStandingLink,
  isSignedBy,
  type KnownLink,
  queryOf,
  replaceStandingLink,
} from '../identity/links/links.ts';
import { writeAudit } from '../platform/database/audit.ts';
import { TallystickError } from '../platform/errors.ts';
import type { ApiDependencies } from '../platform/http/dependencies.ts';
import { getQuote } from './quotes.ts';

type LinkDependencies = Pick<ApiDependencies, 'database' | 'clock' | 'settings'>;

/** A quote that can have a link. */
export interface LinkedQuote {
  quoteId: string;
  customerId: string | null;
  validUntil: Date | null;
}

/**
 * Sees to it that a quote has its link: whoever has it may read the quote as a customer reads it, until it expires. Made when it
 * is told for the first time.
 * @param known the link, where it was read already
 * @returns it, withdrawn or not
 */
export async function ensureQuoteLink(
  dependencies: LinkDependencies,
  { quoteId, customerId, validUntil }: LinkedQuote,
  { madeBy, known = null }: { madeBy: string; known?: KnownLink | null },
): Promise<KnownLink> {
  if (known !== null && isSignedBy(await readLinkKeys(dependencies), known)) return known;
  return await ensureStandingLink(dependencies, {
    kind: 'quote',
    targetId: quoteId,
    customerId,
    expiresAt: validUntil ?? new Date(0),
    madeBy,
  });
}

/** The link of a quote that is told, withdrawn or not; null: none was made yet. */
export async function findQuoteLink(
  database: ApiDependencies['database'],
  quoteId: string,
): Promise<KnownLink | null> {
  return await findStandingLink(database, { kind: 'quote', targetId: quoteId });
}

/**
 * The address of a quote's page; null: its link was withdrawn.
 * @param origin how browsers reach the service
 */
export function quoteAddress(keys: LinkKeys, link: KnownLink, origin: string): string | null {
  if (link.withdrawnAt !== null) return null;
  return `${origin.replace(/\/$/, '')}/quotes/${link.targetId}?${queryOf(keys, link)}`;
}

/**
 * Makes another link to a quote, which is told from now on; with an audit row in the same transaction.
 * @throws TallystickError NOT_FOUND, CONFLICT where the quote has expired
 */
export async function makeQuoteLink(
  dependencies: LinkDependencies,
  quoteId: string,
  actor: string,
): Promise<KnownLink> {
  const { database, clock } = dependencies;
  const now = clock.now();
  const { customerId, validUntil } = await getQuote(database, quoteId);
  if (validUntil === null || validUntil <= now) {
    throw new TallystickError('The quote has expired, and its links with it.', {
      code: 'CONFLICT',
      retry: false,
      fix: 'Make a new quote.',
    });
  }
  // Made at its first use, which writes: before the transaction.
  await readLinkKeys(dependencies);
  return await database.transaction().execute(async (transaction) => {
    const link = {
      kind: 'quote',
      targetId: quoteId,
      customerId,
      expiresAt: validUntil,
      madeBy: actor,
    } as const;
    const made = await replaceStandingLink(dependencies, transaction, link);
    await writeAudit(transaction, {
      actor,
      action: 'link.make',
      target: made.linkId,
      details: { kind: 'quote', quoteId, customerId, expiresAt: validUntil.toISOString() },
      now,
    });
    return made;
  });
}
