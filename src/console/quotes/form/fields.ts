import { z } from 'zod';
import { formatDecimal, parseDecimal } from '../../../../pricing/money.ts';
import { TELLABLE_PARTS } from '../../../../pricing/usage/untold.ts';
import { textOf } from '../../../pages/address.ts';
import { errorFromZod } from '../../../platform/http/problem.ts';
import { type QuoteRequest, QuoteRequestSchema } from '../../../quotes/request-schema.ts';
import { linesOf } from '../../frame/form-lines.ts';
import { fieldInWords, messageInWords } from './words.ts';

/** Fields of a line that repeats; line by line, so that the n-th of each belong together. */
export const USAGE_FIELDS = [
  'model',
  'feature',
  'prompt',
  'cached',
  'completion',
  'requests',
  'also',
] as const;
export const USER_FIELDS = ['userFeature', 'userCount'] as const;
export const SWAP_FIELDS = ['swapFrom', 'swapTo'] as const;

/** Percent with two digits more are shares. */
const PERCENT_DIGITS = 4;
const PERCENT = /^(?:\d{1,2}(?:\.\d{1,4})?|100(?:\.0{1,4})?)$/;

/** Which way the usage is said. */
export function basisOf(fields: URLSearchParams): 'usage' | 'like' | 'users' {
  const basis = fields.get('basis');
  return basis === 'like' || basis === 'users' ? basis : 'usage';
}

/** Whether anything was said of the usage yet: before that, there is nothing to answer. */
export function isAsked(fields: URLSearchParams): boolean {
  const basis = basisOf(fields);
  if (basis === 'like') return textOf(fields, 'likeCustomer') !== undefined;
  return linesOf(fields, basis === 'users' ? USER_FIELDS : USAGE_FIELDS).length > 0;
}

/**
 * The form as the request that the API takes.
 * @throws TallystickError VALIDATION which names the fields as the form does
 */
export function readRequest(fields: URLSearchParams): QuoteRequest {
  const parsed = QuoteRequestSchema.safeParse(toRequest(fields));
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => ({
    ...issue,
    path: [fieldInWords(issue.path)],
    message: messageInWords(issue.message),
  }));
  throw errorFromZod('form', new z.ZodError(issues));
}

function toRequest(fields: URLSearchParams): Record<string, unknown> {
  const text = (name: string) => textOf(fields, name);
  const swaps = linesOf(fields, SWAP_FIELDS);
  const adjustments = {
    ...(swaps.length === 0
      ? {}
      : { modelSwaps: swaps.map(({ swapFrom, swapTo }) => ({ from: swapFrom, to: swapTo })) }),
    ...present({
      cachedShare: shareOf(text('cachedPercent')),
      batchShare: shareOf(text('batchPercent')),
      deploymentType: text('tier'),
      region: text('region'),
    }),
  };
  const wholeOf = (value: string | undefined) =>
    value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : value;
  return {
    ...usageOf(fields),
    ...(Object.keys(adjustments).length === 0 ? {} : { adjustments }),
    ...present({
      mode: text('mode'),
      customerId: text('customer'),
      planId: text('plan'),
      at: text('at'),
      currency: text('currency')?.toLowerCase(),
      targetMarginPercent: text('margin')?.replace(/\s*%$/, ''),
      title: text('title'),
      preparedFor: text('preparedFor'),
    }),
    ...present({ validDays: wholeOf(text('validDays')), contractMonths: wholeOf(text('contractMonths')) }),
  };
}

function usageOf(fields: URLSearchParams): Record<string, unknown> {
  const basis = basisOf(fields);
  if (basis === 'users') {
    return {
      activeUsers: linesOf(fields, USER_FIELDS).map(({ userFeature, userCount }) => ({
        feature: userFeature,
        count: countOf(userCount),
      })),
    };
  }
  if (basis === 'like') {
    return {
      likeCustomer: {
        customerId: textOf(fields, 'likeCustomer') ?? '',
        ...present({ period: textOf(fields, 'likePeriod'), scale: textOf(fields, 'scale') }),
      },
    };
  }
  const parts =
    fields.get('textOnly') === 'yes'
      ? Object.fromEntries(TELLABLE_PARTS.map(({ property }) => [property, 0]))
      : {};
  return {
    usage: linesOf(fields, USAGE_FIELDS).map((line) => ({
      ...parts,
      ...alsoOf(line.also),
      model: line.model,
      feature: line.feature,
      promptTokenCount: countOf(line.prompt || '0'),
      completionTokenCount: countOf(line.completion || '0'),
      ...present({
        cachedPromptTokenCount: line.cached === '' ? undefined : countOf(line.cached),
        requestCount: line.requests === '' ? undefined : countOf(line.requests),
      }),
    })),
  };
}

