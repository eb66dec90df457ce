import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { type RetailMeterRow, readMeterFile } from '../../pricing/retail/meter-map.ts';
import { TallystickError } from '../../src/platform/errors.ts';

const FILE = 'pricing/data/retail-meter-map.yaml';

/**
 * The reviewed mapping of meters that ships with this version.
 * @throws TallystickError CONFIG naming the row that is wrong
 */
export async function readShippedMeterFile(): Promise<RetailMeterRow[]> {
  const file = locate();
  try {
    return readMeterFile(parse(await readFile(file, 'utf8')));
  } catch (error) {
    throw new TallystickError(`The meter map ${FILE} cannot be used: ${(error as Error).message}`, {
      code: 'CONFIG',
      retry: false,
      cause: error,
      fix: 'Correct the row; docs/pricing.md says what belongs there.',
    });
  }
}

/** Beside the sources in a checkout, and beside what was built of them. */
function locate(): string {
  return path.resolve(import.meta.dirname, '../..', FILE);
}
