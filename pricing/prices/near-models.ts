import { nearestNames } from '../near-names.ts';
import type { PriceBook } from './price-book.ts';
import { normalizeModelName } from './rows.ts';

/** Models whose name is close to the given one, the closest first; may be empty. For error messages. */
export function nearModels(book: PriceBook, name: string, count = 5): string[] {
  return nearestNames(book.models, normalizeModelName(name), count);
}
