import { DEPLOYMENT_TYPES, normalizePriceKind, PRICE_KINDS, type PriceRow } from '../prices/rows.ts';
import { modelKey } from '../usage/names.ts';

/** The price that a meter of the retail list is. */
export type RetailTarget = Pick<PriceRow, 'model' | 'deploymentType' | 'region' | 'tokenType'>;

/** One meter, as a person has read it. */
export interface RetailMeterRow extends RetailTarget {
  /** Lower case; the list's own id. */
  meterId: string;
  note: string;
}

/** Rows by meter id. A meter that is not in it has no meaning: names are irregular and are never read. */
export type RetailMeterMap = ReadonlyMap<string, RetailMeterRow>;

const METER_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const REGION = /^(?:\*|[a-z][a-z0-9]{1,39})$/;

/**
 * Checks one row.
 * @param where how messages name it
 * @throws RangeError naming the field that is wrong
 */
export function readMeterRow(data: unknown, where: string): RetailMeterRow {
  if (typeof data !== 'object' || data === null) throw new RangeError(`${where}: is no row`);
  const text = (field: string, fallback?: string): string => {
    const value = (data as Record<string, unknown>)[field] ?? fallback;
    if (typeof value !== 'string') throw new RangeError(`${where}: ${field} is missing or no text`);
    return value.trim();
  };
  const oneOf = <Value extends string>(
    field: string,
    values: readonly Value[],
    normalize = (written: string) => written,
  ): Value => {
    const found = values.find((value) => value === normalize(text(field)));
    if (found === undefined) throw new RangeError(`${where}: ${field} must be one of ${values.join(', ')}`);
    return found;
  };
  const meterId = text('meterId').toLowerCase();
  if (!METER_ID.test(meterId)) throw new RangeError(`${where}: meterId must be the GUID of the list`);
  const model = text('model');
  if (model === '' || model !== modelKey(model)) {
    throw new RangeError(`${where}: model must be the name of the price book, in lower case`);
  }
  const region = text('region', '*');
  if (!REGION.test(region))
    throw new RangeError(`${where}: region must be an Azure region, a data zone or *`);
  return {
    meterId,
    model,
    deploymentType: oneOf('deploymentType', DEPLOYMENT_TYPES),
    region,
    tokenType: oneOf('tokenType', PRICE_KINDS, normalizePriceKind),
    note: text('note', ''),
  };
}

/**
 * The rows of a mapping file: `{ meters: [...] }`.
 * @throws RangeError naming the first row that is wrong or maps a meter twice
 */
export function readMeterFile(data: unknown): RetailMeterRow[] {
  const meters = (data as { meters?: unknown } | null)?.meters;
  if (!Array.isArray(meters)) throw new RangeError('meters: must be a list');
  const seen = new Set<string>();
  return meters.map((entry, index) => {
    const row = readMeterRow(entry, `meters[${index}]`);
    if (seen.has(row.meterId)) throw new RangeError(`meters[${index}]: ${row.meterId} is mapped twice`);
    seen.add(row.meterId);
    return row;
  });
}

/** Puts layers on top of each other; of two rows for a meter the later layer's holds. */
export function createMeterMap(...layers: readonly (readonly RetailMeterRow[])[]): RetailMeterMap {
  return new Map(layers.flat().map((row) => [row.meterId, row]));
}
