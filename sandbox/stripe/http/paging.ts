import { type Form, readInteger, readText } from './form.ts';
import { refuseParameter, refuseUnknown } from './refusal.ts';
import type { WireList } from './wire.ts';

/** Parameters every list takes. */
export const PAGING_SHAPE = {
  limit: 'text',
  starting_after: 'text',
  ending_before: 'text',
  expand: 'any',
} as const;

/**
 * One page, newest first. `items` come oldest first.
 * @throws StripeRefusal for a limit outside 1 to 100 and a cursor that is not in the list
 */
export function toPage<Item extends { id: string }>(
  items: readonly Item[],
  form: Form,
  url: string,
  order: 'newest_first' | 'as_given' = 'newest_first',
): WireList<Item> {
  const limit = readInteger(form, 'limit') ?? 10;
  if (limit < 1 || limit > 100) {
    throw refuseParameter('limit', 'This value must be between 1 and 100.', 'parameter_invalid_integer');
  }
  const ordered = order === 'newest_first' ? [...items].reverse() : items;
  const after = readText(form, 'starting_after');
  const before = readText(form, 'ending_before');
  const indexOf = (cursor: string, param: string) => {
    const index = ordered.findIndex((item) => item.id === cursor);
    if (index < 0) throw refuseUnknown('object', cursor, param);
    return index;
  };
  if (before !== undefined) {
    const end = indexOf(before, 'ending_before');
    const start = Math.max(0, end - limit);
    return { object: 'list', data: ordered.slice(start, end), has_more: start > 0, url };
  }
  const start = after === undefined ? 0 : indexOf(after, 'starting_after') + 1;
  return {
    object: 'list',
    data: ordered.slice(start, start + limit),
    has_more: ordered.length > start + limit,
    url,
  };
}
