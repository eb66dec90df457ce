import { nearestNames } from '../near-names.ts';
import { modelKey } from '../usage/names.ts';
import type { PriceBook } from './price-book.ts';

/** Models whose name is close to the given one, the closest first; may be empty. For error messages. */
export function nearModels(book: PriceBook, name: string, count = 5): string[] {
  return nearestNames(book.models, modelKey(name), count);
}
