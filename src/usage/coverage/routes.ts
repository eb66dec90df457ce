import { createRoute, z } from '@hono/zod-openapi';
import type { PriceBook } from '../../../pricing/prices/price-book.ts';
import { TOKEN_TYPES } from '../../../pricing/usage/shape.ts';
import { openTo } from '../../identity/require-scope.ts';
import { DAY_MS } from '../../platform/clock.ts';
import { type LedgerSnapshot, readSnapshot } from '../../platform/database/snapshot.ts';
import { ValidationError } from '../../platform/errors.ts';
import { answerWholeCsv, CSV_DESCRIPTION, CSV_FIELDS, wantsCsv } from '../../platform/http/csv.ts';
import { decodeCursor, invalidCursor, takePage } from '../../platform/http/cursor.ts';
import type { Api, ApiDependencies } from '../../platform/http/dependencies.ts';
import { InstantSchema, PAGE_FIELDS, problems, TokenCountSchema } from '../../platform/http/schemas.ts';
import { HeldMetricSchema, readHeldMetrics, showHeldMetric } from '../collection/held-metrics.ts';
import { NotedMetricSchema, readNotedMetrics, showNotedMetric } from '../collection/noted-metrics.ts';
import { readWindow, usageWindowFields } from '../hours/window.ts';
import {
  type CoverageRow,
  type CoverageTotals,
  queryCoverage,
  readCoverageSources,
  readCoverageTotals,
} from './coverage.ts';
import { DIFFERENCE_REASONS } from './reasons.ts';
import { queryUntold } from './untold.ts';

/** The report reads every row of both sources; a month with its grace is what somebody closes. */
const MAX_WINDOW_MS = 35 * DAY_MS;

const CountSchema = z.string().regex(/^\d+$/).openapi({ description: 'A count as decimal text.' });

const SideSchema = z.object({ tokenCount: TokenCountSchema, requestCount: CountSchema });

const comparisonFields = {
  billing: SideSchema.openapi({ description: 'What the source that bills saw, quarantined or not.' }),
  control: SideSchema.nullable().openapi({ description: 'What the control saw; null where there is none.' }),
  differenceTokenCount: TokenCountSchema.nullable().openapi({
    description: 'Tokens that the source that bills saw beyond the control; negative when it saw fewer.',
  }),
  differences: z.array(
    z.object({
      reason: z.enum(DIFFERENCE_REASONS),
      requestCount: CountSchema.nullable(),
      tokenCount: TokenCountSchema.nullable().openapi({ description: 'null where no source knows.' }),
    }),
  ),
};

const SourceSchema = z.object({ source: z.string(), collectedThrough: InstantSchema }).nullable();

const CoverageSchema = z
  .object({
    asOf: InstantSchema,
    billingSource: SourceSchema,
    controlSource: SourceSchema.openapi({ description: 'null where CONTROL_SOURCE names none.' }),
    totals: z.object(comparisonFields),
    unknownMetrics: z.array(HeldMetricSchema).openapi({
      description:
        'Of the whole window: metrics that nobody knows, whose tokens wait and are in no count above.',
    }),
    notedMetrics: z
      .array(NotedMetricSchema)
      .openapi({ description: 'Of all time: rows of metrics that nobody knows, and that counted nothing.' }),
    rows: z.array(z.object({ windowStart: InstantSchema, model: z.string(), ...comparisonFields })),
    untold: z
      .array(
        z.object({
          model: z.string(),
          deployment: z.string(),
          from: InstantSchema,
          to: InstantSchema,
          parts: z.array(z.object({ tokenType: z.enum(TOKEN_TYPES), reason: z.string() })),
        }),
      )
      .openapi({
        description:
          'Of the whole window: hours in which the source that bills did not say how many tokens were of these types, which have a price of their own. Their cost is unknown for the same reason.',
      }),
    nextCursor: z.string().nullable(),
  })
  .openapi('Coverage');

export type CoverageBody = z.output<typeof CoverageSchema>;

