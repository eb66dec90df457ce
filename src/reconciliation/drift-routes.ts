import { createRoute, z } from '@hono/zod-openapi';
import { TOKEN_TYPES } from '../../pricing/usage/shape.ts';
import { openTo } from '../identity/require-scope.ts';
import { addMs, HOUR_MS } from '../platform/clock.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';
import { answerWholeCsv, CSV_DESCRIPTION, CSV_FIELDS, wantsCsv } from '../platform/http/csv.ts';
import { decodeCursor, invalidCursor, takePage } from '../platform/http/cursor.ts';
import type { Api, ApiDependencies } from '../platform/http/dependencies.ts';
import {
  IdentifierSchema,
  InstantSchema,
  PAGE_FIELDS,
  problems,
  TokenCountSchema,
} from '../platform/http/schemas.ts';
import { HeldMetricSchema, readHeldMetrics, showHeldMetric } from '../usage/collection/held-metrics.ts';
import { readWindow, usageWindowFields } from '../usage/hours/window.ts';
import { DRIFT_REPORT_CLASSES, type DriftRow, readDriftReport } from './drift-report.ts';
import { checkDriftWindow } from './drift-window.ts';

const DriftQuerySchema = z.strictObject({
  ...usageWindowFields,
  customerId: IdentifierSchema.optional(),
  show: z
    .enum(['differing', 'all'], { error: 'must be differing or all' })
    .default('differing')
    .openapi({ description: '`differing` leaves out the rows in which source and bill agree.' }),
  ...PAGE_FIELDS,
  ...CSV_FIELDS,
});

const DriftRowSchema = z
  .object({
    windowStart: InstantSchema,
    windowEnd: InstantSchema,
    customerId: z.string().nullable().openapi({ description: 'null for subjects of no customer.' }),
    tokenType: z.enum(TOKEN_TYPES),
    source: TokenCountSchema.openapi({ description: 'Collected, also what is in quarantine.' }),
    metered: TokenCountSchema.openapi({ description: 'What OpenMeter held when it was last read.' }),
    invoiced: TokenCountSchema.openapi({ description: 'On final invoices.' }),
    awaitingInvoice: TokenCountSchema.openapi({
      description:
        'What Stripe acknowledged and no final invoice has yet, less or more what its sums were read to differ.',
    }),
    due: TokenCountSchema,
    quarantined: TokenCountSchema.openapi({ description: 'Waiting with a reason.' }),
    uninvoiced: TokenCountSchema.openapi({
      description: 'Delivered, and on no invoice: `GET /v1/uninvoiced` says why.',
    }),
    writtenOff: TokenCountSchema.openapi({ description: 'Given up by a person.' }),
    difference: TokenCountSchema.openapi({
      description:
        'source - invoiced - awaitingInvoice - due - quarantined - uninvoiced - writtenOff: what nothing in the ledger accounts for.',
    }),
    class: z.enum(DRIFT_REPORT_CLASSES).nullable().openapi({ description: 'null: all agree.' }),
    since: InstantSchema.nullable(),
  })
  .openapi('DriftRow');

const DriftSchema = z
  .object({
    asOf: InstantSchema,
    rows: z.array(DriftRowSchema),
    unknownMetrics: z.array(HeldMetricSchema).openapi({
      description:
        'Of the whole window: metrics that nobody knows, whose tokens wait and are in no row, for what they are part of is not known.',
    }),
    nextCursor: z.string().nullable(),
  })
  .openapi('Drift');

const CSV_COLUMNS = Object.keys(DriftRowSchema.shape) as (keyof z.output<typeof DriftRowSchema>)[];

/** Adds `GET /v1/drift`: telemetry against meter against bill. */
export function addDriftRoutes(api: Api, dependencies: ApiDependencies): void {
  const route = createRoute({
    method: 'get',
    path: '/v1/drift',
    tags: ['Pipeline'],
    summary:
      'Where the tokens of each customer, hour and token type are, from source to invoice, and why they differ',
    ...openTo(dependencies, 'finance'),
    request: { query: DriftQuerySchema },
    responses: {
      200: {
        description: `A page. ${CSV_DESCRIPTION}`,
        content: { 'application/json': { schema: DriftSchema }, 'text/csv': { schema: z.string() } },
      },
      ...problems(),
    },
  });

  api.openapi(route, async (context) => {
    const { from, to, period, customerId, show, cursor, limit } = context.req.valid('query');
    const window = readWindow({ from, to, period });
    checkDriftWindow(window);
    const whose = { window, customerId: customerId ?? null };
    if (wantsCsv(context)) {
      return await answerWholeCsv<DriftRow>(
        context,
        dependencies.database,
        CSV_COLUMNS,
        (snapshot, after, most) =>
          readDriftReport(snapshot, { ...whose, withAgreeing: show === 'all', after, limit: most }),
        (row) => {
          const shown = showDriftRow(row);
          return CSV_COLUMNS.map((column) => shown[column]);
        },
      );
    }
    const { found, held } = await readSnapshot(dependencies.database, async (snapshot) => ({
      held: await readHeldMetrics(snapshot, whose),
      found: await readDriftReport(snapshot, {
        ...whose,
        withAgreeing: show === 'all',
        after: cursor === undefined ? null : readCursor(cursor),
        limit: limit + 1,
      }),
    }));
    const { page, nextCursor } = takePage(found, limit, (last) => [
      last.windowStart.toISOString(),
      last.customerId,
      last.tokenType,
    ]);
    return context.json(
      {
        asOf: dependencies.clock.now().toISOString(),
        rows: page.map(showDriftRow),
        unknownMetrics: held.map(showHeldMetric),
        nextCursor,
      },
      200,
    );
  });
}

function readCursor(cursor: string) {
  const [windowStart = '', customerId = '', tokenType = ''] = decodeCursor(cursor, 3);
  if (Number.isNaN(Date.parse(windowStart))) throw invalidCursor();
  return { windowStart: new Date(windowStart), customerId, tokenType };
}

/** A row as the API and the command line show it. */
function showDriftRow(row: DriftRow): z.output<typeof DriftRowSchema> {
  return {
    windowStart: row.windowStart.toISOString(),
    windowEnd: addMs(row.windowStart, HOUR_MS).toISOString(),
    customerId: row.customerId === '' ? null : row.customerId,
    tokenType: row.tokenType,
    source: String(row.source),
    metered: String(row.metered),
    invoiced: String(row.invoiced),
    awaitingInvoice: String(row.awaitingInvoice),
    due: String(row.due),
    quarantined: String(row.quarantined),
    uninvoiced: String(row.uninvoiced),
    writtenOff: String(row.writtenOff),
    difference: String(row.difference),
    class: row.driftClass,
    since: row.since?.toISOString() ?? null,
  };
}
