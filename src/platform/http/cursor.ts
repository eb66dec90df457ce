import { z } from 'zod';
import { ValidationError } from '../errors.ts';
import { ROW_ID } from '../row-id.ts';

const CursorParts = z.array(z.string().max(2_048)).min(1).max(10);

/** The keys of a page's last row as opaque text. */
export function encodeCursor(parts: readonly string[]): string {
  return Buffer.from(JSON.stringify(parts), 'utf8').toString('base64url');
}

/** The page of rows of which one more than the limit was asked for, and the cursor of the next; null: there is none. */
export function takePage<Row>(found: Row[], limit: number, keysOf: (last: Row) => readonly string[]) {
  const page = found.slice(0, limit);
  const last = found.length > limit ? page.at(-1) : undefined;
  return { page, nextCursor: last === undefined ? null : encodeCursor(keysOf(last)) };
}

/**
 * The keys a cursor holds.
 * @param partCount how many the query at hand needs: a cursor of another query is refused
 * @throws ValidationError
 */
export function decodeCursor(cursor: string, partCount: number): string[] {
  const parts = CursorParts.safeParse(parseJson(Buffer.from(cursor, 'base64url').toString('utf8')));
  if (!parts.success || parts.data.length !== partCount || parts.data.some((part) => part.includes('\0'))) {
    throw invalidCursor();
  }
  return parts.data;
}

/** The text that is the one key of a list; null: from its beginning. @throws ValidationError */
export function readTextCursor(cursor: string | undefined): string | null {
  return cursor === undefined ? null : (decodeCursor(cursor, 1)[0] ?? null);
}

/** The number that is the one key of a list by id. @throws ValidationError */
export function decodeIdCursor(cursor: string): bigint {
  const [id = ''] = decodeCursor(cursor, 1);
  if (!ROW_ID.test(id)) throw invalidCursor();
  return BigInt(id);
}

export function invalidCursor(): ValidationError {
  return new ValidationError(
    'cursor',
    'is not a cursor of this query',
    'Send nextCursor of the page before, with the same query.',
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
