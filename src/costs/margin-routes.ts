import { createRoute, z } from '@hono/zod-openapi';
import { type Conversions, conversionFor, costInMinor } from '../../pricing/exchange/rates.ts';
import { formatPico, formatPicoMinor } from '../../pricing/money.ts';
import { type MarginSums, unknownPercent } from '../../pricing/rating/margin.ts';
import { openTo } from '../identity/require-scope.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';
import { decodeCursor, takePage } from '../platform/http/cursor.ts';
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
import { ConversionSchema, showConversion } from './exchange/schemas.ts';
import { readFeatureUserCosts } from './margin-queries.ts';
import { type MarginRow, readMarginSums, sumByCurrency } from './margin-sums.ts';
import { readCostCompleteness } from './queries.ts';
import { countDueRevenues } from './revenues/rate-revenues.ts';
import { readRollupScope } from './rollups/scope.ts';
import { readDayWindow } from './window.ts';

const FigureSchema = z.object({ amount: AmountSchema.nullable(), reason: z.string().nullable() });
const figureFields = {
  currency: z.string(),
  tokenCount: TokenCountSchema,
  revenue: FigureSchema.openapi({
    description:
      'By the customer’s rates of today, each token at the average of its calendar month; null while a rate is missing.',
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
    dueRevenueCount: CountSchema.openapi({
      description: 'Months of customers, of any window, whose revenue waits to be rated (again).',
    }),
    customers: z.array(z.object({ customerId: z.string(), ...figureFields })).openapi({
      description: 'A page. Revenue as /v1/costs has it: of a whole month what its invoice lines charge.',
    }),
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
    const after = cursor === undefined ? null : decodeCursor(cursor, 2);
    const now = clock.now();
    const { customers, features, users, dueDayCount, dueRevenueCount, conversions } = await readSnapshot(
      database,
      async (snapshot) => {
        const scope = await readRollupScope(snapshot, { window, filter: {}, now });
        return {
          customers: await readMarginSums(snapshot, scope, 'customer'),
          features: await readMarginSums(snapshot, scope, 'feature'),
          conversions: scope.conversions,
          users: Map.groupBy(await readFeatureUserCosts(snapshot, window), (entry) => entry.feature),
          dueDayCount: (await readCostCompleteness(snapshot, window)).dueDayCount,
          dueRevenueCount: await countDueRevenues(snapshot),
        };
      },
    );
    const left = after === null ? customers : customers.filter((row) => comesAfter(row, after));
    const { page, nextCursor } = takePage(left.slice(0, limit + 1), limit, keysOf);
    const showFigures = (sums: MarginSums, currency: string) => figuresOf(sums, currency, conversions);
    return context.json(
      {
        asOf: now.toISOString(),
        dueDayCount: String(dueDayCount),
        dueRevenueCount: String(dueRevenueCount),
        customers: page.map(({ value, currency, sums }) => ({
          customerId: value,
          ...showFigures(sums, currency),
        })),
        features: features.map(({ value: feature, currency, sums }) => {
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
        totals: sumByCurrency(customers).map(({ currency, sums }) => showFigures(sums, currency)),
        nextCursor,
      },
      200,
    );
  });
}

const keysOf = ({ value, currency }: MarginRow): string[] => [value, currency];

/** In the order of the rows, which is that of bytes. */
function comesAfter(row: MarginRow, [value = '', currency = '']: readonly string[]): boolean {
  const order = (one: string, other: string) => Buffer.compare(Buffer.from(one), Buffer.from(other));
  return (order(row.value, value) || order(row.currency, currency)) > 0;
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
