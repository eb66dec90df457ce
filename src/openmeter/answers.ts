import type { RequestOptions } from '@openmeter/sdk';
import type { z } from 'zod';
import { ANSWER_SHAPES, type AnsweredCall } from './answer-shapes.ts';
import { errorOfAnswer, errorOfForeignAnswer } from './failures.ts';

/**
 * Options that the SDK hands on to openapi-fetch but does not declare. With `parseAs: 'text'` the SDK gets the
 * answer as one text and gives it back untouched. Its own parsing turns every string that looks like an ISO
 * date into a `Date`, also in subjects, models and event data, where a user's text must stay the user's text.
 */
export interface SdkCallOptions extends RequestOptions {
  parseAs?: 'text';
  bodySerializer?: () => string;
  params?: { query: Record<string, string | number> };
}

/** For the SDK's methods that declare no query parameters although the API has them. */
export function withQuery(options: SdkCallOptions, query: Record<string, string | number>): SdkCallOptions {
  return { ...options, params: { query } };
}

/**
 * Runs one SDK call, parses its answer ourselves and checks its shape (ANSWER_SHAPES).
 * @throws UpstreamError UPSTREAM_UNAVAILABLE when the answer is not JSON, UPSTREAM_REJECTED when not of that shape
 */
export async function callForJson<Call extends AnsweredCall>(
  call: Call,
  signal: AbortSignal | undefined,
  run: (options: SdkCallOptions) => Promise<unknown>,
): Promise<z.output<(typeof ANSWER_SHAPES)[Call]>> {
  const text = await run({ parseAs: 'text', ...(signal === undefined ? {} : { signal }) });
  if (typeof text !== 'string') throw errorOfForeignAnswer(call, 'it has no body');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw errorOfForeignAnswer(call, 'it is not JSON');
  }
  const parsed = ANSWER_SHAPES[call].safeParse(json);
  if (parsed.success) return parsed.data as z.output<(typeof ANSWER_SHAPES)[Call]>;
  const issue = parsed.error.issues[0];
  throw errorOfAnswer(call, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'unknown shape'}`);
}
