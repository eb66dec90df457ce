/** How one product surface calls its model. Token counts are means; each call varies from half to one and a half. */
export interface FeatureProfile {
  feature: string;
  model: string;
  deployment: string;
  promptTokens: number;
  completionTokens: number;
  /** Share of calls, in percent, whose prompt prefix was cached, and how much of the prompt that covers. */
  cachedCallPercent: number;
  cachedPromptPercent: number;
  /** Share of the completion, in percent, that is reasoning. */
  reasoningPercent: number;
}

const GLOBAL_4O = { model: 'gpt-4o', deployment: 'gpt-4o-global' };
const GLOBAL_MINI = { model: 'gpt-4o-mini', deployment: 'gpt-4o-mini-global' };

/**
 * Sizes are set so that `thread-summary`, on gpt-4o where gpt-4o-mini would do, costs about twelve times each
 * of its neighbours at list price: the story a feature view must make visible. Prompts are long documents, just
 * short enough for their models, so that a month's money is that of a business with no more rows.
 */
export const FEATURES = {
  threadSummary: {
    feature: 'thread-summary',
    ...GLOBAL_4O,
    promptTokens: 36_800,
    completionTokens: 4960,
    cachedCallPercent: 25,
    cachedPromptPercent: 40,
    reasoningPercent: 0,
  },
  mailDraft: {
    feature: 'mail-draft',
    ...GLOBAL_MINI,
    promptTokens: 37_600,
    completionTokens: 6880,
    cachedCallPercent: 20,
    cachedPromptPercent: 30,
    reasoningPercent: 0,
  },
  codeReview: {
    feature: 'code-review',
    model: 'o4-mini',
    deployment: 'o4-mini-datazone',
    promptTokens: 12_000,
    completionTokens: 3840,
    cachedCallPercent: 30,
    cachedPromptPercent: 50,
    reasoningPercent: 60,
  },
  meetingNotes: {
    feature: 'meeting-notes',
    ...GLOBAL_4O,
    promptTokens: 8800,
    completionTokens: 1360,
    cachedCallPercent: 0,
    cachedPromptPercent: 0,
    reasoningPercent: 0,
  },
  documentSearch: {
    feature: 'document-search',
    model: 'text-embedding-3-large',
    deployment: 'embeddings',
    promptTokens: 17_600,
    completionTokens: 0,
    cachedCallPercent: 0,
    cachedPromptPercent: 0,
    reasoningPercent: 0,
  },
  pageAssist: {
    feature: 'page-assist',
    ...GLOBAL_MINI,
    promptTokens: 28_000,
    completionTokens: 480,
    cachedCallPercent: 90,
    cachedPromptPercent: 80,
    reasoningPercent: 0,
  },
  crmSync: {
    feature: 'crm-sync',
    ...GLOBAL_4O,
    promptTokens: 6880,
    completionTokens: 720,
    cachedCallPercent: 80,
    cachedPromptPercent: 70,
    reasoningPercent: 0,
  },
} as const satisfies Record<string, FeatureProfile>;

export interface WeightedFeature {
  profile: FeatureProfile;
  /** Share of sessions, relative to the other entries of the same list. */
  weight: number;
}

/** What users of most tenants do. */
export const COMMON_FEATURES: readonly WeightedFeature[] = [
  { profile: FEATURES.threadSummary, weight: 30 },
  { profile: FEATURES.mailDraft, weight: 34 },
  { profile: FEATURES.codeReview, weight: 12 },
  { profile: FEATURES.meetingNotes, weight: 10 },
  { profile: FEATURES.documentSearch, weight: 14 },
];

/** What users of the tenant with many tokens and little revenue do: cheap models, on every page load. */
export const PAGE_LOAD_FEATURES: readonly WeightedFeature[] = [
  { profile: FEATURES.pageAssist, weight: 55 },
  { profile: FEATURES.documentSearch, weight: 45 },
];
