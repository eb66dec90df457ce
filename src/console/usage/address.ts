import type { ConsoleView } from '../frame/define-page.ts';

export const USAGE_PATH = '/console/usage';

/** What a page of usage can be of. */
export const USAGE_KINDS = ['feature', 'model', 'deployment'] as const;
export type UsageKind = (typeof USAGE_KINDS)[number];

/** Of what a number of one feature, model or deployment is made, in the period that is shown; null: the reader may not see it. */
export function usageAddress(
  { address, hasPage }: ConsoleView,
  kind: UsageKind,
  name: string,
): string | null {
  if (!hasPage(USAGE_PATH)) return null;
  const query = new URLSearchParams({ of: kind, name });
  for (const field of ['period', 'from', 'to']) {
    const value = address.query.get(field);
    if (value !== null) query.set(field, value);
  }
  return `${USAGE_PATH}?${query}`;
}
