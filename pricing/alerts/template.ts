/** What a customer's text may name, as `{share}`. */
const TEMPLATE_WORDS = [
  'customer',
  'budget',
  'share',
  'used',
  'limit',
  'period',
  'until',
  'user',
  'feature',
  'contact',
] as const;
type TemplateWord = (typeof TEMPLATE_WORDS)[number];
export type TemplateValues = Record<TemplateWord, string>;

const PLACE = /\{([^{}]*)\}/g;

/** The words between braces that no text can be filled with. */
export function unknownWords(template: string): string[] {
  const known: readonly string[] = TEMPLATE_WORDS;
  return [...template.matchAll(PLACE)].map(([, word = '']) => word).filter((word) => !known.includes(word));
}

/** What is filled in is never read again, so that a name with braces stays a name. */
export function fillTemplate(template: string, values: TemplateValues): string {
  return template.replaceAll(PLACE, (whole, word: string) => values[word as TemplateWord] ?? whole);
}
