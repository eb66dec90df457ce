import { readFile } from 'node:fs/promises';
import { ValidationError } from '../errors.ts';
import { decodeText } from '../text-bytes.ts';

/**
 * A file that a command was given.
 * @param field what the error names: the argument or option
 * @throws ValidationError where it cannot be read or is not UTF-8
 */
export async function readTextFile(path: string, field: string): Promise<string> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new ValidationError(
      field,
      `${path} cannot be read: ${error.code ?? error.message}`,
      'Name a file that is there.',
    );
  });
  return decodeText(bytes, field);
}
