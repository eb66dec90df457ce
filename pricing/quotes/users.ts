import { formatPico } from '../money.ts';
import { nearestNames } from '../near-names.ts';
import { Refusal } from '../refusal.ts';
import { bucketOf } from '../usage/tokens.ts';
import type { UsageGroup } from './answer.ts';
import type { MeasuredUsers, UsageBasis } from './ground.ts';
import type { ObservedUsers, QuoteFacts } from './question.ts';
import {
  LEAST_ACTIVE_DAYS,
  LEAST_ACTIVE_USERS,
  measureUsers,
  type Percentiles,
  perUserMonth,
  type UserDistribution,
} from './range.ts';
import { withLargestRequest } from './requests.ts';
import { withUntold } from './untold.ts';
import { mergeUsage, type QuoteUsage, scaleUsage } from './usage.ts';
import { drawTogether } from './users-range.ts';

/** Users of the last so many days are who is active now. */
export const OBSERVED_DAYS = 30;
const DAY_MS = 86_400_000;

/**
 * What so many users of each feature would use in 30 days, as ours did: never a guess.
 * @throws Refusal UNKNOWN_FEATURE with near names; NOT_ENOUGH_DATA with what there is and what is needed
 */
export function measureActiveUsers(
  { window, features, usedFeatures }: ObservedUsers,
  { priceBook, at, untold }: Pick<QuoteFacts, 'priceBook' | 'at' | 'untold'>,
): {
  groups: UsageGroup[];
  rangeReason: string | null;
  basis: Pick<UsageBasis, 'from' | 'to' | 'activeUsers'>;
} {
  const groups: UsageGroup[] = [];
  const shown: MeasuredUsers[] = [];
  const means: { count: bigint; distribution: UserDistribution }[] = [];
  for (const [index, { feature, count, users: observed, firstUsedAt }] of features.entries()) {
    if (firstUsedAt === null) throw unknownFeature(index, feature, usedFeatures);
    const dayCount = Math.ceil((window.end.getTime() - firstUsedAt.getTime()) / DAY_MS);
    refuseTooLittle(index, feature, observed.length, dayCount);
    const users = observed.map((rows) => withUntold(toUsage(rows, feature), untold));
    const { distribution, range } = measureUsers(users, { count, dayCount, book: priceBook, at });
    const all = withLargestRequest(mergeUsage(users.flat()), priceBook);
    groups.push({ usage: scaleUsage(all, perUserMonth(count, users.length, dayCount)), range });
    means.push({ count, distribution });
    shown.push({
      feature,
      count: String(count),
      sampleUserCount: users.length,
      sampleDayCount: dayCount,
      tokensPerUserMonth: show(distribution.tokens, String),
      costPerUserMonth: distribution.cost === null ? null : show(distribution.cost, formatPico),
    });
  }
  const isPriced = means.every(({ distribution }) => distribution.cost !== null);
  const ranges = drawTogether(
    groups.flatMap(({ range }, place) => {
      const { count, distribution } = means[place] ?? {};
      const mean = (isPriced ? distribution?.cost : distribution?.tokens)?.mean ?? 0n;
      return range === null ? [] : [{ range, expected: Number((count ?? 0n) * mean) }];
    }),
  );
  const hasRange = ranges.length === groups.length;
  return {
    groups: groups.map(({ usage }, place) => ({ usage, range: hasRange ? (ranges[place] ?? null) : null })),
    rangeReason: hasRange ? null : 'too_few_users_for_a_range',
    basis: { from: window.start.toISOString(), to: window.end.toISOString(), activeUsers: shown },
  };
}

function toUsage(rows: ObservedUsers['features'][number]['users'][number], feature: string): QuoteUsage[] {
  return mergeUsage(
    rows.map(({ model, deployment, tokenType, tokenCount }) => ({
      model,
      feature,
      deployment,
      tokens: bucketOf(tokenType, tokenCount),
    })),
  );
}

function refuseTooLittle(index: number, feature: string, userCount: number, dayCount: number): void {
  if (userCount >= LEAST_ACTIVE_USERS && dayCount >= LEAST_ACTIVE_DAYS) return;
  throw new Refusal(
    `"${feature}" had ${userCount} active ${userCount === 1 ? 'user' : 'users'} over ${dayCount} ${dayCount === 1 ? 'day' : 'days'}; a measured distribution needs at least ${LEAST_ACTIVE_USERS} users over ${LEAST_ACTIVE_DAYS} days.`,
    {
      code: 'NOT_ENOUGH_DATA',
      field: `activeUsers.${index}.feature`,
      fix: 'Give usage in tokens, or name a customer to be like.',
    },
  );
}

function unknownFeature(index: number, feature: string, used: readonly string[]): Refusal {
  const named = used.filter((name) => name !== '');
  const near = nearestNames(named, feature);
  const list = near.length > 0 ? near : named.slice(0, 20);
  return new Refusal(
    `Nobody used the feature ${JSON.stringify(feature)} in the last ${OBSERVED_DAYS} days.`,
    {
      code: 'UNKNOWN_FEATURE',
      field: `activeUsers.${index}.feature`,
      fix:
        list.length === 0
          ? 'No feature was used in that time.'
          : `${near.length > 0 ? 'Near names' : 'Features in use'}: ${list.join(', ')}.`,
    },
  );
}

function show(values: Percentiles, format: (value: bigint) => string) {
  return { p50: format(values.p50), p90: format(values.p90), mean: format(values.mean) };
}
