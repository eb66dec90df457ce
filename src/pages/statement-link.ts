import type { ApiDependencies } from '../api/dependencies.ts';
import { DEFAULT_VALID_DAYS, makeStatementLink } from '../api/statement-links.ts';

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
    const link = await makeStatementLink(
      dependencies,
      { invoiceId },
      { origin, validDays: DEFAULT_VALID_DAYS },
    );
    return link.url;
  };
}
