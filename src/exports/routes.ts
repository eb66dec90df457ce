import { createRoute, z } from '@hono/zod-openapi';
import { readDayWindow } from '../costs/window.ts';
import { openTo } from '../identity/require-scope.ts';
import { type Api, type ApiDependencies, DEFAULT_API_SETTINGS } from '../platform/http/dependencies.ts';
import { IdentifierSchema, problems } from '../platform/http/schemas.ts';
import { answerStream } from '../platform/http/stream.ts';
import { usageWindowFields } from '../usage/hours/window.ts';
import { DEFAULT_FOCUS_VERSION, FOCUS_VERSIONS } from './focus/columns.ts';
import { beginFocusExport, EXPORT_FORMATS, FOCUS_PERSPECTIVES } from './focus/export.ts';

const MEDIA_TYPES = {
  csv: 'text/csv; charset=utf-8; header=present',
  parquet: 'application/vnd.apache.parquet',
} as const;

/** Adds `GET /v1/exports/focus`. */
export function addExportRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock, settings = DEFAULT_API_SETTINGS } = dependencies;
  const route = createRoute({
    method: 'get',
    path: '/v1/exports/focus',
    tags: ['Costs'],
    summary: 'Cost and usage by day and customer in the FinOps Open Cost and Usage Specification (FOCUS)',
    ...openTo(dependencies, 'sales', 'finance'),
    request: {
      query: z.strictObject({
        ...usageWindowFields,
        version: z.enum(FOCUS_VERSIONS).default(DEFAULT_FOCUS_VERSION),
        format: z.enum(EXPORT_FORMATS).default('csv'),
        perspective: z.enum(FOCUS_PERSPECTIVES).default('costs').openapi({
          description: '`costs`: what the cloud costs us. `invoices`: what we invoiced.',
        }),
        customerId: IdentifierSchema.optional(),
      }),
    },
    responses: {
      200: {
        description:
          'Every charge of the window, as of one instant. `Tallystick-Due-Days`: days that wait to be rated (again); `Tallystick-Unknown-Cost-Tokens`: tokens whose charge is 0 because nobody knows what they cost (`x_CostUnknownReason`); `Tallystick-Unread-Invoices`: final invoices whose lines the ledger does not have yet.',
        content: {
          'text/csv': { schema: z.string() },
          'application/vnd.apache.parquet': { schema: z.string().openapi({ format: 'binary' }) },
        },
      },
      ...problems(),
    },
  });
  api.openapi(route, async (context) => {
    const { from, to, period, ...request } = context.req.valid('query');
    const window = readDayWindow({ from, to, period });
    const { billingAccount: account, focusSellerName: sellerName } = settings;
    const { summary, parts } = await beginFocusExport(database, {
      window,
      account,
      sellerName,
      now: clock.now(),
      ...request,
    });
    const days = [window.start, window.end].map((instant) => instant.toISOString().slice(0, 10));
    return await answerStream(context, parts, {
      'Content-Type': MEDIA_TYPES[request.format],
      'Content-Disposition': `attachment; filename="focus-${request.perspective}-${days.join('-')}.${request.format}"`,
      'Tallystick-Due-Days': String(summary.dueDayCount),
      'Tallystick-Unknown-Cost-Tokens': String(summary.unknownCostTokenCount),
      'Tallystick-Unread-Invoices': String(summary.unreadInvoiceCount),
    });
  });
}
