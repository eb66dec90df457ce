import { createRoute, z } from '@hono/zod-openapi';
import { byDimension, TOKEN_TYPES } from '../../../pricing/usage/shape.ts';
import { openTo } from '../../identity/require-scope.ts';
import { readSnapshot } from '../../platform/database/snapshot.ts';
import { answerWholeCsv, CSV_DESCRIPTION, CSV_FIELDS, wantsCsv } from '../../platform/http/csv.ts';
import { decodeCursor, invalidCursor, takePage } from '../../platform/http/cursor.ts';
import type { Api, ApiDependencies } from '../../platform/http/dependencies.ts';
import { groupBySchema } from '../../platform/http/group-by.ts';
import {
  IdentifierSchema,
  InstantSchema,
  PAGE_FIELDS,
  problems,
  TokenCountSchema,
  textSchema,
} from '../../platform/http/schemas.ts';
import {
  queryUsage,
  readCompleteness,
  USAGE_DIMENSIONS,
  type UsageDimension,
  type UsageRow,
} from './queries.ts';
import { clipBucket, readWindow, usageWindowFields } from './window.ts';

const UsageQuerySchema = z.strictObject({
  ...usageWindowFields,
  granularity: z
    .enum(['hour', 'day', 'month'], { error: 'must be hour, day or month' })
    .default('day')
    .openapi({ description: 'Days and months are UTC.' }),
  groupBy: groupBySchema(USAGE_DIMENSIONS, { default: '', least: 0, example: 'model,feature' }),
  customerId: IdentifierSchema.optional(),
  ...byDimension((name) =>
    textSchema(name === 'subject' ? 4_096 : 512)
      .min(1)
      .optional(),
  ),
  ...PAGE_FIELDS,
  ...CSV_FIELDS,
});

const CountSchema = TokenCountSchema.nullable();

const UsageRowSchema = z
  .object({
    windowStart: InstantSchema,
    windowEnd: InstantSchema,
    customerId: z.string().nullable().optional(),
    ...byDimension(() => z.string().optional()),
    tokenType: z.enum(TOKEN_TYPES).optional(),
    tokenCount: TokenCountSchema,
    requestCount: CountSchema.openapi({ description: 'null when grouped by token type.' }),
    reasoningTokenCount: CountSchema.openapi({
      description: 'A part of completion, shown and never added. null when grouped by token type.',
    }),
  })
  .openapi('UsageRow');

const UsageSchema = z
  .object({
    asOf: InstantSchema,
    collectedThrough: InstantSchema.nullable().openapi({
      description: 'Up to which ingestion time the source has been collected.',
    }),
    openHourCount: z.string().openapi({
      description: 'Hours of the window that are not settled yet; their usage is missing here.',
    }),
    rows: z.array(UsageRowSchema),
    nextCursor: z.string().nullable(),
  })
  .openapi('Usage');

/** Adds `GET /v1/usage`. */
export function addUsageRoutes(api: Api, dependencies: ApiDependencies): void {
  const route = createRoute({
    method: 'get',
    path: '/v1/usage',
    tags: ['Usage'],
    summary: 'Settled tokens by hour, day or month, grouped; JSON, or CSV with Accept: text/csv',
    ...openTo(dependencies, 'finance'),
    request: { query: UsageQuerySchema },
    responses: {
      200: {
        description: `A page. ${CSV_DESCRIPTION}`,
        content: {
          'application/json': { schema: UsageSchema },
          'text/csv': { schema: z.string() },
        },
      },
      ...problems(),
    },
  });

  api.openapi(route, async (context) => {
    const { from, to, period, granularity, groupBy, cursor, limit, separator, bom, ...filter } =
      context.req.valid('query');
    const window = readWindow({ from, to, period });
    const after = cursor === undefined ? null : decodeCursor(cursor, groupBy.length + 1);
    if (after !== null && Number.isNaN(Date.parse(after[0] ?? ''))) throw invalidCursor();
    const read = { ...withoutUndefined(filter), window, granularity, groupBy };
    const show = (row: UsageRow) => showRow(row, clipBucket(row.windowStart, granularity, window));
    if (wantsCsv(context)) {
      const columns = csvColumns(groupBy);
      return await answerWholeCsv<UsageRow>(
        context,
        dependencies.database,
        columns,
        (snapshot, last, most) =>
          queryUsage(snapshot, { ...read, after: last && keysOf(last, groupBy), limit: most }),
        (row) => columns.map((column) => show(row)[column] ?? null),
      );
    }
    const { found, completeness } = await readSnapshot(dependencies.database, async (snapshot) => ({
      found: await queryUsage(snapshot, { ...read, after, limit: limit + 1 }),
      completeness: await readCompleteness(snapshot, window),
    }));
    const { page, nextCursor } = takePage(found, limit, (last) => keysOf(last, groupBy));
    return context.json(
      {
        asOf: dependencies.clock.now().toISOString(),
        collectedThrough: completeness.collectedThrough?.toISOString() ?? null,
        openHourCount: String(completeness.openHourCount),
        rows: page.map(show),
        nextCursor,
      },
      200,
    );
  });
}

function keysOf(row: UsageRow, groupBy: readonly UsageDimension[]): string[] {
  return [row.windowStart.toISOString(), ...groupBy.map((dimension) => row.dimensions[dimension] ?? '')];
}

type ShownRow = z.output<typeof UsageRowSchema>;

function showRow(row: UsageRow, window: { start: Date; end: Date }): ShownRow {
  const { customer, tokenType, ...others } = row.dimensions;
  return {
    windowStart: window.start.toISOString(),
    windowEnd: window.end.toISOString(),
    ...(customer === undefined ? {} : { customerId: customer === '' ? null : customer }),
    ...others,
    ...(tokenType === undefined ? {} : { tokenType: tokenType as NonNullable<ShownRow['tokenType']> }),
    tokenCount: String(row.tokenCount),
    requestCount: row.requestCount === null ? null : String(row.requestCount),
    reasoningTokenCount: row.reasoningTokenCount === null ? null : String(row.reasoningTokenCount),
  };
}

function csvColumns(groupBy: readonly UsageDimension[]) {
  return [
    'windowStart',
    'windowEnd',
    ...groupBy.map((dimension) => (dimension === 'customer' ? 'customerId' : dimension)),
    'tokenCount',
    'requestCount',
    'reasoningTokenCount',
  ] as (keyof ShownRow)[];
}

function withoutUndefined<Value extends object>(value: Value) {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as {
    [Name in keyof Value]: Exclude<Value[Name], undefined>;
  };
}
