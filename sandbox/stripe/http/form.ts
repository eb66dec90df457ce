import { refuseMissing, refuseParameter } from './refusal.ts';

/** Parameters of a v1 call: form text, nested by brackets. */
export type Form = { [name: string]: FormValue };
type FormValue = string | FormValue[] | Form;

/**
 * What an endpoint takes: the name of each parameter and its form. `any` takes everything below it.
 * `Parameters` is the SDK's own type, so that no parameter can be listed that Stripe does not know.
 */
export type FormShape<Parameters = Record<string, unknown>> = {
  [Name in keyof Parameters]?: 'text' | 'any' | FormShape;
};

/** Decodes `a=1&b[c]=2&d[0]=3&e[]=4`; digits in brackets and empty brackets make lists. */
export function decodeForm(text: string): Form {
  const form = emptyForm();
  if (text === '') return form;
  for (const pair of text.split('&')) {
    const equals = pair.indexOf('=');
    const name = decodeText(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? '' : decodeText(pair.slice(equals + 1));
    const bracket = name.indexOf('[');
    if (bracket < 0) form[name] = value;
    else assign(form, [name.slice(0, bracket), ...name.slice(bracket + 1, -1).split('][')], value);
  }
  return form;
}

/** Without a prototype: names come from outside, and one of them may be `__proto__`. */
function emptyForm(): Form {
  return Object.create(null) as Form;
}

function decodeText(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  return spaced.includes('%') ? decodeURIComponent(spaced) : spaced;
}

function assign(form: Form, path: string[], value: string): void {
  let holder: Form | FormValue[] = form;
  for (let depth = 0; depth < path.length; depth += 1) {
    const name = path[depth] ?? '';
    const next = path[depth + 1];
    const leaf: FormValue = next === undefined ? value : /^\d*$/.test(next) ? [] : emptyForm();
    if (Array.isArray(holder)) {
      const index: number = name === '' ? holder.length : Number(name);
      holder[index] ??= leaf;
      holder = holder[index] as Form;
    } else {
      holder[name] ??= leaf;
      holder = holder[name] as Form;
    }
  }
}

/** @throws StripeRefusal parameter_unknown */
export function checkShape(form: Form, shape: FormShape, prefix = ''): void {
  for (const [name, value] of Object.entries(form)) {
    const rule = Object.hasOwn(shape, name) ? shape[name] : undefined;
    const path = prefix === '' ? name : `${prefix}[${name}]`;
    if (rule === undefined) {
      throw refuseParameter(path, `Received unknown parameter: ${path}`, 'parameter_unknown');
    }
    if (rule === 'any') continue;
    if (rule === 'text') {
      if (typeof value !== 'string') throw refuseParameter(path, `Invalid ${path}: must be a text`);
      continue;
    }
    if (typeof value === 'string') {
      // An empty text unsets.
      if (value !== '') throw refuseParameter(path, `Invalid ${path}: must be an object`);
      continue;
    }
    if (!Array.isArray(value)) checkShape(value, rule, path);
    else {
      value.forEach((item, index) => {
        checkShape(item as Form, rule, `${path}[${index}]`);
      });
    }
  }
}

export function readText(form: Form, name: string): string | undefined {
  const value = form[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function requireText(form: Form, name: string): string {
  const value = readText(form, name);
  if (value === undefined) throw refuseMissing(name);
  return value;
}

export function readInteger(form: Form, name: string): number | undefined {
  const text = readText(form, name);
  if (text === undefined) return undefined;
  if (!/^-?\d{1,15}$/.test(text)) {
    throw refuseParameter(name, `Invalid integer: ${text}`, 'parameter_invalid_integer');
  }
  return Number(text);
}

export function readBoolean(form: Form, name: string): boolean | undefined {
  const text = readText(form, name);
  if (text === undefined) return undefined;
  if (text !== 'true' && text !== 'false') throw refuseParameter(name, `Invalid boolean: ${text}`);
  return text === 'true';
}

export function readMap(form: Form, name: string): Record<string, string> {
  const value = form[name];
  if (value === undefined || typeof value === 'string') return {};
  if (Array.isArray(value)) throw refuseParameter(name, `Invalid ${name}: must be an object`);
  return Object.fromEntries(
    Object.entries(value).map(([key, text]) => {
      if (typeof text !== 'string') throw refuseParameter(`${name}[${key}]`, 'must be a text');
      return [key, text];
    }),
  );
}

/** One that must be there. @throws StripeRefusal where it is not, or is a text */
export function requireMap(form: Form, name: string): Record<string, string> {
  const value = form[name];
  if (value === undefined)
    throw refuseParameter(name, `Missing required param: ${name}.`, 'parameter_missing');
  if (typeof value === 'string') throw refuseParameter(name, 'Invalid hash', 'parameter_invalid_hash');
  return readMap(form, name);
}

export function readNested(form: Form, name: string): Form {
  const value = form[name];
  return value === undefined || typeof value === 'string' || Array.isArray(value) ? emptyForm() : value;
}

export function readList(form: Form, name: string): string[] | null {
  const value = form[name];
  if (value === undefined) return null;
  return (Array.isArray(value) ? value : [value]).map(String);
}

/** The objects of a list, `items[0][price]=…`. */
export function readObjects(form: Form, name: string): Form[] {
  const value = form[name];
  if (!Array.isArray(value)) return [];
  return value.map((entry, index) => {
    if (typeof entry !== 'object' || Array.isArray(entry)) {
      throw refuseParameter(`${name}[${index}]`, `Invalid ${name}[${index}]: must be an object`);
    }
    return entry;
  });
}

/** What a text is set to: undefined leaves it, an empty one unsets. */
export function readChange(form: Form, name: string): string | null | undefined {
  return form[name] === '' ? null : readText(form, name);
}

/** An empty value unsets its key, and an empty `metadata` all of them. */
export function mergeMetadata(known: Record<string, string>, form: Form): Record<string, string> {
  if (form.metadata === '') return {};
  const merged = { ...known, ...readMap(form, 'metadata') };
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== ''));
}

/** A list's `created`: both ends as given, or an exact instant. */
export function readRange(form: Form, name: string): (seconds: number) => boolean {
  const exact = typeof form[name] === 'string' ? readInteger(form, name) : undefined;
  if (exact !== undefined) return (seconds) => seconds === exact;
  const range = readNested(form, name);
  const from = Math.max(readInteger(range, 'gte') ?? -Infinity, (readInteger(range, 'gt') ?? -Infinity) + 1);
  const until = Math.min(readInteger(range, 'lte') ?? Infinity, (readInteger(range, 'lt') ?? Infinity) - 1);
  return (seconds) => seconds >= from && seconds <= until;
}
