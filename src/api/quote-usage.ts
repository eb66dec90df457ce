import { divideHalfUp, parseDecimal } from '../../pricing/money.ts';
import type { QuoteUsage } from '../../pricing/quote.ts';
import { toDisjointBuckets } from '../../pricing/tokens.ts';
import { addMs, DAY_MS, floorToHour, type TimeWindow } from '../clock.ts';
import { getCustomer } from '../ledger/customers.ts';
import { readCustomerUsageForQuote } from '../ledger/quotes.ts';
import type { ApiDependencies } from './dependencies.ts';
import type { QuoteBody, QuoteRequest } from './quote-schemas.ts';

/** "Like this customer" means its usage of this many days. */
const LIKE_CUSTOMER_DAYS = 30;
const SCALE_DIGITS = 6;

export interface QuotedUsage {
  usage: QuoteUsage[];
  basis: QuoteBody['usageBasis'];
}

/**
 * The usage a request means, in disjoint buckets.
 * @throws TallystickError UNKNOWN_CUSTOMER
 */
export async function readQuotedUsage(
  dependencies: ApiDependencies,
  request: QuoteRequest,
): Promise<QuotedUsage> {
  if (request.likeCustomer !== undefined) {
    return await copyCustomerUsage(dependencies, request.likeCustomer, request.scale ?? '1');
  }
  const usage = (request.usage ?? []).map((entry) => ({
    model: entry.model,
    feature: entry.feature,
    ...(entry.deploymentType === undefined ? {} : { deploymentType: entry.deploymentType }),
    tokens: toDisjointBuckets({
      promptTokenCount: entry.promptTokenCount,
      cachedPromptTokenCount: entry.cachedPromptTokenCount ?? 0n,
      completionTokenCount: entry.completionTokenCount,
    }),
  }));
  return { usage, basis: { kind: 'given', likeCustomer: null, from: null, to: null, scale: null } };
}

async function copyCustomerUsage(
  { database, clock }: ApiDependencies,
  customerId: string,
  scale: string,
): Promise<QuotedUsage> {
  await getCustomer(database, customerId);
  const end = floorToHour(clock.now());
  const window: TimeWindow = { start: addMs(end, -LIKE_CUSTOMER_DAYS * DAY_MS), end };
  const rows = await readCustomerUsageForQuote(database, customerId, window);
  const byKind = new Map<string, QuoteUsage & { deployment: string }>();
  for (const row of rows) {
    const key = JSON.stringify([row.model, row.feature, row.deployment]);
    const entry = byKind.get(key) ?? {
      model: row.model,
      feature: row.feature,
      deployment: row.deployment,
      tokens: { prompt: 0n, prompt_cached: 0n, completion: 0n },
    };
    // Corrections alone may sum below zero at the edge of the 30 days; a quote is for usage to come.
    entry.tokens[row.tokenType] += row.tokenCount > 0n ? scaled(row.tokenCount, scale) : 0n;
    byKind.set(key, entry);
  }
  return {
    usage: [...byKind.values()],
    basis: {
      kind: 'like_customer',
      likeCustomer: customerId,
      from: window.start.toISOString(),
      to: window.end.toISOString(),
      scale,
    },
  };
}

function scaled(tokenCount: bigint, scale: string): bigint {
  return divideHalfUp(tokenCount * parseDecimal(scale, SCALE_DIGITS), 10n ** BigInt(SCALE_DIGITS));
}
