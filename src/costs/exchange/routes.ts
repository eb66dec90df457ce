import { createRoute, z } from '@hono/zod-openapi';
import { openTo } from '../../identity/require-scope.ts';
import { decodeCursor, invalidCursor, takePage } from '../../platform/http/cursor.ts';
import { type Api, type ApiDependencies, actorOf } from '../../platform/http/dependencies.ts';
import { CurrencySchema, jsonContent, PAGE_FIELDS, problems } from '../../platform/http/schemas.ts';
import { readTextBody } from '../../platform/http/text-body.ts';
import { importExchangeRates, listExchangeRates } from './rates.ts';

const flag = z.enum(['true', 'false']).optional();
const RateSchema = z
  .object({
    day: z.string().openapi({ example: '2026-11-27' }),
    base: z.string().openapi({ example: 'eur' }),
    currency: z.string().openapi({ example: 'usd' }),
    rate: z
      .string()
      .openapi({ description: 'So many units of the currency were one of the base.', example: '1.0842' }),
    source: z.string().openapi({ example: 'ECB' }),
  })
  .openapi('ExchangeRate');
const ImportSchema = z
  .object({
    dryRun: z.boolean(),
    addedCount: z.int(),
    supersededCount: z.int(),
    unchangedCount: z.int(),
  })
  .openapi('ExchangeRateImport');

/** Adds `GET /v1/exchange-rates` and `POST /v1/exchange-rates/import`. */
export function addExchangeRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const listRoute = createRoute({
    method: 'get',
    path: '/v1/exchange-rates',
    tags: ['Costs'],
    summary: 'Exchange rates by day, the newest first: what costs are converted by for other currencies',
    ...openTo(dependencies, 'sales', 'finance'),
    request: { query: z.strictObject({ currency: CurrencySchema.optional(), ...PAGE_FIELDS }) },
    responses: {
      200: jsonContent(
        z.object({ rates: z.array(RateSchema), nextCursor: z.string().nullable() }).openapi('ExchangeRates'),
        'A page.',
      ),
      ...problems(),
    },
  });
  api.openapi(listRoute, async (context) => {
    const { currency, cursor, limit } = context.req.valid('query');
    const after = cursor === undefined ? null : readCursor(cursor);
    const found = await listExchangeRates(database, { currency: currency ?? null, after, limit: limit + 1 });
    const { page, nextCursor } = takePage(found, limit, (last) => [last.day, last.base, last.currency]);
    return context.json({ rates: page, nextCursor }, 200);
  });

  const importRoute = createRoute({
    method: 'post',
    path: '/v1/exchange-rates/import',
    tags: ['Costs'],
    summary:
      'Import exchange rates from CSV, or the file of the European Central Bank as it is; all of it or nothing',
    ...openTo(dependencies, 'finance'),
    request: {
      query: z.strictObject({
        dryRun: flag,
        supersede: flag.openapi({ description: 'true: rates may correct those of the same day.' }),
        allowAbsurd: flag.openapi({
          description: 'true: more than twice, or less than half, of the day before is right.',
        }),
      }),
      body: {
        required: true,
        content: { 'text/csv': { schema: { type: 'string' as const, description: 'See docs/pricing.md.' } } },
      },
    },
    responses: {
      200: jsonContent(ImportSchema, 'Nothing was applied: a dry run, or all of it is stored.'),
      201: jsonContent(ImportSchema, 'Imported.'),
      ...problems(413),
    },
  });
  api.openapi(importRoute, async (context) => {
    const query = context.req.valid('query');
    const dryRun = query.dryRun === 'true';
    const result = await importExchangeRates(database, {
      text: await readTextBody(context),
      supersede: query.supersede === 'true',
      allowAbsurd: query.allowAbsurd === 'true',
      dryRun,
      actor: actorOf(context),
      now: clock.now(),
    });
    const isChanged = !dryRun && result.addedCount + result.supersededCount > 0;
    return context.json({ dryRun, ...result }, isChanged ? 201 : 200);
  });
}

function readCursor(cursor: string) {
  const [day = '', base = '', currency = ''] = decodeCursor(cursor, 3);
  if (!/^\d{4}-\d{2}-\d{2}$/.test(day) || Number.isNaN(Date.parse(day))) throw invalidCursor();
  return { day, base, currency };
}
