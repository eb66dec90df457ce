/** What usage is kept by, below the hour. */
export interface UsageKey {
  subject: string;
  feature: string;
  model: string;
  deployment: string;
}

/** The figures of a usage event, in the order of `METER_SLUGS`. */
export const TOKEN_FIGURES = [
  'prompt',
  'cachedPrompt',
  'completion',
  'reasoning',
  'total',
  'requests',
] as const;
export type TokenFigure = (typeof TOKEN_FIGURES)[number];

/** One string for one key in one hour; length-prefixed, so that no value can imitate a separator. */
export function usageKeyText(windowStart: Date, key: UsageKey): string {
  const parts = [key.subject, key.feature, key.model, key.deployment];
  return `${windowStart.getTime()}|${parts.map((part) => `${part.length}:${part}`).join('|')}`;
}
