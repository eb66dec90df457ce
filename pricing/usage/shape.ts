/**
 * What usage is made of, said once: the figures that are counted and the dimensions they are counted by. Columns, meters,
 * fields of events, token types, queries and schemas follow from it. docs/extending.md tells how to add to it.
 */

interface FigureShape {
  /** Its name in objects, where figures lie side by side. */
  property: string;
  /** Column of `usage_events`, of sums of dropped items, and of activity. */
  column: string;
  /** `token_kind` of the source items that add to it. Null: it counts measurements, and not tokens. */
  tokenKind: string | null;
  /** Names of the metric as seen in the field; the list is open, and a metric in no list is quarantined. */
  metricNames: readonly string[];
  meterSlug: string;
  /** Field of the usage event's data. */
  eventField: string;
  /** The disjoint bucket that it feeds, less its parts that have one of their own. Null: shown, and never billed. */
  tokenType: string | null;
  /** The figure that counts its tokens, too. */
  partOf: string | null;
  /** It repeats these, and adds nothing. */
  sumOf?: readonly string[];
  /** It counts the measurements of this figure: each request makes one. */
  measurementsOf?: string;
}

/** Every figure of a usage event, in the order in which they are shown. Parts of one figure stand in one row after it. */
export const FIGURES = {
  prompt: {
    property: 'promptTokenCount',
    column: 'prompt_token_count',
    tokenKind: 'prompt',
    metricNames: ['Prompt Tokens'],
    meterSlug: 'tallystick_prompt_tokens',
    eventField: 'prompt_tokens',
    tokenType: 'prompt',
    partOf: null,
  },
  cachedPrompt: {
    property: 'cachedPromptTokenCount',
    column: 'cached_prompt_token_count',
    tokenKind: 'cached_prompt',
    metricNames: ['Prompt Cached Tokens', 'Cached Prompt Tokens', 'Cached Tokens'],
    meterSlug: 'tallystick_cached_prompt_tokens',
    eventField: 'cached_prompt_tokens',
    tokenType: 'prompt_cached',
    partOf: 'prompt',
  },
  completion: {
    property: 'completionTokenCount',
    column: 'completion_token_count',
    tokenKind: 'completion',
    metricNames: ['Completion Tokens'],
    meterSlug: 'tallystick_completion_tokens',
    eventField: 'completion_tokens',
    tokenType: 'completion',
    partOf: null,
  },
  reasoning: {
    property: 'reasoningTokenCount',
    column: 'reasoning_token_count',
    tokenKind: 'reasoning',
    metricNames: ['Completion Reasoning Tokens', 'Reasoning Tokens'],
    meterSlug: 'tallystick_reasoning_tokens',
    eventField: 'reasoning_tokens',
    tokenType: null,
    partOf: 'completion',
  },
  total: {
    property: 'totalTokenCount',
    column: 'total_token_count',
    tokenKind: 'total',
    metricNames: ['Total Tokens'],
    meterSlug: 'tallystick_total_tokens',
    eventField: 'total_tokens',
    tokenType: null,
    partOf: null,
    sumOf: ['prompt', 'completion'],
  },
  requests: {
    property: 'requestCount',
    column: 'request_count',
    tokenKind: null,
    metricNames: [],
    meterSlug: 'tallystick_requests',
    eventField: 'requests',
    tokenType: null,
    partOf: null,
    measurementsOf: 'total',
  },
} as const satisfies Record<string, FigureShape>;

type Figures = typeof FIGURES;
export type FigureName = keyof Figures;
export const FIGURE_NAMES = Object.keys(FIGURES) as FigureName[];

/** All figures side by side. As at the source: prompt includes cached, completion includes reasoning. */
export type UsageFigures = Record<Figures[FigureName]['property'], bigint>;

/** What a source item is counted as. */
export type TokenKind = Exclude<Figures[FigureName]['tokenKind'], null> | 'unknown';

export type MeterSlug = Figures[FigureName]['meterSlug'];

/** Disjoint buckets of billed tokens: `prompt` is what no other bucket holds of it, the uncached part. */
export type TokenType = Exclude<Figures[FigureName]['tokenType'], null>;

type With<Field extends 'tokenType' | 'tokenKind'> = {
  [Name in FigureName]: Figures[Name][Field] extends null ? never : Name;
}[FigureName];

/** Figures that feed a token type. */
export type TypedFigure = With<'tokenType'>;
export const TYPED_FIGURES = FIGURE_NAMES.filter((name) => FIGURES[name].tokenType !== null) as TypedFigure[];

/** The token types in the order in which they are always shown. */
export const TOKEN_TYPES: readonly TokenType[] = TYPED_FIGURES.map((name) => FIGURES[name].tokenType);

/** `prompt, prompt_cached or completion`, for people. */
export const TOKEN_TYPES_IN_WORDS = `${TOKEN_TYPES.slice(0, -1).join(', ')} or ${TOKEN_TYPES.at(-1)}`;

export function isTokenType(text: string | null): text is TokenType {
  return (TOKEN_TYPES as readonly (string | null)[]).includes(text);
}

/** Figures of tokens that are told each by itself: no sum of others. */
export type SourceFigure = Exclude<With<'tokenKind'>, 'total'>;
export const SOURCE_FIGURES = FIGURE_NAMES.filter(
  (name) => FIGURES[name].tokenKind !== null && !('sumOf' in FIGURES[name]),
) as SourceFigure[];

/** Figures that count every billed token once: those with a token type that are part of no other. */
export const COUNTED_FIGURES: readonly TypedFigure[] = TYPED_FIGURES.filter(
  (name) => FIGURES[name].partOf === null,
);

/** Whether an item counts a billed token, or only repeats it. */
export function isCountedKind(tokenKind: TokenKind): boolean {
  return COUNTED_FIGURES.some((name) => FIGURES[name].tokenKind === tokenKind);
}

/** Figures that are kept beside the hours' billed tokens and shown with them, never added. */
export type ActivityFigure = Exclude<FigureName, TypedFigure | 'total'>;
export const ACTIVITY_FIGURES = FIGURE_NAMES.filter(
  (name) => FIGURES[name].tokenType === null && !('sumOf' in FIGURES[name]),
) as ActivityFigure[];

/** Parts of a figure that have a token type of their own, in order. */
export function typedPartsOf(figure: TypedFigure): TypedFigure[] {
  return TYPED_FIGURES.filter((name) => FIGURES[name].partOf === figure);
}

/** One record with a value for each figure, by its name. */
export function byFigure<Value>(read: (name: FigureName) => Value): Record<FigureName, Value> {
  const values = {} as Record<FigureName, Value>;
  for (const name of FIGURE_NAMES) values[name] = read(name);
  return values;
}

/** The same, by the properties under which figures lie side by side. */
export function byProperty(read: (name: FigureName) => bigint): UsageFigures {
  const figures = {} as UsageFigures;
  for (const name of FIGURE_NAMES) figures[FIGURES[name].property] = read(name);
  return figures;
}

interface DimensionShape {
  /** Column of every table that usage is kept in by key. */
  column: string;
  /** Where the usage event carries it: in its `subject`, or in its data, which OpenMeter groups by. */
  eventPlace: 'subject' | 'data';
  /** Variable of the environment with the dimension's name in the gateway policy, and that name by default. */
  variable: string;
  policyName: string;
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
  },
  deployment: {
    column: 'deployment',
    eventPlace: 'data',
    variable: 'DIMENSION_DEPLOYMENT',
    policyName: 'deployment',
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
