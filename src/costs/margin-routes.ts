import { createRoute, z } from '@hono/zod-openapi';
import { type Conversions, conversionFor, costInMinor } from '../../pricing/exchange/rates.ts';
import { formatPico, formatPicoMinor } from '../../pricing/money.ts';
import {
  addSums,
  type MarginSums,
  NO_SUMS,
  rateMargins,
  unknownPercent,
} from '../../pricing/rating/margin.ts';
import { openTo } from '../identity/require-scope.ts';
import { CustomerRateReader } from '../plans/customer-rates.ts';
import type { TimeWindow } from '../platform/clock.ts';
import { type LedgerSnapshot, readSnapshot } from '../platform/database/snapshot.ts';
import { encodeCursor, readTextCursor } from '../platform/http/cursor.ts';
import type { Api, ApiDependencies } from '../platform/http/dependencies.ts';
import {
  AmountSchema,
  InstantSchema,
  jsonContent,
  PAGE_FIELDS,
  problems,
  TokenCountSchema,
} from '../platform/http/schemas.ts';
import { usageWindowFields } from '../usage/hours/window.ts';
import { readConversions } from './exchange/rates.ts';
import { ConversionSchema, showConversion } from './exchange/schemas.ts';
import { readFeatureUserCosts, readMarginCustomers, readMarginUsage } from './margin-queries.ts';
import { readCostCompleteness } from './queries.ts';
import { readDayWindow } from './window.ts';

/** Customers whose usage is in memory at once. */
const BATCH_SIZE = 200;

const FigureSchema = z.object({ amount: AmountSchema.nullable(), reason: z.string().nullable() });
const figureFields = {
  currency: z.string(),
  tokenCount: TokenCountSchema,
  revenue: FigureSchema.openapi({
    description: 'By the customer’s rates of today; null while a rate is missing.',
  }),
  unratedTokenCount: TokenCountSchema,
  cost: FigureSchema.openapi({ description: 'USD, as it is rated; null while a price is missing.' }),
  knownCost: AmountSchema,
  unknownCostTokenCount: TokenCountSchema,
  margin: FigureSchema,
  knownMargin: FigureSchema.openapi({
    description: 'Of the tokens whose revenue and cost are known; the margin itself where all are.',
  }),
  unknownTokenPercent: z.string().nullable().openapi({
    description: 'Tokens that are not in `knownMargin`; rounded up, null without tokens.',
  }),
  exchange: ConversionSchema.nullable().openapi({
    description:
      'What cost was converted by for the margins; null: it is in the currency, or there is no rate.',
  }),
};
const CountSchema = z.string().regex(/^\d+$/);
const MarginsSchema = z
  .object({
    asOf: InstantSchema,
    dueDayCount: CountSchema.openapi({ description: 'Days of the window that wait to be rated (again).' }),
    customers: z
      .array(z.object({ customerId: z.string(), ...figureFields }))
      .openapi({ description: 'A page. Revenue as invoices of calendar months round it.' }),
    features: z.array(
      z.object({
        feature: z.string(),
        ...figureFields,
        activeUsers: z.object({
          count: CountSchema,
          unknownCostCount: CountSchema.openapi({ description: 'In no percentile.' }),
          costP50: AmountSchema.nullable().openapi({ description: 'USD for an active user in the window.' }),
          costP90: AmountSchema.nullable(),
        }),
      }),
    ),
    totals: z.array(z.object(figureFields)).openapi({ description: 'One for each currency; never mixed.' }),
    nextCursor: z.string().nullable(),
  })
  .openapi('Margins');
export type MarginsBody = z.output<typeof MarginsSchema>;

/** Adds `GET /v1/margins`: what customers and features bring beside what they cost. */
export function addMarginRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const route = createRoute({
    method: 'get',
    path: '/v1/margins',
    tags: ['Costs'],
    summary: 'Revenue beside cost by customer and by feature, and what an active user of a feature costs',
    ...openTo(dependencies, 'sales', 'finance'),
    request: {
      query: z.strictObject({
        ...usageWindowFields,
        ...PAGE_FIELDS,
      }),
    },
    responses: { 200: jsonContent(MarginsSchema, 'The margins.'), ...problems() },
  });
  api.openapi(route, async (context) => {
    const { cursor, limit, ...named } = context.req.valid('query');
    const window = readDayWindow(named);
    const after = readTextCursor(cursor);
    const now = clock.now();
    const { collected, users, dueDayCount, conversions } = await readSnapshot(database, async (snapshot) => {
      const collected = await collectMargins(snapshot, window, { after, limit });
      return {
        collected,
        conversions: await readConversions(snapshot, {
          window,
          currencies: collected.totals.map(({ currency }) => currency),
          now,
        }),
        users: Map.groupBy(await readFeatureUserCosts(snapshot, window), (entry) => entry.feature),
        dueDayCount: (await readCostCompleteness(snapshot, window)).dueDayCount,
      };
    });
    const showFigures = (sums: MarginSums, currency: string) => figuresOf(sums, currency, conversions);
    return context.json(
      {
        asOf: now.toISOString(),
        dueDayCount: String(dueDayCount),
        customers: collected.page.map(({ customerId, currency, sums }) => ({
          customerId,
          ...showFigures(sums, currency),
        })),
        features: collected.features.map(({ feature, currency, sums }) => {
          const [found] = users.get(feature) ?? [];
          const orNull = (picoUsd: bigint | null | undefined) =>
            picoUsd == null ? null : formatPico(picoUsd);
          return {
            feature,
            ...showFigures(sums, currency),
            activeUsers: {
              count: String(found?.activeUserCount ?? 0n),
              unknownCostCount: String(found?.unknownUserCount ?? 0n),
              costP50: orNull(found?.p50PicoUsd),
              costP90: orNull(found?.p90PicoUsd),
            },
          };
        }),
        totals: collected.totals.map(({ currency, sums }) => showFigures(sums, currency)),
        nextCursor: collected.nextCustomer === null ? null : encodeCursor([collected.nextCustomer]),
      },
      200,
    );
  });
}