/** The form that would send a request: what one begins from who begins from an earlier quote. */
export function fieldsOf(request: QuoteRequest): URLSearchParams {
  const fields = new URLSearchParams();
  const put = (name: string, value: unknown) => {
    if (value !== undefined && value !== '') fields.append(name, String(value));
  };
  const { usage, likeCustomer: like, activeUsers, adjustments = {} } = request;
  put('basis', usage !== undefined ? 'usage' : like !== undefined ? 'like' : 'users');
  const isTextOnly =
    usage?.every((entry) => TELLABLE_PARTS.every(({ property }) => entry[property] === 0n)) === true;
  if (isTextOnly) put('textOnly', 'yes');
  for (const entry of usage ?? []) {
    const {
      model,
      feature,
      promptTokenCount: prompt,
      cachedPromptTokenCount: cached,
      completionTokenCount: completion,
      requestCount: requests,
      ...rest
    } = entry;
    const also = Object.entries(rest).filter(
      ([name, value]) =>
        value !== undefined && !(isTextOnly && TELLABLE_PARTS.some(({ property }) => property === name)),
    );
    const typed = { model, feature, prompt, cached, completion, requests };
    for (const [name, value] of Object.entries(typed)) fields.append(name, String(value ?? ''));
    fields.append(
      'also',
      also.length === 0
        ? ''
        : JSON.stringify(
            Object.fromEntries(
              also.map(([name, value]) => [name, typeof value === 'bigint' ? String(value) : value]),
            ),
          ),
    );
  }
  if (like !== undefined) {
    const { customerId, period, scale } =
      typeof like === 'string' ? { customerId: like, period: undefined, scale: request.scale } : like;
    put('likeCustomer', customerId);
    put('likePeriod', period);
    put('scale', scale);
  }
  for (const { feature, count } of activeUsers ?? []) {
    fields.append('userFeature', feature);
    fields.append('userCount', String(count));
  }
  for (const { from, to } of adjustments.modelSwaps ?? []) {
    fields.append('swapFrom', from);
    fields.append('swapTo', to);
  }
  put('cachedPercent', percentOf(adjustments.cachedShare));
  put('batchPercent', percentOf(adjustments.batchShare));
  put('tier', adjustments.deploymentType);
  put('region', adjustments.region);
  if (request.mode !== 'new') put('mode', request.mode);
  put('customer', request.customerId);
  put('plan', request.planId);
  put('at', request.at);
  put('currency', request.currency);
  put('margin', request.targetMarginPercent);
  put('validDays', request.validDays);
  put('contractMonths', request.contractMonths);
  put('title', request.title);
  put('preparedFor', request.preparedFor);
  return fields;
}

/** What a line has beside its fields, as an earlier quote had it. */
export function alsoOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text || '{}');
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    return {};
  }
}

function present(values: Record<string, string | number | undefined>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

const UNITS: Record<string, number> = { k: 3, m: 6, g: 9, b: 9 };

/** `1,200,000`, `1 200 000` and `1.2 M` as `1200000`; what is no such count stays, and is told. */
function countOf(text: string): string {
  if (/^\d{1,3}(?:[,\s_’'\u202f]\d{3})+$/u.test(text)) return text.replaceAll(/\D/g, '');
  const [, whole = '', decimals = '', unit] = /^(\d{1,9})(?:\.(\d{1,9}))?\s*([kmgb])$/i.exec(text) ?? [];
  const digits = UNITS[unit?.toLowerCase() ?? ''];
  if (digits === undefined || decimals.length > digits) return text;
  return `${whole}${decimals.padEnd(digits, '0')}`.replace(/^0+(?=\d)/, '');
}

function shareOf(text: string | undefined): string | undefined {
  const percent = text?.replace(/\s*%$/, '');
  if (percent === undefined || !PERCENT.test(percent))
    return percent === undefined ? undefined : `${percent} %`;
  return formatDecimal(parseDecimal(percent, PERCENT_DIGITS), PERCENT_DIGITS + 2);
}

function percentOf(share: string | undefined): string | undefined {
  return share === undefined
    ? undefined
    : formatDecimal(parseDecimal(share, PERCENT_DIGITS + 2), PERCENT_DIGITS);
}
