import { addMs, DAY_MS } from '../../../src/platform/clock.ts';
import { TallystickError } from '../../../src/platform/errors.ts';
import { type AskApi, askEveryPage } from '../../../src/platform/terminal/frame.ts';
import type { DemoSettings } from '../settings.ts';

/** The last whole calendar month of the traffic; all of its days where it has none. Half-open. */
export interface LookedAt {
  from: string;
  to: string;
  /** `October 2026`, or `28 Sept to 2 Oct 2026`. */
  name: string;
}

interface CustomerMargin {
  customerId: string;
  currency: string;
  tokenCount: string;
  revenue: { amount: string | null };
  knownCost: string;
  knownMargin: { amount: string | null };
}

interface CostOf {
  day: string;
  customerId: string | null;
  feature: string;
  model: string;
  tokenCount: string;
  knownCost: string;
}

export interface LookedAtClose {
  invoiceId: string;
  customerName: string;
  state: string;
  currency: string;
  total: string | null;
  steps: { state: string; at: string; note: string | null }[];
}

/** All that is looked at, as the API says it. Amounts are decimal text. */
export interface FirstLookFacts {
  lookedAt: LookedAt;
  customers: CustomerMargin[];
  /** A row for each day, customer, feature and model. */
  costs: CostOf[];
  closes: LookedAtClose[];
  /** As the gateway counted them; null: nobody experiments. */
  experiments: { passedCallCount: number; stoppedCallCount: number } | null;
}

/** A quote for usage of a feature, were it to run on another model. */
export interface SwapQuote {
  feature: string;
  model: string;
  /** USD. */
  cost: string;
  pageUrl: string;
}

/** Months whose closes are looked at one by one are small. */
const MOST_CLOSES = 100;

export async function gatherFirstLook(
  ask: AskApi,
  settings: DemoSettings,
): Promise<Omit<FirstLookFacts, 'experiments'>> {
  const lookedAt = chooseWindow(settings);
  const window = { from: lookedAt.from, to: lookedAt.to, limit: '1000' };
  const margins = await ask<{ customers: CustomerMargin[] }>(
    'GET',
    `/v1/margins?${new URLSearchParams(window)}`,
  );
  const costs = await askEveryPage<{ rows: CostOf[]; nextCursor: string | null }>(
    ask,
    '/v1/costs',
    new URLSearchParams({ ...window, groupBy: 'day,customer,feature,model' }),
  );
  const { closes } = await ask<{ closes: LookedAtClose[] }>('GET', `/v1/closes?limit=${MOST_CLOSES}`);
  const withSteps: LookedAtClose[] = [];
  for (const close of closes) {
    const { steps } = await ask<{ steps: LookedAtClose['steps'] }>(
      'GET',
      `/v1/closes/${encodeURIComponent(close.invoiceId)}`,
    );
    withSteps.push({ ...close, steps });
  }
  return { lookedAt, customers: margins.customers, costs: costs.rows, closes: withSteps };
}

interface TokensOf {
  model: string;
  tokenType: string;
  tokenCount: string;
}

/**
 * What a feature's usage would cost on another model, as a quote with a page.
 * @returns null where that has no answer: the model lacks a price, say
 */
export async function quoteSwap(
  ask: AskApi,
  { feature, from, to, lookedAt }: { feature: string; from: string; to: string; lookedAt: LookedAt },
): Promise<SwapQuote | null> {
  const { rows } = await askEveryPage<{ rows: TokensOf[]; nextCursor: string | null }>(
    ask,
    '/v1/usage',
    new URLSearchParams({
      from: lookedAt.from,
      to: lookedAt.to,
      granularity: 'month',
      groupBy: 'feature,model,tokenType',
      feature,
      model: from,
      limit: '1000',
    }),
  );
  const sumOf = (tokenType: string) =>
    rows
      .filter((row) => row.tokenType === tokenType)
      .reduce((sum, { tokenCount }) => sum + BigInt(tokenCount), 0n);
  const [prompt, cached, completion] = [sumOf('prompt'), sumOf('prompt_cached'), sumOf('completion')];
  try {
    const quote = await ask<{ totals: { cost: { amount: string | null } }; pageUrl: string }>(
      'POST',
      '/v1/quotes',
      {
        usage: [
          {
            model: to,
            feature,
            promptTokenCount: String(prompt + cached),
            cachedPromptTokenCount: String(cached),
            completionTokenCount: String(completion),
          },
        ],
      },
    );
    const { amount } = quote.totals.cost;
    return amount === null ? null : { feature, model: to, cost: amount, pageUrl: quote.pageUrl };
  } catch (error) {
    if (error instanceof TallystickError && error.code !== 'INTERNAL') return null;
    throw error;
  }
}

function chooseWindow({ startMs, dayCount }: DemoSettings): LookedAt {
  const end = addMs(new Date(startMs), dayCount * DAY_MS);
  const monthEnd = Date.UTC(end.getUTCFullYear(), end.getUTCMonth(), 1);
  const monthStart = Date.UTC(end.getUTCFullYear(), end.getUTCMonth() - 1, 1);
  const say = (instant: number | Date, options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', ...options }).format(instant);
  if (monthStart >= startMs) {
    return {
      from: new Date(monthStart).toISOString(),
      to: new Date(monthEnd).toISOString(),
      name: say(monthStart, { month: 'long', year: 'numeric' }),
    };
  }
  const last = addMs(end, -DAY_MS);
  const short = { day: 'numeric', month: 'short' } as const;
  return {
    from: new Date(startMs).toISOString(),
    to: end.toISOString(),
    name: `${say(startMs, short)} to ${say(last, { ...short, year: 'numeric' })}`,
  };
}
