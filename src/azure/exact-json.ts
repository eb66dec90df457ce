/** The third argument of a reviver: the text from which a primitive was read (Node 21 and later). */
type SourceReviver = (key: string, value: unknown, context: { source?: string }) => unknown;

/**
 * Parses JSON with every number as the text that stood in the body: `0.30000000000000004` and `8.8E-05` stay what
 * they are, where a float would round.
 * @throws SyntaxError when it is not JSON, or when the runtime does not tell the text
 */
export function parseExactJson(text: string): unknown {
  const revive: SourceReviver = (_key, value, context) => {
    if (typeof value !== 'number') return value;
    if (context?.source === undefined)
      throw new SyntaxError('this runtime does not tell the text of a number');
    return context.source;
  };
  return JSON.parse(text, revive as (key: string, value: unknown) => unknown);
}
