import { html } from 'hono/html';
import { optionField } from '../../pages/form-fields.ts';
import type { Html } from '../../pages/html.ts';

/** Forms whose lines repeat: the n-th values of a line's fields belong together. */

/** The lines of a repeated part in which anything was typed. */
export function linesOf<Name extends string>(
  fields: URLSearchParams,
  names: readonly Name[],
): Record<Name, string>[] {
  const columns = names.map((name) => [name, fields.getAll(name)] as const);
  const count = Math.max(0, ...columns.map(([, values]) => values.length));
  return Array.from(
    { length: count },
    (_, index) =>
      Object.fromEntries(columns.map(([name, values]) => [name, values[index]?.trim() ?? ''])) as Record<
        Name,
        string
      >,
  ).filter((line) => Object.values<string>(line).some((value) => value !== ''));
}

/** What was filled in, and empty lines up to as many as were asked for; one at least. */
export function padded<Name extends string>(
  lines: readonly Record<Name, string>[],
  asked: number,
): Partial<Record<Name, string>>[] {
  const empty = Math.max(1, asked) - lines.length;
  return [...lines, ...Array.from({ length: Math.max(0, empty) }, () => ({}))];
}

export type FieldOptions = {
  hint?: string;
  list?: string;
  wide?: boolean;
  numeric?: boolean;
  length?: number;
  /** What is wrong with what was typed. */
  fault?: string | undefined;
};

/** One field of a line, with its title. */
export function lineField(
  name: string,
  title: string,
  value: string,
  { hint, list, wide, numeric, length = 512, fault }: FieldOptions = {},
): Html {
  return html`<label${wide ? html` class="wide"` : ''}><span>${title}</span><input name="${name}" value="${value}" maxlength="${length}" autocomplete="off" spellcheck="false"${hint === undefined ? '' : html` placeholder="${hint}"`}${list === undefined ? '' : html` list="${list}"`}${numeric ? html` inputmode="decimal" class="count"` : ''}${fault === undefined ? '' : html` aria-invalid="true"`}>${faultText(fault)}</label>`;
}

/** One choice of a line; what was chosen and is not offered stays. */
export function lineChoice(
  name: string,
  title: string,
  chosen: string,
  options: readonly (readonly [value: string, words: string])[],
  isWide = false,
  fault?: string,
): Html {
  const isOffered = options.some(([value]) => value === chosen);
  return html`<label${isWide ? html` class="wide"` : ''}><span>${title}</span><select name="${name}">${[...options, ...(isOffered ? [] : [[chosen, chosen] as const])].map(([value, words]) => optionField(value, words, value === chosen))}</select>${faultText(fault)}</label>`;
}

/** In the label, so that whoever hears the field hears what is wrong with it. */
function faultText(fault: string | undefined): Html | string {
  return fault === undefined ? '' : html`<small class="bad">${fault}</small>`;
}

/** What fields with this id as their list offer. */
export function offered(id: string, values: readonly string[]): Html {
  return html`<datalist id="${id}">${values.map((value) => html`<option value="${value}"></option>`)}</datalist>`;
}
