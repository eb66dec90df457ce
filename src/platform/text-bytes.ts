import { ValidationError } from './errors.ts';

const LINE_FEED = 0x0a;

/**
 * Text of a file or body, which must be UTF-8; its byte order mark is taken off. Read in another encoding it would be stored
 * with broken letters, so that is refused by name.
 * @param field what the error names, e.g. `file` or `body`
 * @throws ValidationError
 */
export function decodeText(bytes: Uint8Array, field: string): string {
  const utf16 = utf16In(bytes);
  if (utf16 !== null) throw new ValidationError(field, `is ${utf16}`, 'Save it as UTF-8.');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ValidationError(
      field,
      `is not UTF-8, but Latin-1 or Windows-1252 as it seems (line ${brokenLine(bytes)})`,
      'Save it as UTF-8; in Excel as "CSV UTF-8".',
    );
  }
}

/** By its byte order mark, or by every other of the first bytes being zero, as those of plain letters are. */
function utf16In(bytes: Uint8Array): string | null {
  const [first, second, third, fourth] = bytes;
  if (first === 0xff && second === 0xfe) return 'UTF-16 (little endian)';
  if (first === 0xfe && second === 0xff) return 'UTF-16 (big endian)';
  if (first !== 0 && second === 0 && third !== 0 && fourth === 0) return 'UTF-16 (little endian)';
  if (first === 0 && second !== 0 && third === 0 && fourth !== 0) return 'UTF-16 (big endian)';
  return null;
}

/** The first line that is no UTF-8, counted from 1. A line feed is never part of another letter, so lines stand alone. */
function brokenLine(bytes: Uint8Array): number {
  let line = 1;
  for (let start = 0; start < bytes.length; line += 1) {
    const feed = bytes.indexOf(LINE_FEED, start);
    const end = feed === -1 ? bytes.length : feed + 1;
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(start, end));
    } catch {
      return line;
    }
    start = end;
  }
  return line;
}
