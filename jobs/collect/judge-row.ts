import { FIGURE_BY_KIND } from '../../pricing/usage/minutes.ts';
import { countedText } from '../../pricing/usage/names.ts';
import type { CountingRule } from '../../pricing/usage/providers.ts';
import { DIMENSION_NAMES, FIGURE_NAMES, FIGURES, type TokenKind } from '../../pricing/usage/shape.ts';
import type { SourceRow } from '../../src/azure/source.ts';
import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';

const TOKEN_KIND_BY_METRIC = new Map<string, TokenKind>(
  FIGURE_NAMES.flatMap((name) => {
    const { metricNames, tokenKind } = FIGURES[name];
    return tokenKind === null ? [] : metricNames.map((metricName) => [metricName, tokenKind] as const);
  }),
);

/** Azure's metrics store ends a name or value at 256 characters; longer ones are nobody's user ID. */
const DIMENSION_LENGTH_LIMIT = 256;
/** Azure replaces times more than a day ahead by the receipt time; an hour of clock skew is forgiven. */
const AHEAD_LIMIT_MS = DAY_MS + HOUR_MS;
/** Older than Stripe takes usage; Azure itself replaces times over two days old. */
const BEHIND_LIMIT_MS = 35 * DAY_MS;
/**
 * More tokens than a row can hold: a thousand million a second for its minute. It keeps an hour's sum far
 * below 2^53, where OpenMeter's float64 sums would no longer be counts and the hour could never settle.
 */
const TOKEN_COUNT_LIMIT = 60_000_000_000n;

/**
 * A metric that nobody knows and that counted nothing: gateways emit every category they have, most of them as 0. It is
 * noted by its name (`noted-metrics.ts`) and is no item; as soon as it counts something, that waits.
 */
export function isNoted(row: SourceRow): boolean {
  return row.fault === undefined && !TOKEN_KIND_BY_METRIC.has(row.metricName) && readInteger(row.sum) === 0n;
}

export interface Judgement {
  tokenKind: TokenKind;
  tokenCount: bigint;
  requestCount: bigint;
  countsApart: boolean;
  quarantineReason: string | null;
  /** The counts as they were told, where they are none that can be counted. */
  quarantineDetail: string | null;
}

/** What is known of a row beside what it says. */
export interface RowContext {
  /** The tenant that its subject was first seen with, if any. */
  knownTenant: string | undefined;
  /** How the maker of its model counts; null: nobody named the maker. */
  rule: CountingRule | null;
}

/**
 * Decides whether a source row can be metered. A row that cannot keeps its tokens as far as they can be
 * counted, and the reason.
 */
export function judgeRow(row: SourceRow, { knownTenant, rule }: RowContext): Judgement {
  const tokenKind = TOKEN_KIND_BY_METRIC.get(row.metricName) ?? 'unknown';
  const tokenCount = readInteger(row.sum);
  const requestCount = readInteger(row.itemCount);
  const figure = FIGURE_BY_KIND.get(tokenKind);
  const isCount = isCountable(tokenCount) && isCountable(requestCount);
  return {
    tokenKind,
    // A negative count is nobody's tokens: added up, it would hide as many that wait beside it. Detail and row tell it.
    tokenCount: isCountable(tokenCount) ? tokenCount : 0n,
    requestCount: isCountable(requestCount) ? requestCount : 0n,
    countsApart: figure !== undefined && rule?.apart.includes(figure) === true,
    quarantineReason:
      findFault(row, tokenKind, tokenCount, requestCount, knownTenant) ??
      (rule === null ? 'no_provider' : null),
    quarantineDetail: isCount ? null : sayCounts(row),
  };
}

function isCountable(count: bigint | null): count is bigint {
  return count !== null && count >= 0n;
}

/** Cut where nobody reads on: the row keeps them whole. JSON tells text from numbers, and escapes what Postgres cannot keep. */
function sayCounts({ sum, itemCount }: SourceRow): string {
  const say = (value: number | string | null) =>
    typeof value === 'number' ? String(value) : JSON.stringify(value).slice(0, 60).toWellFormed();
  return `${say(sum)} tokens of ${say(itemCount)} measurements as told, counted as none`;
}

function findFault(
  row: SourceRow,
  tokenKind: TokenKind,
  tokenCount: bigint | null,
  requestCount: bigint | null,
  knownTenant: string | undefined,
): string | null {
  if (row.fault !== undefined) return row.fault;
  if (tokenKind === 'unknown') return 'unknown_metric';
  if (tokenCount === null || requestCount === null) return 'not_an_integer';
  if (tokenCount < 0n || requestCount < 0n) return 'negative';
  if (tokenCount > TOKEN_COUNT_LIMIT || requestCount > TOKEN_COUNT_LIMIT) return 'absurd_count';
  if (row.eventTime === null || Number.isNaN(row.eventTime.getTime())) return 'no_time';
  const ageMs = row.ingestedAt.getTime() - row.eventTime.getTime();
  // OpenMeter says 204 to an event from before 1970, and it is never seen there.
  const isBefore1970 = row.eventTime.getTime() < 0;
  if (isBefore1970 || ageMs < -AHEAD_LIMIT_MS || ageMs > BEHIND_LIMIT_MS) return 'absurd_time';
  if (row.subject.trim() === '') return 'no_subject';
  if (countedText('model', row.model) === '') return 'no_model';
  if (someDimension(row, (text) => text.length > DIMENSION_LENGTH_LIMIT)) return 'dimension_too_long';
  if (someDimension(row, (text) => text.includes('\u0000') || !text.isWellFormed()))
    return 'unreadable_dimension';
  if (knownTenant !== undefined && row.tenantKey !== '' && row.tenantKey !== knownTenant)
    return 'tenant_mismatch';
  return null;
}

function someDimension(row: SourceRow, isSo: (text: string) => boolean): boolean {
  return isSo(row.tenantKey) || DIMENSION_NAMES.some((name) => isSo(row[name]));
}

/** An integer that is exact, or null: metric sums are reals, and above 2^53 they are no longer counts. */
function readInteger(value: number | string | null): bigint | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : null;
  if (typeof value === 'string' && /^-?\d{1,18}(\.0+)?$/.test(value))
    return BigInt(value.split('.')[0] ?? '');
  return null;
}
