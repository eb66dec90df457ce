import { createRoute, z } from '@hono/zod-openapi';
import { formatPico } from '../../pricing/money.ts';
import { openTo } from '../identity/require-scope.ts';
import { type LedgerSnapshot, readSnapshot } from '../platform/database/snapshot.ts';
import { answerWholeCsv, CSV_DESCRIPTION, CSV_FIELDS, wantsCsv } from '../platform/http/csv.ts';
import { decodeCursor, decodeIdCursor, encodeCursor } from '../platform/http/cursor.ts';
import type { Api, ApiDependencies } from '../platform/http/dependencies.ts';
import { groupBySchema } from '../platform/http/group-by.ts';
import {
  AmountSchema,
  IdentifierSchema,
  InstantSchema,
  PAGE_FIELDS,
  problems,
  textSchema,
} from '../platform/http/schemas.ts';
import { usageWindowFields } from '../usage/hours/window.ts';
import { readCostCompleteness, readIdleCosts } from './queries.ts';
import { countDueRevenues } from './revenues/rate-revenues.ts';
import { type Comparison, readComparison } from './rollups/comparison.ts';
import { rollupCells, rollupColumns } from './rollups/csv.ts';
import {
  ROLLUP_DIMENSIONS,
  ROLLUP_SORTS,
  type RollupDimension,
  type RollupQuery,
  type RollupRow,
} from './rollups/query.ts';
import { readRollupRows } from './rollups/rows.ts';
import { rollupFields } from './rollups/schemas.ts';
import { readRollupScope, windowBefore } from './rollups/scope.ts';
import { showFigures } from './rollups/show.ts';
import { readRollupTotals } from './rollups/totals.ts';
import { readDayWindow } from './window.ts';

const SORT_TEXTS = ROLLUP_SORTS.flatMap((name) => [name, `-${name}`] as const);

const CostQuerySchema = z.strictObject({
  ...usageWindowFields,
  groupBy: groupBySchema(ROLLUP_DIMENSIONS, { default: 'day', least: 1, example: 'day,customer' }),
  customerId: IdentifierSchema.optional(),
  model: textSchema(512).min(1).optional(),
  feature: textSchema(512).min(1).optional(),
  deployment: textSchema(512).min(1).optional(),
  user: textSchema(512).min(1).optional(),
  sort: z
    .enum(SORT_TEXTS)
    .optional()
    .openapi({ description: 'A figure, - before it: the highest first. By the dimensions when left out.' }),
  compare: z.literal('before').optional().openapi({
    description:
      'Adds costBefore: of as many days before, or of as many whole months before whole months. What was used then alone has a row, too. A window that was collected in part is compared with nothing: `comparison` says so.',
  }),
  days: z.literal('true').optional().openapi({ description: 'Adds the known cost of each day to each row.' }),
  ...PAGE_FIELDS,
  ...CSV_FIELDS,
});

const CostRowSchema = z
  .object({
    day: z.string().optional(),
    month: z.string().optional(),
    customerId: z.string().nullable().optional(),
    model: z.string().optional(),
    feature: z.string().optional(),
    deployment: z.string().optional(),
    user: z.string().optional(),
    ...rollupFields,
    days: z
      .array(z.object({ day: z.string(), knownCost: AmountSchema, unpricedTokenCount: z.string() }))
      .optional(),
  })
  .openapi('CostRow');
type ShownRow = z.output<typeof CostRowSchema>;

const CostsSchema = z
  .object({
    asOf: InstantSchema,
    currency: z.literal('usd'),
    dueDayCount: z.string().openapi({ description: 'Days of the window that wait to be rated (again).' }),
    dueRevenueCount: z.string().openapi({
      description: 'Months of customers, of any window, whose revenue waits to be rated (again).',
    }),
    ratedDayCount: z.string(),
    priceBookVersions: z.array(z.string()),
    totals: z.object({
      ...rollupFields,
      overhead: AmountSchema.openapi({ description: 'USD; bought capacity that nobody is charged for.' }),
    }),
    comparison: z
      .object({
        from: InstantSchema,
        to: InstantSchema,
        isComparable: z.boolean(),
        reason: z.literal('collected_in_part').nullable().openapi({
          description: 'Why not: usage was not collected in all of it, and costBefore is null everywhere.',
        }),
        collectedFrom: InstantSchema.nullable(),
      })
      .nullable()
      .openapi({ description: 'What `compare` compares with; null unless it is asked for.' }),
    overhead: z
      .array(z.object({ deployment: z.string(), cost: AmountSchema }))
      .openapi({ description: 'By deployment. Filters do not apply: it is nobody’s.' }),
    rows: z.array(CostRowSchema),
    rowCount: z.int().openapi({ description: 'Rows from this page on; of a sorted answer, on all pages.' }),
    nextCursor: z.string().nullable(),
  })
  .openapi('Costs');
export type CostsBody = z.output<typeof CostsSchema>;

