/** The dimensions that usage is counted by, said once: columns, fields of events, variables and keys follow from them. */

interface DimensionShape {
  /** Column of every table that usage is kept in by key. */
  column: string;
  /** Where the usage event carries it: in its `subject`, or in its data, which OpenMeter groups by. */
  eventPlace: 'subject' | 'data';
  /** Variable of the environment with the dimension's name in the gateway policy, and that name by default. */
  variable: string;
  policyName: string;
  /** Texts that name one thing are counted as one (`names.ts`). Absent: each text is counted by itself. */
  names?: 'model' | 'deployment';
}

/** What usage is counted by, below the hour: the key. */
export const DIMENSIONS = {
  subject: {
    column: 'subject',
    eventPlace: 'subject',
    variable: 'DIMENSION_SUBJECT',
    policyName: 'userId',
  },
  feature: {
    column: 'feature',
    eventPlace: 'data',
    variable: 'DIMENSION_FEATURE',
    policyName: 'featureArea',
  },
  model: {
    column: 'model',
    eventPlace: 'data',
    variable: 'DIMENSION_MODEL',
    policyName: 'model',
    names: 'model',
  },
  deployment: {
    column: 'deployment',
    eventPlace: 'data',
    variable: 'DIMENSION_DEPLOYMENT',
    policyName: 'deployment',
    names: 'deployment',
  },
} as const satisfies Record<string, DimensionShape>;

type Dimensions = typeof DIMENSIONS;
export type DimensionName = keyof Dimensions;
export type DimensionVariable = Dimensions[DimensionName]['variable'];
export const DIMENSION_NAMES = Object.keys(DIMENSIONS) as DimensionName[];

/** Dimensions that the usage event carries in its data, under their own names: what OpenMeter groups by. */
export type DataDimension = {
  [Name in DimensionName]: Dimensions[Name]['eventPlace'] extends 'data' ? Name : never;
}[DimensionName];
export const DATA_DIMENSIONS = DIMENSION_NAMES.filter(
  (name) => DIMENSIONS[name].eventPlace === 'data',
) as DataDimension[];

/** What usage is kept by, below the hour. */
export type UsageKey = Record<DimensionName, string>;

/** The key alone, of a row that holds more. */
export function keyOf(row: UsageKey): UsageKey {
  return byDimension((name) => row[name]);
}

export function byDimension<Value>(read: (name: DimensionName) => Value): Record<DimensionName, Value> {
  const values = {} as Record<DimensionName, Value>;
  for (const name of DIMENSION_NAMES) values[name] = read(name);
  return values;
}

/** One string for one key in one hour; length-prefixed, so that no value can imitate a separator. */
export function usageKeyText(windowStart: Date, key: UsageKey): string {
  let text = String(windowStart.getTime());
  for (const name of DIMENSION_NAMES) text += `|${key[name].length}:${key[name]}`;
  return text;
}
