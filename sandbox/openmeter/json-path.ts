/**
 * The part of JSONPath that meters use: `$.a`, `$.a.b`, `$['a']`. Values come back the way ClickHouse's
 * JSON_VALUE gives them, as text; anything absent, null or not a scalar is the empty string.
 */
export type JsonPath = readonly string[];

const STEP = /\.([A-Za-z_][A-Za-z0-9_-]*)|\['([^']+)'\]|\["([^"]+)"\]/y;

/** Null when the text is not a path of that form. */
export function compileJsonPath(text: string): JsonPath | null {
  if (!text.startsWith('$')) return null;
  const steps: string[] = [];
  STEP.lastIndex = 1;
  while (STEP.lastIndex < text.length) {
    const match = STEP.exec(text);
    const step = match?.[1] ?? match?.[2] ?? match?.[3];
    if (step === undefined) return null;
    steps.push(step);
  }
  return steps.length > 0 ? steps : null;
}

export function textAt(data: unknown, path: JsonPath): string {
  let current = data;
  for (const step of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, step)) return '';
    current = (current as Record<string, unknown>)[step];
  }
  return typeof current === 'string' || typeof current === 'number' || typeof current === 'boolean'
    ? String(current)
    : '';
}

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** Text as ClickHouse's toFloat64OrNull reads it; NaN for null, and for the infinities that sums ignore. */
export function parseFloat64(text: string): number {
  if (!DECIMAL.test(text)) return Number.NaN;
  const value = Number(text);
  return Number.isFinite(value) ? value : Number.NaN;
}
