/** The scalar types of the interpreter, named as in Kusto. */
export type KqlType = 'string' | 'long' | 'int' | 'real' | 'bool' | 'datetime' | 'timespan' | 'dynamic';

/**
 * A scalar. Datetimes and timespans are bigint ticks of 100 nanoseconds (datetimes since 1970), so that
 * instants are compared exactly; long, int and real are numbers; null is the null of every type but string.
 */
export type KqlValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | Readonly<Record<string, string>>
  | readonly object[];

/** A finished result: typed columns and rows of scalars. */
export interface ResultTable {
  columns: { name: string; type: KqlType }[];
  rows: KqlValue[][];
}

/** What the service answers with 400: `SyntaxError` for text it cannot read, `SemanticError` for the rest. */
export class KqlError extends Error {
  override readonly name = 'KqlError';
  readonly kind: 'SyntaxError' | 'SemanticError';
  constructor(kind: 'SyntaxError' | 'SemanticError', message: string) {
    super(message);
    this.kind = kind;
  }
}

export const TICKS_PER_MS = 10_000n;

/** Ticks since 1970 as Kusto prints a datetime: seven decimals, always UTC. */
function formatDatetime(ticks: bigint): string {
  const ms = Number((ticks - floorModulo(ticks, TICKS_PER_MS)) / TICKS_PER_MS);
  const beyondMs = floorModulo(ticks, TICKS_PER_MS).toString().padStart(4, '0');
  return `${new Date(ms).toISOString().slice(0, -1)}${beyondMs}Z`;
}

/** Reads an ISO instant with up to seven decimals, UTC. @throws KqlError when it is none */
export function parseDatetime(text: string): bigint {
  const match = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,7}))?Z?)?$/.exec(text.trim());
  const time = match?.[2] ?? '00:00:00';
  const ms = Date.parse(`${match?.[1]}T${time.length === 5 ? `${time}:00` : time}Z`);
  if (match === null || Number.isNaN(ms)) {
    throw new KqlError('SyntaxError', `'${text}' is not a datetime literal`);
  }
  return BigInt(ms) * TICKS_PER_MS + BigInt((match[3] ?? '').padEnd(7, '0'));
}

function floorModulo(value: bigint, modulus: bigint): bigint {
  return ((value % modulus) + modulus) % modulus;
}

/** `tostring()`: nulls become empty strings, whole reals lose their decimals. */
export function toText(type: KqlType, value: KqlValue): string {
  if (value === null) return '';
  if (type === 'datetime' && typeof value === 'bigint') return formatDatetime(value);
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'object') return JSON.stringify(value);
  return String(value);
}

/** The value as the wire form of the Logs query API holds it. */
export function toWire(type: KqlType, value: KqlValue): unknown {
  if (value === null) return type === 'string' ? '' : null;
  if (type === 'datetime' && typeof value === 'bigint') return formatDatetime(value);
  if (type === 'dynamic') return JSON.stringify(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (typeof value === 'bigint') return String(value);
  return value;
}
