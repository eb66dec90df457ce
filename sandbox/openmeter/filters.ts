import type { FilterString, FilterTime } from '@openmeter/sdk';
import { Problem, type Wire } from './wire.ts';

type StringTest = (value: string) => boolean;
type TimeTest = (epochMs: number) => boolean;

/** OpenMeter takes exactly one operator in a filter, and one level of $and or $or. */
const DEPTH_MAX = 1;

/** @throws Problem 400 */
export function compileStringFilter(name: string, filter: Wire<FilterString>, depth = DEPTH_MAX): StringTest {
  const [operator, operand] = onlyOperator(name, filter) ?? [null, null];
  if (operator === null) return () => true;
  if (operator === '$and' || operator === '$or') {
    const tests = childrenOf(name, operand, depth).map((child) =>
      compileStringFilter(name, child as Wire<FilterString>, depth - 1),
    );
    return operator === '$and'
      ? (value) => tests.every((test) => test(value))
      : (value) => tests.some((test) => test(value));
  }
  if (operator === '$in' || operator === '$nin') {
    if (!Array.isArray(operand)) throw new Problem(400, `filter ${name}: ${operator} takes a list`);
    const set = new Set(operand.map(String));
    return operator === '$in' ? (value) => set.has(value) : (value) => !set.has(value);
  }
  const text = String(operand);
  switch (operator) {
    case '$eq':
      return (value) => value === text;
    case '$ne':
      return (value) => value !== text;
    case '$gt':
      return (value) => value > text;
    case '$gte':
      return (value) => value >= text;
    case '$lt':
      return (value) => value < text;
    case '$lte':
      return (value) => value <= text;
    case '$like':
    case '$ilike':
    case '$nlike':
    case '$nilike': {
      const pattern = likePattern(text, operator.endsWith('ilike') ? 'iu' : 'u');
      const wanted = !operator.startsWith('$n');
      return (value) => pattern.test(value) === wanted;
    }
    default:
      throw new Problem(400, `filter ${name}: unknown operator ${operator}`);
  }
}

/** @throws Problem 400 */
export function compileTimeFilter(name: string, filter: Wire<FilterTime>, depth = DEPTH_MAX): TimeTest {
  const [operator, operand] = onlyOperator(name, filter) ?? [null, null];
  if (operator === null) return () => true;
  if (operator === '$and' || operator === '$or') {
    const tests = childrenOf(name, operand, depth).map((child) =>
      compileTimeFilter(name, child as Wire<FilterTime>, depth - 1),
    );
    return operator === '$and'
      ? (value) => tests.every((test) => test(value))
      : (value) => tests.some((test) => test(value));
  }
  const bound = Date.parse(String(operand));
  if (Number.isNaN(bound)) throw new Problem(400, `filter ${name}: ${operator} takes an RFC 3339 instant`);
  switch (operator) {
    case '$gt':
      return (value) => value > bound;
    case '$gte':
      return (value) => value >= bound;
    case '$lt':
      return (value) => value < bound;
    case '$lte':
      return (value) => value <= bound;
    default:
      throw new Problem(400, `filter ${name}: unknown operator ${operator}`);
  }
}

function onlyOperator(name: string, filter: unknown): [string, unknown] | undefined {
  if (typeof filter !== 'object' || filter === null || Array.isArray(filter)) {
    throw new Problem(400, `filter ${name}: must be an object`);
  }
  const set = Object.entries(filter).filter(([, operand]) => operand !== null && operand !== undefined);
  if (set.length > 1) throw new Problem(400, `${name}: filter is invalid: multiple operators are set`);
  return set[0];
}

function childrenOf(name: string, operand: unknown, depth: number): unknown[] {
  if (depth <= 0) throw new Problem(400, `${name}: filter complexity exceeds maximum allowed depth`);
  if (!Array.isArray(operand)) throw new Problem(400, `filter ${name}: $and and $or take a list`);
  return operand;
}

function likePattern(text: string, flags: string): RegExp {
  const source = [...text]
    .map((character) =>
      character === '%' ? '.*' : character === '_' ? '.' : character.replace(/[\\^$.*+?()[\]{}|/-]/u, '\\$&'),
    )
    .join('');
  return new RegExp(`^${source}$`, `s${flags}`);
}
