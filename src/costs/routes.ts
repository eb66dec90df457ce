import { createRoute, z } from '@hono/zod-openapi';
import { formatPico } from '../../pricing/money.ts';
import { openTo } from '../identity/require-scope.ts';
import { type LedgerSnapshot, readSnapshot } from '../platform/database/snapshot.ts';
import { answerWholeCsv, CSV_DESCRIPTION, CSV_FIELDS, wantsCsv } from '../platform/http/csv.ts';
import { decodeCursor, takePage } from '../platform/http/cursor.ts';
import type { Api, ApiDependencies } from '../platform/http/dependencies.ts';
import { groupBySchema } from '../platform/http/group-by.ts';
import {
  AmountSchema,
  IdentifierSchema,
  InstantSchema,
  PAGE_FIELDS,
  problems,
  TokenCountSchema,
  textSchema,
} from '../platform/http/schemas.ts';
import { usageWindowFields } from '../usage/hours/window.ts';
import {
  COST_DIMENSIONS,
  type CostDimension,
  type CostFilter,
  type CostRow,
  type CostTotals,
  queryCosts,
  readCostCompleteness,
  readCostTotals,
  readIdleCosts,
} from './queries.ts';
import { readDayWindow } from './window.ts';

const CostQuerySchema = z.strictObject({
  ...usageWindowFields,
  groupBy: groupBySchema(COST_DIMENSIONS, { default: 'day', least: 1, example: 'day,customer' }),
  customerId: IdentifierSchema.optional(),
  model: textSchema(512).min(1).optional(),
  feature: textSchema(512).min(1).optional(),
  deployment: textSchema(512).min(1).optional(),
  ...PAGE_FIELDS,
  ...CSV_FIELDS,
});

const totalsFields = {
  tokenCount: TokenCountSchema,
  cost: AmountSchema.nullable().openapi({
    description: 'USD. null while the price of some of the tokens is unknown; knownCost is of the others.',
  }),
  knownCost: AmountSchema.openapi({ description: 'USD.' }),
  tokenCost: AmountSchema.openapi({ description: 'Of knownCost: priced by the token.' }),
  provisionedCost: AmountSchema.openapi({ description: 'Of knownCost: shares of bought capacity.' }),
  unknown: z.array(z.object({ reason: z.string(), tokenCount: TokenCountSchema })).openapi({
    description:
      'Tokens without a known cost. audio_not_told, image_not_told: they have a price of their own, and the source did not say how many there are. cache_writes_not_told, with no tokens: nobody counted what was written to the cache, and knownCost is without it.',
  }),
};

const CostRowSchema = z
  .object({
    day: z.string().optional(),
    customerId: z.string().nullable().optional(),
    model: z.string().optional(),
    feature: z.string().optional(),
    deployment: z.string().optional(),
    ...totalsFields,
  })
  .openapi('CostRow');
type ShownRow = z.output<typeof CostRowSchema>;

const CostsSchema = z
  .object({
    asOf: InstantSchema,
    currency: z.literal('usd'),
    dueDayCount: z.string().openapi({ description: 'Days of the window that wait to be rated (again).' }),
    ratedDayCount: z.string(),
    priceBookVersions: z.array(z.string()),
    totals: z.object({
      ...totalsFields,
      overhead: AmountSchema.openapi({ description: 'USD; bought capacity that nobody is charged for.' }),
    }),
    overhead: z
      .array(z.object({ deployment: z.string(), cost: AmountSchema }))
      .openapi({ description: 'By deployment. Filters do not apply: it is nobody’s.' }),
    rows: z.array(CostRowSchema),
    nextCursor: z.string().nullable(),
  })
  .openapi('Costs');
export type CostsBody = z.output<typeof CostsSchema>;

