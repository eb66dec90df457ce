import type { Compiled, Scope } from './scope.ts';
import { KqlError, type KqlType, type KqlValue, toText } from './value.ts';

interface ScalarFunction {
  argumentCount: number;
  type: KqlType;
  apply: (values: KqlValue[], types: KqlType[]) => KqlValue;
}

const FUNCTIONS: Record<string, ScalarFunction> = {
  tostring: { argumentCount: 1, type: 'string', apply: ([value], [type]) => text(value, type) },
  isnotempty: { argumentCount: 1, type: 'bool', apply: ([value], [type]) => text(value, type) !== '' },
  isempty: { argumentCount: 1, type: 'bool', apply: ([value], [type]) => text(value, type) === '' },
  isnull: { argumentCount: 1, type: 'bool', apply: ([value]) => value === null },
  not: { argumentCount: 1, type: 'bool', apply: ([value]) => value !== true },
  tolong: {
    argumentCount: 1,
    type: 'long',
    apply: ([value]) => {
      const number = Number(value ?? Number.NaN);
      return Number.isFinite(number) ? Math.trunc(number) : null;
    },
  },
  hash: {
    argumentCount: 2,
    type: 'long',
    apply: ([value, modulus], [type]) => hashText(text(value, type)) % Number(modulus),
  },
};

/** @throws KqlError SemanticError for a function that is not known, or called with the wrong arguments */
export function compileScalarCall<Row>(
  name: string,
  parameters: Compiled<Row>[],
  scope: Scope<Row>,
): Compiled<Row> {
  if (name === 'ingestion_time' && parameters.length === 0) {
    const { ingestionTicks } = scope;
    if (ingestionTicks === null) {
      throw new KqlError('SemanticError', 'ingestion_time() is not known after rows were aggregated');
    }
    return { type: 'datetime', evaluate: ingestionTicks };
  }
  const { nowTicks } = scope;
  if (name === 'now' && parameters.length === 0) return { type: 'datetime', evaluate: () => nowTicks };
  const [first, second] = parameters;
  if (name === 'ago' && parameters.length === 1 && first?.type === 'timespan') {
    return {
      type: 'datetime',
      evaluate: (row) => {
        const span = first.evaluate(row);
        return typeof span === 'bigint' ? nowTicks - span : null;
      },
    };
  }
  if (name === 'bin' && first?.type === 'datetime' && second?.type === 'timespan') {
    return { type: 'datetime', evaluate: (row) => floorTo(first.evaluate(row), second.evaluate(row)) };
  }
  const found = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  if (found === undefined || found.argumentCount !== parameters.length) {
    throw new KqlError('SemanticError', `Unknown function or wrong number of arguments: '${name}'`);
  }
  const types = parameters.map((parameter) => parameter.type);
  return {
    type: found.type,
    evaluate: (row) =>
      found.apply(
        parameters.map((parameter) => parameter.evaluate(row)),
        types,
      ),
  };
}

function text(value: KqlValue | undefined, type: KqlType | undefined): string {
  return toText(type ?? 'string', value ?? null);
}

function floorTo(instant: KqlValue, step: KqlValue): KqlValue {
  if (typeof instant !== 'bigint' || typeof step !== 'bigint' || step <= 0n) return null;
  return instant - (((instant % step) + step) % step);
}

/** A stable spread over 32 bits (FNV-1a and a finaliser). Kusto's own hash is xxhash64: other values, same use. */
function hashText(value: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < value.length; index += 1) {
    hash = Math.imul(hash ^ value.charCodeAt(index), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
