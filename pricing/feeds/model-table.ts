import { isAlias, isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import { PICO_DIGITS, parseDecimal, withoutExponent } from '../money.ts';
import { emptyPriceFile, type PriceFile } from '../prices/file.ts';
import type { PriceBook } from '../prices/price-book.ts';
import {
  completePriceRow,
  isByToken,
  normalizePriceKind,
  PRICE_KINDS,
  type PriceKind,
  type PriceRow,
} from '../prices/rows.ts';
import { modelKey } from '../usage/names.ts';
import { amountText, perMillion } from './price.ts';

const TABLE_SOURCE = 'price-table';

/** `PRICING = {`: the table may have been cut out of a program. */
const ASSIGNMENT = /^((?:\s*#[^\n]*\n)*\s*)(?:(?:export|const|let|var)\s+)?[A-Za-z_]\w*\s*=\s*(?=\{)/;
/** More for one token is a price for a million, written where prices for one are. */
const MOST_PICO_PER_TOKEN = 10_000_000_000n;

/**
 * A table of prices for one token by model and kind, as programs have it: JSON, YAML or the dictionary of a Python program.
 *
 *     "gpt-4o": {"prompt": 5.0e-6, "completion": 15.0e-6}
 *
 * The prompt of an embedding model is its `embedding` price, and `completion: 0` says that it has no completion. Numbers are
 * read as text, so that none was ever a float.
 */
export function parseModelTable(text: string, book: PriceBook): PriceFile {
  const file = emptyPriceFile();
  const lineCounter = new LineCounter();
  const content = text.replace(/^\uFEFF/, '').replace(ASSIGNMENT, '$1');
  const document = parseDocument(content, { schema: 'failsafe', lineCounter });
  const lineOf = (node: unknown) => {
    const offset = (node as Node | null)?.range?.[0];
    return offset === undefined ? 1 : lineCounter.linePos(offset).line;
  };
  // What comes behind the first is mostly its echo.
  for (const error of document.errors.slice(0, 1)) {
    const line = error.linePos?.[0].line ?? 1;
    const message = `is neither JSON nor YAML from here on: ${error.message.split('\n')[0]}`;
    file.problems.push({ line, field: 'line', message, fix: 'A file that was cut off ends like this.' });
  }
  if (file.problems.length > 0) return file;
  if (!isMap(document.contents) || document.contents.items.length === 0) {
    file.problems.push({ line: 1, field: 'file', message: 'holds no model with its prices' });
    return file;
  }
  for (const { key, value } of document.contents.items) {
    const name = isScalar(key) ? String(key.value) : '';
    const line = lineOf(key);
    if (name.trim() === '' || !isMap(value) || value.items.length === 0) {
      const message = 'has no prices by kind';
      const fix = 'Write it like gpt-4o: { prompt: 2.5e-6, completion: 10e-6 }, for one token.';
      file.problems.push({ line, field: name.slice(0, 100) || 'model', message, fix });
      continue;
    }
    for (const { key: field, value: cell } of value.items) {
      const kind = isScalar(field) ? String(field.value) : '';
      const isPlain = isScalar(cell) && !isAlias(cell);
      const read = readPrice(name, kind, isPlain ? String(cell.value ?? '').trim() : null, book);
      const place = lineOf(field);
      if ('message' in read) {
        file.problems.push({ line: place, field: `${name.slice(0, 100)}.${kind.slice(0, 100)}`, ...read });
      } else if (read.row !== null) {
        file.rows.push(read.row);
        file.lineOf.set(read.row, place);
      }
    }
  }
  return file;
}

function readPrice(
  name: string,
  field: string,
  value: string | null,
  book: PriceBook,
): { row: PriceRow | null } | { message: string; fix?: string } {
  const key = modelKey(name);
  const model = book.canonicalByName.get(key) ?? key;
  const kind = normalizePriceKind(field.trim().toLowerCase()) as PriceKind;
  if (!PRICE_KINDS.includes(kind))
    return { message: 'is no kind of price', fix: `Use ${PRICE_KINDS.join(', ')}.` };
  if (value === null) return { message: 'is no plain number' };
  const isEmbedding = isEmbeddingModel(model, book);
  const plain = withoutExponent(value);
  try {
    const pico = parseDecimal(plain, 30);
    if (pico < 0n) return { message: 'is negative' };
    if (pico === 0n && isEmbedding && kind === 'completion') return { row: null };
    if (pico === 0n) {
      return {
        message: 'is zero',
        fix: 'Leave it out; a price of nothing is for prices add --allow-absurd.',
      };
    }
    if (isByToken(kind) && pico > MOST_PICO_PER_TOKEN * 10n ** BigInt(30 - PICO_DIGITS)) {
      return {
        message: `is ${value} for one token, which is ${perMillion(value)} for a million`,
        fix: 'Prices of such a table are for one token: 2.5e-6 is 2.50 for a million.',
      };
    }
    const row = completePriceRow({
      model,
      tokenType: isEmbedding && kind === 'prompt' ? 'embedding' : kind,
      amount: isByToken(kind) ? perMillion(value) : amountText(value),
      source: TABLE_SOURCE,
      sourceKey: name.slice(0, 1_000),
    });
    return { row };
  } catch {
    if (/^-?\d+(?:\.\d+)?$/.test(plain)) return { message: `is finer than the book holds: ${value}` };
    return {
      message: `is no number: ${JSON.stringify(value.slice(0, 60))}`,
      fix: 'Write it like 2.5e-6 or 0.0000025, with a point.',
    };
  }
}

/** By the book, and by its name where the book does not know it. */
function isEmbeddingModel(model: string, book: PriceBook): boolean {
  if (!book.models.includes(model)) return /embed/.test(model);
  return book.data.prices.some((row) => row.model === model && row.tokenType === 'embedding');
}