/** Adds `GET /v1/costs`: what usage cost us. */
export function addCostRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database } = dependencies;
  const route = createRoute({
    method: 'get',
    path: '/v1/costs',
    tags: ['Costs'],
    summary:
      'What usage cost us by day, customer, model, feature or deployment; JSON, or CSV with Accept: text/csv',
    ...openTo(dependencies, 'sales', 'finance'),
    request: { query: CostQuerySchema },
    responses: {
      200: {
        description: `A page, and the totals of the whole window. ${CSV_DESCRIPTION}`,
        content: { 'application/json': { schema: CostsSchema }, 'text/csv': { schema: z.string() } },
      },
      ...problems(),
    },
  });

  api.openapi(route, async (context) => {
    const { from, to, period, groupBy, cursor, limit, ...filters } = context.req.valid('query');
    const window = readDayWindow({ from, to, period });
    const after = cursor === undefined ? null : decodeCursor(cursor, groupBy.length);
    const filter = {
      window,
      ...(filters.customerId === undefined ? {} : { customerId: filters.customerId }),
      ...(filters.model === undefined ? {} : { model: filters.model }),
      ...(filters.feature === undefined ? {} : { feature: filters.feature }),
      ...(filters.deployment === undefined ? {} : { deployment: filters.deployment }),
    };
    const keysOf = ({ dimensions }: CostRow) => groupBy.map((name) => dimensions[name] ?? '');
    if (wantsCsv(context)) {
      return await answerWholeCsv<CostRow>(
        context,
        database,
        csvColumns(groupBy),
        (snapshot, last, most) =>
          queryCosts(snapshot, { ...filter, groupBy, after: last && keysOf(last), limit: most }),
        (row) => csvCells(showRow(row), groupBy),
      );
    }
    const { found, whole } = await readSnapshot(database, async (snapshot) => ({
      found: await queryCosts(snapshot, { ...filter, groupBy, after, limit: limit + 1 }),
      whole: await readWhole(snapshot, filter),
    }));
    const { page, nextCursor } = takePage(found, limit, keysOf);
    const { completeness, idle, totals } = whole;
    const overhead = idle.reduce((sum, { costPicoUsd }) => sum + costPicoUsd, 0n);
    return context.json(
      {
        asOf: dependencies.clock.now().toISOString(),
        currency: 'usd' as const,
        dueDayCount: String(completeness.dueDayCount),
        ratedDayCount: String(completeness.ratedDayCount),
        priceBookVersions: completeness.priceBookVersions,
        totals: { ...showTotals(totals), overhead: formatPico(overhead) },
        overhead: idle.map(({ deployment, costPicoUsd }) => ({ deployment, cost: formatPico(costPicoUsd) })),
        rows: page.map(showRow),
        nextCursor,
      },
      200,
    );
  });
}

/** What is said of the window as a whole. */
async function readWhole(snapshot: LedgerSnapshot, filter: CostFilter) {
  return {
    completeness: await readCostCompleteness(snapshot, filter.window),
    idle: await readIdleCosts(snapshot, filter.window),
    totals: await readCostTotals(snapshot, filter),
  };
}

function showRow({ dimensions: { customer, ...others }, ...totals }: CostRow): ShownRow {
  return {
    ...others,
    ...(customer === undefined ? {} : { customerId: customer === '' ? null : customer }),
    ...showTotals(totals),
  };
}

function showTotals(totals: CostTotals) {
  const known = totals.tokenCostPicoUsd + totals.provisionedCostPicoUsd;
  return {
    tokenCount: String(totals.tokenCount),
    cost: totals.unknown.length > 0 ? null : formatPico(known),
    knownCost: formatPico(known),
    tokenCost: formatPico(totals.tokenCostPicoUsd),
    provisionedCost: formatPico(totals.provisionedCostPicoUsd),
    unknown: totals.unknown.map(({ reason, tokenCount }) => ({ reason, tokenCount: String(tokenCount) })),
  };
}

const CSV_FIGURES = ['tokenCount', 'cost', 'knownCost', 'tokenCost', 'provisionedCost'] as const;

function csvNames(groupBy: readonly CostDimension[]) {
  return groupBy.map((dimension) => (dimension === 'customer' ? 'customerId' : dimension));
}

function csvColumns(groupBy: readonly CostDimension[]): string[] {
  return [...csvNames(groupBy), ...CSV_FIGURES, 'unknownTokens'];
}

function csvCells(row: ShownRow, groupBy: readonly CostDimension[]): (string | null)[] {
  return [
    ...csvNames(groupBy).map((name) => row[name] ?? null),
    ...CSV_FIGURES.map((figure) => row[figure]),
    row.unknown.map(({ reason, tokenCount }) => `${reason}:${tokenCount}`).join(' '),
  ];
}
