import type { Random } from '../random.ts';
import { drawBetween, drawPercent } from './draws.ts';
import type { FeatureProfile } from './features.ts';
import { METRIC_NAMES, PREVIEW_METRIC_NAME, type TrafficRow } from './row.ts';

/** Tokens of one call to a model. Cached is part of prompt, reasoning part of completion. */
export interface Call {
  promptTokens: number;
  cachedTokens: number;
  completionTokens: number;
  reasoningTokens: number;
}

/** One call of a feature; `sizePercent` scales the feature's mean tokens for this caller. */
export function drawCall(profile: FeatureProfile, sizePercent: number, random: Random): Call {
  const size = (mean: number) =>
    mean === 0 ? 0 : Math.max(1, Math.floor((mean * sizePercent * drawBetween(random, 500, 1500)) / 100_000));
  const promptTokens = size(profile.promptTokens);
  const completionTokens = size(profile.completionTokens);
  const cached = drawPercent(random, profile.cachedCallPercent);
  // Prompt caches hold whole blocks of 128 tokens.
  const cachedTokens = cached ? Math.floor((promptTokens * profile.cachedPromptPercent) / 12_800) * 128 : 0;
  const reasoningTokens = Math.floor(
    (completionTokens * profile.reasoningPercent * drawBetween(random, 70, 130)) / 10_000,
  );
  return { promptTokens, cachedTokens, completionTokens, reasoningTokens };
}

export type Aggregate = Pick<TrafficRow, 'metricName' | 'sum' | 'itemCount' | 'min' | 'max'>;

/** One row for each metric that has something to say; a call counts where it has tokens of that kind. */
export function aggregateCalls(calls: Call[]): Aggregate[] {
  const { prompt, cachedPrompt, completion, reasoning, total } = METRIC_NAMES;
  return [
    aggregate(prompt, calls, (call) => call.promptTokens),
    aggregate(cachedPrompt, calls, (call) => call.cachedTokens),
    aggregate(completion, calls, (call) => call.completionTokens),
    aggregate(reasoning, calls, (call) => call.reasoningTokens),
    aggregate(total, calls, (call) => call.promptTokens + call.completionTokens),
  ].filter((row) => row !== null);
}

/** What the gateway emits beside these: every other category that it has, and one of the preview, all of them 0. */
export function emptyCategories(aggregates: readonly Aggregate[], calls: readonly Call[]): Aggregate[] {
  const told = new Set(aggregates.map(({ metricName }) => metricName));
  return [...Object.values(METRIC_NAMES), PREVIEW_METRIC_NAME]
    .filter((metricName) => !told.has(metricName))
    .map((metricName) => ({ metricName, sum: 0, itemCount: calls.length, min: 0, max: 0 }));
}

function aggregate(metricName: string, calls: Call[], measure: (call: Call) => number): Aggregate | null {
  let sum = 0;
  let itemCount = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = 0;
  for (const call of calls) {
    const value = measure(call);
    if (value === 0) continue;
    sum += value;
    itemCount += 1;
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  return itemCount === 0 ? null : { metricName, sum, itemCount, min, max };
}