/** Adds `GET /v1/costs`: what usage cost us and what it brings. */
export function addCostRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const route = createRoute({
    method: 'get',
    path: '/v1/costs',
    tags: ['Costs'],
    summary:
      'What usage cost us and brings, by day, month, customer, model, feature, deployment or user; JSON, or CSV with Accept: text/csv',
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
    const { from, to, period, groupBy, sort, cursor, limit, compare, days, ...named } =
      context.req.valid('query');
    const { separator: _separator, bom: _bom, ...filter } = named;
    const window = readDayWindow({ from, to, period });
    const order = readSort(sort);
    const place = readPlace(cursor, order === null ? groupBy.length : null);
    const now = clock.now();
    const comparisonOf = async (snapshot: LedgerSnapshot) =>
      compare === undefined ? null : await readComparison(snapshot, windowBefore(window));
    const queryOf = async (
      snapshot: LedgerSnapshot,
      comparison: Comparison | null,
    ): Promise<RollupQuery> => ({
      ...(await readRollupScope(snapshot, { window, filter, now })),
      groupBy,
      before: comparison?.before ?? null,
      sort: order,
      ...place,
      limit,
      withDays: days !== undefined,
    });
    if (wantsCsv(context)) {
      let offset = 0;
      return await answerWholeCsv<RollupRow>(
        context,
        database,
        rollupColumns(namesOf(groupBy)),
        async (snapshot, last, most) => {
          const query = await queryOf(snapshot, await comparisonOf(snapshot));
          const next = order === null ? { after: last && keysOf(last, groupBy) } : { offset };
          const { rows } = await readRollupRows(snapshot, {
            ...query,
            ...next,
            limit: most,
            withDays: false,
          });
          offset += rows.length;
          return rows;
        },
        (row) => rollupCells(showRow(row, false), namesOf(groupBy)),
      );
    }
    const { page, whole, comparison } = await readSnapshot(database, async (snapshot) => {
      const comparison = await comparisonOf(snapshot);
      const query = await queryOf(snapshot, comparison);
      const page = await readRollupRows(snapshot, query);
      return { page, whole: await readWhole(snapshot, query), comparison };
    });
    const last = page.rows.at(-1);
    const hasMore = place.offset + page.rows.length < page.rowCount;
    const next = order === null ? last && keysOf(last, groupBy) : [String(place.offset + page.rows.length)];
    const { completeness, idle, totals, dueRevenueCount } = whole;
    const overhead = idle.reduce((sum, { costPicoUsd }) => sum + costPicoUsd, 0n);
    return context.json(
      {
        asOf: now.toISOString(),
        currency: 'usd' as const,
        dueDayCount: String(completeness.dueDayCount),
        dueRevenueCount: String(dueRevenueCount),
        ratedDayCount: String(completeness.ratedDayCount),
        priceBookVersions: completeness.priceBookVersions,
        totals: { ...showFigures(totals), overhead: formatPico(overhead) },
        comparison: comparison && showComparison(comparison),
        overhead: idle.map(({ deployment, costPicoUsd }) => ({ deployment, cost: formatPico(costPicoUsd) })),
        rows: page.rows.map((row) => showRow(row, days !== undefined)),
        rowCount: page.rowCount,
        nextCursor: hasMore && next !== undefined ? encodeCursor(next) : null,
      },
      200,
    );
  });
}

function showComparison({ window, collectedFrom, before }: Comparison) {
  return {
    from: window.start.toISOString(),
    to: window.end.toISOString(),
    isComparable: before !== null,
    reason: before === null ? ('collected_in_part' as const) : null,
    collectedFrom: collectedFrom?.toISOString() ?? null,
  };
}

function readSort(text: (typeof SORT_TEXTS)[number] | undefined): RollupQuery['sort'] {
  const by = ROLLUP_SORTS.find((name) => text === name || text === `-${name}`);
  return by === undefined ? null : { by, descending: text !== by };
}

/** Where a page begins: after the keys of a row, or, of a sorted answer, after so many rows. @throws ValidationError */
function readPlace(
  cursor: string | undefined,
  keyCount: number | null,
): Pick<RollupQuery, 'after' | 'offset'> {
  if (cursor === undefined) return { after: null, offset: 0 };
  if (keyCount !== null) return { after: decodeCursor(cursor, keyCount), offset: 0 };
  return { after: null, offset: Number(decodeIdCursor(cursor)) };
}

/** What is said of the window as a whole. */
async function readWhole(snapshot: LedgerSnapshot, query: RollupQuery) {
  const { window, before } = query;
  return {
    completeness: await readCostCompleteness(snapshot, window),
    idle: await readIdleCosts(snapshot, window),
    totals: await readRollupTotals(snapshot, query, before),
    dueRevenueCount: await countDueRevenues(snapshot),
  };
}

function showRow({ dimensions: { customer, ...others }, days, ...figures }: RollupRow, withDays: boolean) {
  return {
    ...others,
    ...(customer === undefined ? {} : { customerId: customer === '' ? null : customer }),
    ...showFigures(figures),
    ...(withDays
      ? {
          days: days.map(({ day, knownCostPicoUsd, unpricedTokenCount }) => ({
            day,
            knownCost: formatPico(knownCostPicoUsd),
            unpricedTokenCount: String(unpricedTokenCount),
          })),
        }
      : {}),
  } satisfies ShownRow;
}

function keysOf({ dimensions }: RollupRow, groupBy: readonly RollupDimension[]): string[] {
  return groupBy.map((name) => dimensions[name] ?? '');
}

function namesOf(groupBy: readonly RollupDimension[]): string[] {
  return groupBy.map((dimension) => (dimension === 'customer' ? 'customerId' : dimension));
}
