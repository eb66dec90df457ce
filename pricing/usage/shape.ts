/**
 * What usage is made of, said once: the figures that are counted, here, and the dimensions they are counted by, beside it.
 * Columns, meters, fields of events, token types, queries and schemas follow from it. docs/extending.md tells how to add to it.
 *
 * A usage event is normalised: `prompt` counts every token of the prompt and `completion` every token of the completion,
 * whatever the rule of the model's provider is. That rule is applied once, where an event is built; below it a part never
 * exceeds its whole.
 */

export * from './dimensions.ts';

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
  /** The figures that count its tokens, too; of two it is what both of them count. */
  partOf: readonly string[];
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
    partOf: [],
  },
  cachedPrompt: {
    property: 'cachedPromptTokenCount',
    column: 'cached_prompt_token_count',
    tokenKind: 'cached_prompt',
    metricNames: ['Prompt Cached Tokens', 'Cached Prompt Tokens', 'Cached Tokens'],
    meterSlug: 'tallystick_cached_prompt_tokens',
    eventField: 'cached_prompt_tokens',
    tokenType: 'prompt_cached',
    partOf: ['prompt'],
  },
  promptAudio: {
    property: 'audioPromptTokenCount',
    column: 'audio_prompt_token_count',
    tokenKind: 'audio_prompt',
    metricNames: ['Prompt Audio Tokens'],
    meterSlug: 'tallystick_audio_prompt_tokens',
    eventField: 'audio_prompt_tokens',
    tokenType: 'prompt_audio',
    partOf: ['prompt'],
  },
  promptImage: {
    property: 'imagePromptTokenCount',
    column: 'image_prompt_token_count',
    tokenKind: 'image_prompt',
    metricNames: ['Prompt Image Tokens'],
    meterSlug: 'tallystick_image_prompt_tokens',
    eventField: 'image_prompt_tokens',
    tokenType: 'prompt_image',
    partOf: ['prompt'],
  },
  // The cached tokens of a prompt include those of cached audio, and so do its audio tokens.
  cachedPromptAudio: {
    property: 'cachedAudioPromptTokenCount',
    column: 'cached_audio_prompt_token_count',
    tokenKind: 'cached_audio_prompt',
    metricNames: ['Prompt Cached Audio Tokens'],
    meterSlug: 'tallystick_cached_audio_prompt_tokens',
    eventField: 'cached_audio_prompt_tokens',
    tokenType: 'prompt_cached_audio',
    partOf: ['cachedPrompt', 'promptAudio'],
  },
  cacheWrite5m: {
    property: 'cacheWrite5mTokenCount',
    column: 'cache_write_5m_token_count',
    tokenKind: 'cache_write_5m',
    metricNames: ['Prompt Cache Write 5m Tokens'],
    meterSlug: 'tallystick_cache_write_5m_tokens',
    eventField: 'cache_write_5m_tokens',
    tokenType: 'prompt_cache_write_5m',
    partOf: ['prompt'],
  },
  cacheWrite1h: {
    property: 'cacheWrite1hTokenCount',
    column: 'cache_write_1h_token_count',
    tokenKind: 'cache_write_1h',
    metricNames: ['Prompt Cache Write 1h Tokens'],
    meterSlug: 'tallystick_cache_write_1h_tokens',
    eventField: 'cache_write_1h_tokens',
    tokenType: 'prompt_cache_write_1h',
    partOf: ['prompt'],
  },
  completion: {
    property: 'completionTokenCount',
    column: 'completion_token_count',
    tokenKind: 'completion',
    metricNames: ['Completion Tokens'],
    meterSlug: 'tallystick_completion_tokens',
    eventField: 'completion_tokens',
    tokenType: 'completion',
    partOf: [],
  },
  completionAudio: {
    property: 'audioCompletionTokenCount',
    column: 'audio_completion_token_count',
    tokenKind: 'audio_completion',
    metricNames: ['Completion Audio Tokens'],
    meterSlug: 'tallystick_audio_completion_tokens',
    eventField: 'audio_completion_tokens',
    tokenType: 'completion_audio',
    partOf: ['completion'],
  },
  completionImage: {
    property: 'imageCompletionTokenCount',
    column: 'image_completion_token_count',
    tokenKind: 'image_completion',
    metricNames: ['Completion Image Tokens'],
    meterSlug: 'tallystick_image_completion_tokens',
    eventField: 'image_completion_tokens',
    tokenType: 'completion_image',
    partOf: ['completion'],
  },
  reasoning: {
    property: 'reasoningTokenCount',
    column: 'reasoning_token_count',
    tokenKind: 'reasoning',
    metricNames: ['Completion Reasoning Tokens', 'Reasoning Tokens'],
    meterSlug: 'tallystick_reasoning_tokens',
    eventField: 'reasoning_tokens',
    tokenType: null,
    partOf: ['completion'],
  },
  acceptedPrediction: {
    property: 'acceptedPredictionTokenCount',
    column: 'accepted_prediction_token_count',
    tokenKind: 'accepted_prediction',
    metricNames: ['Completion Accepted Prediction Tokens'],
    meterSlug: 'tallystick_accepted_prediction_tokens',
    eventField: 'accepted_prediction_tokens',
    tokenType: null,
    partOf: ['completion'],
  },
  rejectedPrediction: {
    property: 'rejectedPredictionTokenCount',
    column: 'rejected_prediction_token_count',
    tokenKind: 'rejected_prediction',
    metricNames: ['Completion Rejected Prediction Tokens'],
    meterSlug: 'tallystick_rejected_prediction_tokens',
    eventField: 'rejected_prediction_tokens',
    tokenType: null,
    partOf: ['completion'],
  },
  total: {
    property: 'totalTokenCount',
    column: 'total_token_count',
    tokenKind: 'total',
    metricNames: ['Total Tokens'],
    meterSlug: 'tallystick_total_tokens',
    eventField: 'total_tokens',
    tokenType: null,
    partOf: [],
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
    partOf: [],
    measurementsOf: 'total',
  },
} as const satisfies Record<string, FigureShape>;

type Figures = typeof FIGURES;
export type FigureName = keyof Figures;
export const FIGURE_NAMES = Object.keys(FIGURES) as FigureName[];

/** Metrics that are a figure. What waits under one of their names, or is noted, was collected before it was known. */
export const KNOWN_METRIC_NAMES: readonly string[] = FIGURE_NAMES.flatMap((name): string[] => [
  ...FIGURES[name].metricNames,
]);

/** All figures side by side, normalised: prompt and completion include all their parts. */
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
  (name) => FIGURES[name].partOf.length === 0,
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

/** Whether `part` counts only tokens that `whole` counts, too. Every figure is part of itself. */
export function isPartOf(part: FigureName, whole: FigureName): boolean {
  return (
    part === whole || (FIGURES[part].partOf as readonly FigureName[]).some((name) => isPartOf(name, whole))
  );
}

/**
 * Whether a source item adds to a figure: to that of its kind, and, told apart from it, also to the one that counts everything.
 */
export function addsTo(item: { tokenKind: TokenKind; countsApart: boolean }, figure: SourceFigure): boolean {
  if (item.tokenKind === FIGURES[figure].tokenKind) return true;
  return (
    item.countsApart &&
    FIGURES[figure].partOf.length === 0 &&
    SOURCE_FIGURES.some((part) => FIGURES[part].tokenKind === item.tokenKind && isPartOf(part, figure))
  );
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