/** Adds `GET /v1/coverage`: what each of the two sources saw, and why they differ. */
export function addCoverageRoutes(
  api: Api,
  dependencies: ApiDependencies,
  readPriceBook: (snapshot: LedgerSnapshot) => Promise<PriceBook>,
): void {
  const route = createRoute({
    method: 'get',
    path: '/v1/coverage',
    tags: ['Pipeline'],
    summary:
      'The source that bills beside the control, by hour and model; JSON, or CSV with Accept: text/csv',
    ...openTo(dependencies, 'finance'),
    request: {
      query: z.strictObject({
        ...usageWindowFields,
        ...PAGE_FIELDS,
        ...CSV_FIELDS,
      }),
    },
    responses: {
      200: {
        description: `A page, and the totals of the whole window. ${CSV_DESCRIPTION}`,
        content: {
          'application/json': { schema: CoverageSchema },
          'text/csv': { schema: z.string() },
        },
      },
      ...problems(),
    },
  });

  api.openapi(route, async (context) => {
    const { cursor, limit, ...named } = context.req.valid('query');
    const window = readWindow(named);
    if (window.end.getTime() - window.start.getTime() > MAX_WINDOW_MS) {
      throw new ValidationError('to', 'must be at most 35 days after from', 'Ask for one month at a time.');
    }
    const after = cursor === undefined ? null : readCursor(cursor);
    if (wantsCsv(context)) {
      return await answerWholeCsv<CoverageRow>(
        context,
        dependencies.database,
        CSV_COLUMNS,
        async (snapshot, last, most) =>
          await queryCoverage(snapshot, await readCoverageSources(snapshot), {
            window,
            after: last && { hour: last.windowStart, model: last.model },
            limit: most,
          }),
        (row) => csvCells(showRow(row)),
      );
    }
    const { sources, found, ...whole } = await readSnapshot(dependencies.database, async (snapshot) => {
      const sources = await readCoverageSources(snapshot);
      return {
        sources,
        found: await queryCoverage(snapshot, sources, { window, after, limit: limit + 1 }),
        totals: await readCoverageTotals(snapshot, sources, window),
        held: await readHeldMetrics(snapshot, { window }),
        noted: await readNotedMetrics(snapshot),
        untold: await queryUntold(snapshot, window, await readPriceBook(snapshot)),
      };
    });
    const { page, nextCursor } = takePage(found, limit, (last) => [
      last.windowStart.toISOString(),
      last.model,
    ]);
    const showSource = (side: typeof sources.billing) =>
      side === null ? null : { ...side, collectedThrough: side.collectedThrough.toISOString() };
    return context.json(
      {
        asOf: dependencies.clock.now().toISOString(),
        billingSource: showSource(sources.billing),
        controlSource: showSource(sources.control),
        totals: show(whole.totals),
        unknownMetrics: whole.held.map(showHeldMetric),
        notedMetrics: whole.noted.map(showNotedMetric),
        rows: page.map(showRow),
        untold: whole.untold.map(({ start, end, ...untold }) => ({
          ...untold,
          from: start.toISOString(),
          to: end.toISOString(),
        })),
        nextCursor,
      },
      200,
    );
  });
}

function readCursor(cursor: string): { hour: Date; model: string } {
  const [hour = '', model = ''] = decodeCursor(cursor, 2);
  if (Number.isNaN(Date.parse(hour))) throw invalidCursor();
  return { hour: new Date(hour), model };
}

function showRow(row: CoverageRow) {
  return { windowStart: row.windowStart.toISOString(), model: row.model, ...show(row) };
}

function show({ billing, control, differences }: CoverageTotals) {
  const side = (counts: CoverageTotals['billing']) => ({
    tokenCount: String(counts.tokenCount),
    requestCount: String(counts.requestCount),
  });
  const orNull = (count: bigint | null) => (count === null ? null : String(count));
  return {
    billing: side(billing),
    control: control === null ? null : side(control),
    differenceTokenCount: control === null ? null : String(billing.tokenCount - control.tokenCount),
    differences: differences.map(({ reason, requestCount, tokenCount }) => ({
      reason,
      requestCount: orNull(requestCount),
      tokenCount: orNull(tokenCount),
    })),
  };
}

const CSV_COLUMNS = [
  'windowStart',
  'model',
  'billingTokenCount',
  'controlTokenCount',
  'differenceTokenCount',
  'billingRequestCount',
  'controlRequestCount',
  ...DIFFERENCE_REASONS,
];

function csvCells(row: CoverageBody['rows'][number]): (string | null)[] {
  return [
    row.windowStart,
    row.model,
    row.billing.tokenCount,
    row.control?.tokenCount ?? null,
    row.differenceTokenCount,
    row.billing.requestCount,
    row.control?.requestCount ?? null,
    // Requests concerned; where only tokens are known, those.
    ...DIFFERENCE_REASONS.map((reason) => {
      const found = row.differences.find((entry) => entry.reason === reason);
      return found === undefined ? null : (found.requestCount ?? found.tokenCount ?? 'yes');
    }),
  ];
}
