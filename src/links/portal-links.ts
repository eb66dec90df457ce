import { getCustomer, unknownCustomer } from '../catalog/customers.ts';
import { readLinkKeys } from '../identity/links/keys.ts';
import { makeLink } from '../identity/links/links.ts';
import type { PortalReader } from '../identity/portal-access.ts';
import { addMs, DAY_MS } from '../platform/clock.ts';
import { writeAudit } from '../platform/database/audit.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { TallystickError } from '../platform/errors.ts';
import type { ApiDependencies } from '../platform/http/dependencies.ts';

/** Where a link to the portal leads; its query says whose. */
export const OPEN_PATH = '/portal/open';
export const DEFAULT_VALID_DAYS = 120;
export const MOST_VALID_DAYS = 400;

/**
 * Whether a reader is one: the customer is there, and the user is the customer's. A user of another customer and one that was never
 * seen are told alike.
 * @throws TallystickError UNKNOWN_CUSTOMER, NOT_FOUND
 */
export async function requireReader(
  database: LedgerDatabase,
  { customerId, userId }: PortalReader,
): Promise<void> {
  const { deletedAt } = await getCustomer(database, customerId);
  if (deletedAt !== null) throw unknownCustomer(customerId);
  if (userId === null) return;
  const user = await database
    .selectFrom('subjects')
    .select('subject')
    .where('subject', '=', userId)
    .where('customer_id', '=', customerId)
    .executeTakeFirst();
  if (user !== undefined) return;
  throw new TallystickError('The customer has no user of this id.', {
    code: 'NOT_FOUND',
    retry: false,
    fix: 'A user is known with its first usage, or by PUT /v1/subjects/{subject} before it.',
  });
}

/**
 * Makes a link that opens the portal of a customer, or of one user, to whoever has it; with an audit row in the same transaction.
 * @throws TallystickError UNKNOWN_CUSTOMER, NOT_FOUND
 */
export async function makePortalLink(
  dependencies: Pick<ApiDependencies, 'database' | 'clock' | 'settings'>,
  reader: PortalReader,
  { origin, actor, validDays = DEFAULT_VALID_DAYS }: { origin: string; actor: string; validDays?: number },
): Promise<{ linkId: string; url: string; expiresAt: Date }> {
  const { database, clock, settings } = dependencies;
  const now = clock.now();
  const { customerId, userId } = reader;
  await requireReader(database, reader);
  // Made at its first use, which writes: before the transaction.
  await readLinkKeys(dependencies);
  const kind = userId === null ? ('portal' as const) : ('portal-user' as const);
  const link = {
    kind,
    targetId: customerId,
    customerId,
    userId,
    expiresAt: addMs(now, validDays * DAY_MS),
    madeBy: actor,
  };
  const { linkId, query, expiresAt } = await database.transaction().execute(async (transaction) => {
    const made = await makeLink(dependencies, link, transaction);
    await writeAudit(transaction, {
      actor,
      action: 'link.make',
      target: made.linkId,
      details: { kind, customerId, userId, expiresAt: made.expiresAt.toISOString() },
      now,
    });
    return made;
  });
  return {
    linkId,
    url: `${(settings?.publicUrl ?? origin).replace(/\/$/, '')}${OPEN_PATH}?${query}`,
    expiresAt,
  };
}
