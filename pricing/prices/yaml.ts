import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, stringify } from 'yaml';
import { modelKey } from '../usage/names.ts';
import { type Cells, cellsOfRow, cellsOfRule } from './cells.ts';
import { emptyPriceFile, type PriceFile, takeRow, takeRule } from './file.ts';
import { isSourceKey, type PriceBookData } from './rows.ts';

const SECTIONS = ['version', 'provider', 'currency', 'sources', 'models', 'deployments', 'prices'];

/** A whole price book as YAML. The inverse of parsePriceYaml; what is empty is left out. */
export function formatPriceYaml(book: PriceBookData): string {
  const { version, provider, currency, sources, models } = book;
  const content = {
    version,
    provider,
    currency,
    sources,
    models,
    deployments: book.deployments.map((rule) => withoutEmpty(cellsOfRule(rule))),
    prices: book.prices.map((row) => withoutEmpty(cellsOfRow(row))),
  };
  // Anchors would make two equal cells one, which nobody wants to read or edit.
  return stringify(content, { lineWidth: 0, aliasDuplicateObjects: false });
}

function withoutEmpty(cells: Cells): Cells {
  return Object.fromEntries(Object.entries(cells).filter(([, text]) => text !== ''));
}

/** Reads a price book, or a part of one, from YAML. Every scalar is text, so that 2.50 never becomes a float. */
export function parsePriceYaml(text: string): PriceFile {
  const file = emptyPriceFile();
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { schema: 'failsafe', lineCounter });
  const lineOf = (node: unknown) => {
    const offset = (node as Node | null)?.range?.[0];
    return offset === undefined ? 1 : lineCounter.linePos(offset).line;
  };
  const problem = (line: number, field: string, message: string) =>
    file.problems.push({ line, field, message });
  for (const error of document.errors) {
    problem(error.linePos?.[0].line ?? 1, 'line', `is no YAML: ${error.message.split('\n')[0]}`);
  }
  if (!isMap(document.contents)) {
    problem(1, 'file', `holds none of ${SECTIONS.join(', ')}`);
    return file;
  }
  const currency = document.contents.get('currency');
  const usual = typeof currency === 'string' ? { currency } : {};
  for (const { key, value } of document.contents.items) {
    const section = isScalar(key) ? String(key.value) : '';
    if (!SECTIONS.includes(section))
      problem(lineOf(key), section.slice(0, 100), 'is no part of a price file');
    if (section === 'sources') readSources(value, file, lineOf);
    if (section !== 'models' && section !== 'deployments' && section !== 'prices') continue;
    if (!isSeq(value)) {
      if (!isEmpty(value)) problem(lineOf(value), section, 'must be a list');
      continue;
    }
    for (const item of value.items) {
      const line = lineOf(item);
      if (section === 'models') readModel(item, file, line);
      else {
        const cells = cellsOf(item);
        if (cells === null) problem(line, section, 'must be plain fields with plain values');
        else if (section === 'prices') takeRow(file, { ...usual, ...cells }, line);
        else takeRule(file, cells, line);
      }
    }
  }
  return file;
}

function isEmpty(value: unknown): boolean {
  return value === null || (isScalar(value) && value.value === '');
}

/** Plain fields with plain values; null for anything else. Aliases are not followed: a bomb is made of them. */
function cellsOf(node: unknown): Cells | null {
  if (!isMap(node)) return null;
  const cells: [string, string][] = [];
  for (const { key, value } of node.items) {
    if (!isScalar(key) || isAlias(value) || (value !== null && !isScalar(value))) return null;
    cells.push([String(key.value), value === null ? '' : String(value.value ?? '')]);
  }
  return Object.fromEntries(cells);
}

function readSources(node: unknown, file: PriceFile, lineOf: (node: unknown) => number): void {
  if (isEmpty(node)) return;
  if (!isMap(node)) {
    file.problems.push({ line: lineOf(node), field: 'sources', message: 'must be named entries' });
    return;
  }
  for (const { key, value } of node.items) {
    const name = isScalar(key) ? String(key.value) : '';
    const { title = name, asOf = '', note = '', ...rest } = cellsOf(value) ?? { unreadable: '' };
    if (!isSourceKey(name) || Object.keys(rest).length > 0) {
      const message = 'must be a plain name with title, asOf and note';
      file.problems.push({ line: lineOf(key), field: `sources.${name.slice(0, 100)}`, message });
    } else {
      file.sources[name] = { title, asOf, note };
    }
  }
}

function readModel(node: unknown, file: PriceFile, line: number): void {
  const fields = isMap(node) ? node.items : [];
  let model = '';
  let aliases: string[] = [];
  let isReadable = fields.length > 0;
  for (const { key, value } of fields) {
    const field = isScalar(key) ? key.value : null;
    if (field === 'model' && isScalar(value)) model = modelKey(String(value.value));
    else if (field === 'aliases' && isSeq(value) && value.items.every((item) => isScalar(item))) {
      aliases = value.items.map((item) => modelKey(String(item.value)));
    } else isReadable = isReadable && field === 'aliases' && isEmpty(value);
  }
  if (isReadable && model !== '') file.models.push({ model, aliases });
  else file.problems.push({ line, field: 'models', message: 'must be a model with a list of aliases' });
}
