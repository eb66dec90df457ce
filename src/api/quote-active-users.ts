import { formatPico } from '../../pricing/money.ts';
import { nearestNames } from '../../pricing/near-names.ts';
import type { PriceBook } from '../../pricing/price-book.ts';
import type { UsageGroup } from '../../pricing/quote-answer.ts';
import {
  LEAST_ACTIVE_DAYS,
  LEAST_ACTIVE_USERS,
  measureUsers,
  type Percentiles,
  perUserMonth,
} from '../../pricing/quote-range.ts';
import { mergeUsage, type QuoteUsage, scaleUsage } from '../../pricing/quote-usage.ts';
import { addMs, DAY_MS, floorToHour, type TimeWindow } from '../clock.ts';
import { TallystickError } from '../errors.ts';
import { type FeatureUsage, listUsedFeatures, readFeatureUsers } from '../ledger/quote-usage.ts';
import type { ApiDependencies } from './dependencies.ts';
import type { QuoteAnswerBody } from './quote-schemas.ts';

/** Users of the last so many days are who is active now. */
const OBSERVED_DAYS = 30;

type Basis = QuoteAnswerBody['usageBasis'];
type ActiveUsers = NonNullable<Basis['activeUsers']>;

/**
 * What so many users of each feature would use in 30 days, as ours did: never a guess.
 * @throws TallystickError UNKNOWN_FEATURE with near names; NOT_ENOUGH_DATA with what there is and what is needed
 */
export async function measureActiveUsers(
  { database, clock }: ApiDependencies,
  wanted: readonly { feature: string; count: bigint }[],
  { priceBook, at }: { priceBook: PriceBook; at: Date },
): Promise<{ groups: UsageGroup[]; basis: Pick<Basis, 'from' | 'to' | 'activeUsers'> }> {
  const end = floorToHour(clock.now());
  const window: TimeWindow = { start: addMs(end, -OBSERVED_DAYS * DAY_MS), end };
  const groups: UsageGroup[] = [];
  const shown: ActiveUsers = [];
  for (const [index, { feature, count }] of wanted.entries()) {
    const found = await readFeatureUsers(database, feature, window);
    if (found.firstUsedAt === null) {
      throw unknownFeature(index, feature, await listUsedFeatures(database, window));
    }
    const dayCount = Math.ceil((end.getTime() - found.firstUsedAt.getTime()) / DAY_MS);
    refuseTooLittle(index, feature, found.users.length, dayCount);
    const users = toUsers(found, feature);
    const { distribution, range } = measureUsers(users, dayCount, priceBook, at);
    const all = mergeUsage(users.flat());
    groups.push({ usage: scaleUsage(all, perUserMonth(count, users.length, dayCount)), range });
    shown.push({
      feature,
      count: String(count),
      sampleUserCount: users.length,
      sampleDayCount: dayCount,
      tokensPerUserMonth: show(distribution.tokens, String),
      costPerUserMonth: distribution.cost === null ? null : show(distribution.cost, formatPico),
    });
  }
  return {
    groups,
    basis: { from: window.start.toISOString(), to: window.end.toISOString(), activeUsers: shown },
  };
}

function toUsers({ users }: FeatureUsage, feature: string): QuoteUsage[][] {
  return users.map((rows) =>
    mergeUsage(
      rows.map(({ model, deployment, tokenType, tokenCount }) => ({
        model,
        feature,
        deployment,
        tokens: { prompt: 0n, prompt_cached: 0n, completion: 0n, [tokenType]: tokenCount },
      })),
    ),
  );
}

function refuseTooLittle(index: number, feature: string, userCount: number, dayCount: number): void {
  if (userCount >= LEAST_ACTIVE_USERS && dayCount >= LEAST_ACTIVE_DAYS) return;
  throw new TallystickError(
    `"${feature}" had ${userCount} active ${userCount === 1 ? 'user' : 'users'} over ${dayCount} ${dayCount === 1 ? 'day' : 'days'}; a measured distribution needs at least ${LEAST_ACTIVE_USERS} users over ${LEAST_ACTIVE_DAYS} days.`,
    {
      code: 'NOT_ENOUGH_DATA',
      retry: false,
      context: { field: `activeUsers.${index}.feature` },
      fix: 'Give usage in tokens, or name a customer to be like.',
    },
  );
}

function unknownFeature(index: number, feature: string, used: readonly string[]): TallystickError {
  const named = used.filter((name) => name !== '');
  const near = nearestNames(named, feature);
  const list = near.length > 0 ? near : named.slice(0, 20);
  return new TallystickError(
    `Nobody used the feature ${JSON.stringify(feature)} in the last ${OBSERVED_DAYS} days.`,
    {
      code: 'UNKNOWN_FEATURE',
      retry: false,
      context: { field: `activeUsers.${index}.feature` },
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
