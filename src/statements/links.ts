import { readLinkKey, signLink } from '../identity/page-links.ts';
import { addMs, DAY_MS } from '../platform/clock.ts';
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

/** As `page-links.ts` names it. */
export function linkedPageOf(target: StatementTarget) {
  return 'invoiceId' in target
    ? ({ kind: 'statement', id: target.invoiceId } as const)
    : ({ kind: 'statement-preview', id: target.customerId } as const);
}

export interface StatementLink {
  url: string;
  expiresAt: Date;
}

/**
 * A link that opens a statement to whoever has it, until it expires.
 * @param origin how browsers reach the service where no public address is configured
 */
export async function makeStatementLink(
  dependencies: Pick<ApiDependencies, 'database' | 'clock' | 'settings'>,
  target: StatementTarget,
  { origin, validDays = DEFAULT_VALID_DAYS }: { origin: string; validDays?: number },
): Promise<StatementLink> {
  const expiresAt = addMs(dependencies.clock.now(), validDays * DAY_MS);
  const query = signLink(await readLinkKey(dependencies), linkedPageOf(target), expiresAt);
  const base = (dependencies.settings?.publicUrl ?? origin).replace(/\/$/, '');
  return { url: `${base}${statementPath(target)}?${query}`, expiresAt };
}

/**
 * What an invoice's memo names: the signed address of its usage statement. Null where nobody said how browsers reach the
 * service (`PUBLIC_URL`): an address that opens nothing is worse than none.
 */
export function createStatementUrl(
  dependencies: Pick<ApiDependencies, 'database' | 'clock' | 'settings'>,
): (invoiceId: string) => Promise<string | null> {
  const origin = dependencies.settings?.publicUrl;
  return async (invoiceId) => {
    if (origin === undefined) return null;
    const { url } = await makeStatementLink(dependencies, { invoiceId }, { origin });
    return url;
  };
}
