import { readStoredInvoice } from '../billing/invoice-lines.ts';
import { readLinkKeys } from '../identity/links/keys.ts';
import { ensureStandingLink, makeLink, queryOf } from '../identity/links/links.ts';
import { addMs, DAY_MS } from '../platform/clock.ts';
import { writeAudit } from '../platform/database/audit.ts';
import type { ApiDependencies } from '../platform/http/dependencies.ts';

/** How long a link lives unless told otherwise: past the quarter in which an invoice is looked at. */
export const DEFAULT_VALID_DAYS = 120;
export const MOST_VALID_DAYS = 400;

/** What a statement is of: an invoice, or what a customer's next invoices would be now. */
export type StatementTarget = { invoiceId: string } | { customerId: string };

/** Path of a statement's page, without what signs it. */
export function statementPath(target: StatementTarget): string {
  return 'invoiceId' in target
    ? `/statements/${encodeURIComponent(target.invoiceId)}`
    : `/statements/preview/${encodeURIComponent(target.customerId)}`;
}

/** As links name it. */
export function linkedPageOf(target: StatementTarget) {
  return 'invoiceId' in target
    ? ({ kind: 'statement', targetId: target.invoiceId } as const)
    : ({ kind: 'statement-preview', targetId: target.customerId } as const);
}

export interface StatementLink {
  linkId: string;
  url: string;
  expiresAt: Date;
}

type LinkDependencies = Pick<ApiDependencies, 'database' | 'clock' | 'settings'>;

/**
 * Makes a link that opens a statement to whoever has it, until it expires or is withdrawn; with an audit row in the same
 * transaction.
 * @param origin how browsers reach the service where no public address is configured
 */
export async function makeStatementLink(
  dependencies: LinkDependencies,
  target: StatementTarget,
  { origin, actor, validDays = DEFAULT_VALID_DAYS }: { origin: string; actor: string; validDays?: number },
): Promise<StatementLink> {
  const { database, clock, settings } = dependencies;
  const now = clock.now();
  const page = linkedPageOf(target);
  const link = {
    ...page,
    customerId: await customerOf(database, target),
    expiresAt: addMs(now, validDays * DAY_MS),
    madeBy: actor,
  };
  // Made at its first use, which writes: before the transaction.
  await readLinkKeys(dependencies);
  const { linkId, query, expiresAt } = await database.transaction().execute(async (transaction) => {
    const made = await makeLink(dependencies, link, transaction);
    await writeAudit(transaction, {
      actor,
      action: 'statement.link',
      target: page.targetId,
      details: { linkId: made.linkId, expiresAt: made.expiresAt.toISOString() },
      now,
    });
    return made;
  });
  return { linkId, url: addressOf(settings?.publicUrl ?? origin, target, query), expiresAt };
}

/**
 * What an invoice's memo names: the signed address of its usage statement, the same whenever it is asked for. Null where nobody
 * said how browsers reach the service (`PUBLIC_URL`), since an address that opens nothing is worse than none; and where it was
 * withdrawn.
 */
export function createStatementUrl(
  dependencies: LinkDependencies,
): (invoiceId: string) => Promise<string | null> {
  const { database, clock, settings } = dependencies;
  const origin = settings?.publicUrl;
  return async (invoiceId) => {
    if (origin === undefined) return null;
    const target = { invoiceId };
    const link = await ensureStandingLink(dependencies, {
      ...linkedPageOf(target),
      customerId: await customerOf(database, target),
      expiresAt: addMs(clock.now(), DEFAULT_VALID_DAYS * DAY_MS),
      madeBy: 'job:close-invoices',
    });
    if (link.withdrawnAt !== null) return null;
    return addressOf(origin, target, queryOf(await readLinkKeys(dependencies), link));
  };
}

async function customerOf(
  database: ApiDependencies['database'],
  target: StatementTarget,
): Promise<string | null> {
  if ('customerId' in target) return target.customerId;
  return (await readStoredInvoice(database, target.invoiceId))?.customerId ?? null;
}

function addressOf(origin: string, target: StatementTarget, query: string): string {
  return `${origin.replace(/\/$/, '')}${statementPath(target)}?${query}`;
}
