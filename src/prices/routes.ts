import { createRoute, z } from '@hono/zod-openapi';
import { rowOfCells } from '../../pricing/prices/cells.ts';
import { resolveModel } from '../../pricing/prices/lookup.ts';
import { nearModels } from '../../pricing/prices/near-models.ts';
import type { PriceBook } from '../../pricing/prices/price-book.ts';
import { DEPLOYMENT_TYPES, type PriceRow, timelineKeyOf } from '../../pricing/prices/rows.ts';
import { openTo } from '../identity/require-scope.ts';
import { TallystickError } from '../platform/errors.ts';
import { decodeCursor, takePage } from '../platform/http/cursor.ts';
import { type Api, type ApiDependencies, actorOf } from '../platform/http/dependencies.ts';
import {
  CurrencySchema,
  IdentifierSchema,
  InstantSchema,
  jsonBody,
  jsonContent,
  PAGE_FIELDS,
  problems,
  textSchema,
} from '../platform/http/schemas.ts';
import { readPriceBook } from './book.ts';
import { changePriceBookOrRefuse } from './file-import.ts';
import { pricesInForce } from './in-force.ts';
import {
  PriceChangeSchema,
  PriceInputSchema,
  PriceSchema,
  readInstantQuery,
  reasonSchema,
  showPrice,
  showPriceChange,
} from './schemas.ts';

const PriceQuerySchema = z.strictObject({
  at: z.string().max(40).optional().openapi({
    description:
      'Prices in force at this instant (now unless said), or "all" for every row, whenever it holds.',
  }),
  version: z.string().max(100).optional().openapi({
    description: 'The book as it was after an earlier change, e.g. 7; the current one unless said.',
  }),
  model: IdentifierSchema.optional().openapi({ description: 'A model or another name of it.' }),
  deploymentType: z.enum(DEPLOYMENT_TYPES).optional(),
  ...PAGE_FIELDS,
});

const PriceListSchema = z
  .object({
    version: z.string(),
    currency: CurrencySchema,
    at: InstantSchema.nullable().openapi({ description: 'null: every row.' }),
    prices: z.array(PriceSchema),
    nextCursor: z.string().nullable(),
  })
  .openapi('PriceList');

const PriceBodySchema = z
  .strictObject({
    reason: reasonSchema,
    supersede: z.boolean().default(false).openapi({
      description:
        'Whether a row may take the place of one of the same key and effectiveFrom. Both stay on record.',
    }),
    dryRun: z.boolean().default(false),
    models: z
      .array(
        z.strictObject({ model: textSchema(256).min(1), aliases: z.array(textSchema(256).min(1)).max(100) }),
      )
      .max(500)
      .default([])
      .openapi({ description: 'New models, or all other names of known ones anew.' }),
    prices: z.array(PriceInputSchema).max(1_000).default([]),
  })
  .refine(({ prices, models }) => prices.length + models.length > 0, {
    path: ['prices'],
    error: 'must not be empty',
  })
  .openapi('PriceChangeRequest');

/** Adds `GET /v1/prices` and `POST /v1/prices`. */
export function addPriceRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const listRoute = createRoute({
    method: 'get',
    path: '/v1/prices',
    tags: ['Pricing'],
    summary: 'What Azure charges: prices in force at an instant, as known now or after an earlier change',
    ...openTo(dependencies, 'sales', 'finance'),
    request: { query: PriceQuerySchema },
    responses: {
      200: jsonContent(PriceListSchema, 'A page.'),
      ...problems(404, 422),
    },
  });
  api.openapi(listRoute, async (context) => {
    const { cursor, limit, model, deploymentType, ...asked } = context.req.valid('query');
    // A page goes on at the instant and in the version of the page before it.
    const [cursorAt, cursorVersion, after = ''] = cursor === undefined ? [] : decodeCursor(cursor, 3);
    const at = cursorAt ?? (asked.at === 'all' ? 'all' : readAt(asked.at, clock.now()).toISOString());
    const version = cursorVersion ?? asked.version?.replaceAll(' ', '+');
    const book = await readPriceBook(database, version === undefined ? {} : { version });
    const canonical = model === undefined ? null : requireModel(book, model);
    const rows = (at === 'all' ? book.data.prices : pricesInForce(book, new Date(at)).map(({ row }) => row))
      .filter((row) => canonical === null || row.model === canonical)
      .filter((row) => deploymentType === undefined || row.deploymentType === deploymentType)
      .map((row) => ({ row, key: `${timelineKeyOf(row)} ${row.effectiveFrom ?? ''}` }))
      .sort((left, right) => (left.key < right.key ? -1 : 1))
      .filter(({ key }) => key > after);
    const { page, nextCursor } = takePage(rows, limit, (last) => [at, book.version, last.key]);
    return context.json(
      {
        version: book.version,
        currency: book.currency,
        at: at === 'all' ? null : at,
        prices: page.map(({ row }) => showPrice(row)),
        nextCursor,
      },
      200,
    );
  });

  const postRoute = createRoute({
    method: 'post',
    path: '/v1/prices',
    tags: ['Pricing'],
    summary: 'Add prices, or correct them: nothing is edited, a correction supersedes',
    description: 'All or nothing. Days before now that it alters are rated again.',
    ...openTo(dependencies, 'finance'),
    request: { body: jsonBody(PriceBodySchema) },
    responses: {
      200: jsonContent(PriceChangeSchema, 'Nothing was applied: a dry run, or the book holds all of it.'),
      201: jsonContent(PriceChangeSchema, 'A new version of the book.'),
      ...problems(413, 422),
    },
  });
  api.openapi(postRoute, async (context) => {
    const { reason, supersede, dryRun, prices, models } = context.req.valid('json');
    const result = await changePriceBookOrRefuse(database, {
      change: { rows: prices.map(readPrice), models, supersede },
      kind: supersede ? 'correction' : 'add',
      reason,
      actor: actorOf(context),
      now: clock.now(),
      dryRun,
    });
    return context.json(showPriceChange(result), result.changeId === null ? 200 : 201);
  });
}

function readAt(text: string | undefined, now: Date): Date {
  return text === undefined ? now : readInstantQuery('at', text);
}

/** @throws TallystickError UNKNOWN_MODEL with near names */
function requireModel(book: PriceBook, name: string): string {
  const named = resolveModel(book, { model: name });
  if (named !== null) return named.model;
  const near = nearModels(book, name);
  throw new TallystickError(`No price is known for ${JSON.stringify(name)}.`, {
    code: 'UNKNOWN_MODEL',
    retry: false,
    context: { field: 'model' },
    fix: near.length > 0 ? `Near names: ${near.join(', ')}.` : `Known models: ${book.models.join(', ')}.`,
  });
}

/** @throws TallystickError VALIDATION */
function readPrice(input: z.output<typeof PriceInputSchema>, index: number): PriceRow {
  const { effectiveFrom, confirmed = false, ...texts } = input;
  const given = Object.entries(texts).flatMap(([field, value]) =>
    value === undefined ? [] : [[field, String(value)] as const],
  );
  const { row, problems } = rowOfCells({
    ...Object.fromEntries(given),
    effectiveFrom: effectiveFrom ?? '',
    confirmed: String(confirmed),
  });
  if (row !== null) return row;
  const errors = problems.map((problem) => ({ ...problem, field: `prices.${index}.${problem.field}` }));
  const [first] = errors;
  throw new TallystickError(`${first?.field}: ${first?.message}`, {
    code: 'VALIDATION',
    retry: false,
    context: { errors },
  });
}