interface CollectedMargins {
  page: { customerId: string; currency: string; sums: MarginSums }[];
  features: { feature: string; currency: string; sums: MarginSums }[];
  totals: { currency: string; sums: MarginSums }[];
  nextCustomer: string | null;
}

/** Every customer once, a batch at a time and rated as it is read: a page of them is kept, and the sums of all. */
async function collectMargins(
  snapshot: LedgerSnapshot,
  window: TimeWindow,
  { after, limit }: { after: string | null; limit: number },
): Promise<CollectedMargins> {
  const rateReader = new CustomerRateReader();
  const page: CollectedMargins['page'] = [];
  const totals = new Map<string, MarginSums>();
  const features = new Map<string, { feature: string; currency: string; sums: MarginSums }>();
  let hasMore = false;
  for (let last: string | null = null; ; ) {
    const customerIds: string[] = await readMarginCustomers(snapshot, window, last, BATCH_SIZE);
    const usage = Map.groupBy(
      await readMarginUsage(snapshot, window, customerIds),
      (entry) => entry.customerId,
    );
    const rates = await rateReader.read(snapshot, customerIds);
    for (const customerId of customerIds) {
      const { currency, rates: own } = rates.get(customerId) ?? { currency: 'usd', rates: [] };
      const { total, byFeature } = rateMargins(usage.get(customerId) ?? [], own);
      totals.set(currency, addSums(totals.get(currency) ?? NO_SUMS, total));
      for (const [feature, sums] of byFeature) {
        const key = JSON.stringify([feature, currency]);
        features.set(key, {
          feature,
          currency,
          sums: addSums(features.get(key)?.sums ?? NO_SUMS, sums),
        });
      }
      if (after !== null && customerId <= after) continue;
      if (page.length < limit) page.push({ customerId, currency, sums: total });
      else hasMore = true;
    }
    last = customerIds.at(-1) ?? null;
    if (customerIds.length < BATCH_SIZE) break;
  }
  const byText = (left: string, right: string) => (left < right ? -1 : left > right ? 1 : 0);
  return {
    page,
    features: [...features.values()].sort(
      (left, right) => byText(left.feature, right.feature) || byText(left.currency, right.currency),
    ),
    totals: [...totals]
      .map(([currency, sums]) => ({ currency, sums }))
      .sort((left, right) => byText(left.currency, right.currency)),
    nextCustomer: hasMore ? (page.at(-1)?.customerId ?? null) : null,
  };
}

function figuresOf(sums: MarginSums, currency: string, conversions: Conversions) {
  const known = (amount: string) => ({ amount, reason: null });
  const unknown = (reason: string) => ({ amount: null, reason });
  const hasRevenue = sums.unratedTokenCount === 0n;
  const hasCost = sums.unknownCostTokenCount === 0n && !sums.isCostPartial;
  const conversion = conversionFor(currency, conversions);
  const less = (revenuePicoMinor: bigint, costPicoUsd: bigint) => {
    if (typeof conversion === 'string') return unknown(conversion);
    return known(formatPicoMinor(revenuePicoMinor - costInMinor(costPicoUsd, conversion), currency));
  };
  const margin = less(sums.ratedRevenuePicoMinor, sums.knownCostPicoUsd);
  return {
    currency,
    tokenCount: String(sums.tokenCount),
    revenue: hasRevenue
      ? known(formatPicoMinor(sums.ratedRevenuePicoMinor, currency))
      : unknown('no_sell_rate'),
    unratedTokenCount: String(sums.unratedTokenCount),
    cost: hasCost
      ? known(formatPico(sums.knownCostPicoUsd))
      : unknown(sums.unknownCostTokenCount > 0n ? 'no_known_cost' : 'cache_writes_not_told'),
    knownCost: formatPico(sums.knownCostPicoUsd),
    unknownCostTokenCount: String(sums.unknownCostTokenCount),
    margin: !hasRevenue ? unknown('revenue_unknown') : !hasCost ? unknown('cost_unknown') : margin,
    knownMargin: hasRevenue && hasCost ? margin : less(sums.known.revenuePicoMinor, sums.known.costPicoUsd),
    unknownTokenPercent: unknownPercent(
      sums.tokenCount,
      hasRevenue && hasCost ? sums.tokenCount : sums.known.tokenCount,
    ),
    exchange: showConversion(conversion),
  };
}
