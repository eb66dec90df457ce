import { createRoute, z } from '@hono/zod-openapi';
import { IMPORT_FORMATS } from '../../pricing/feeds/import.ts';
import { diffPrices, type PriceState } from '../../pricing/prices/book-diff.ts';
import { priceTable } from '../../pricing/prices/csv.ts';
import { PRICE_FILE_FORMATS } from '../../pricing/prices/file.ts';
import { DEPLOYMENT_TYPES, PRICE_KINDS } from '../../pricing/prices/rows.ts';
import { formatPriceYaml } from '../../pricing/prices/yaml.ts';
import { openTo } from '../identity/require-scope.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';
import { ValidationError } from '../platform/errors.ts';
import { answerCsv, CSV_FIELDS } from '../platform/http/csv.ts';
import { type Api, type ApiDependencies, actorOf } from '../platform/http/dependencies.ts';
import { jsonContent, problems, textSchema } from '../platform/http/schemas.ts';
import { readTextBody } from '../platform/http/text-body.ts';
import { readPriceBook } from './book.ts';
import { importPriceFile } from './file-import.ts';
import { PriceImportSchema, showPriceImport } from './import-schemas.ts';
import { PriceSchema, readInstantQuery } from './schemas.ts';

const flag = z.enum(['true', 'false']).optional();
const format = z.enum(PRICE_FILE_FORMATS);

const ImportQuery = z.strictObject({
  format: z.enum(IMPORT_FORMATS).optional().openapi({ description: 'Else as the content says.' }),
  from: z.string().max(40).optional().openapi({
    description: 'From when on rows hold that name no date (2026-12-01); else since ever.',
  }),
  listedAt: z.string().max(10).optional().openapi({
    description: 'The day of the list (2026-12-01), for rows that name none.',
  }),
  dryRun: flag,
  supersede: flag.openapi({ description: 'true: rows may correct rows of the same key and effectiveFrom.' }),
  addModels: flag.openapi({ description: 'true: rows may bring in models that the book does not know.' }),
  reason: textSchema(1_000).optional(),
});

const ExportQuery = z.strictObject({
  format: format.default('yaml'),
  version: z.string().max(100).optional(),
  ...CSV_FIELDS,
});

const DiffQuery = z.strictObject({
  from: z.string().max(100).openapi({ description: 'An instant (2026-01-31), or a version (7).' }),
  to: z.string().max(100).openapi({ description: 'Of the same sort as from.' }),
});

const PriceDiffSchema = z
  .object({
    from: z.string(),
    to: z.string(),
    versions: z.object({ from: z.string(), to: z.string() }),
    differences: z.array(
      z.object({
        model: z.string(),
        deploymentType: z.enum(DEPLOYMENT_TYPES),
        region: z.string(),
        tokenType: z.enum(PRICE_KINDS),
        before: PriceSchema.nullable(),
        after: PriceSchema.nullable(),
        changePercent: z.string().nullable(),
      }),
    ),
  })
  .openapi('PriceDiff');

const PriceFileContent = { schema: { type: 'string' as const, description: 'See docs/pricing.md.' } };

/** Adds `POST /v1/prices/import`, `GET /v1/prices/export` and `GET /v1/prices/diff`. */
export function addPriceFileRoutes(api: Api, dependencies: ApiDependencies): void {
  const { database, clock } = dependencies;
  const reading = {
    method: 'get' as const,
    tags: ['Pricing'],
    ...openTo(dependencies, 'sales', 'finance'),
  };

  const importRoute = createRoute({
    method: 'post',
    path: '/v1/prices/import',
    tags: ['Pricing'],
    summary:
      'Import prices: a file of the book, a table by model, the map of LiteLLM or a price sheet of Azure',
    description:
      'Every bad line is told, and then nothing is applied. What of a list was not understood is in `notTaken`.',
    ...openTo(dependencies, 'finance'),
    request: {
      query: ImportQuery,
      body: {
        required: true,
        content: {
          'application/yaml': PriceFileContent,
          'text/csv': PriceFileContent,
          'application/json': PriceFileContent,
        },
      },
    },
    responses: {
      200: jsonContent(PriceImportSchema, 'Nothing was applied: a dry run, or the book holds all of it.'),
      201: jsonContent(PriceImportSchema, 'A new version of the book.'),
      ...problems(413, 422),
    },
  });
  api.openapi(importRoute, async (context) => {
    const query = context.req.valid('query');
    const result = await importPriceFile(database, {
      text: await readTextBody(context),
      ...(query.format === undefined ? {} : { format: query.format }),
      ...(query.from === undefined ? {} : { from: query.from }),
      ...(query.listedAt === undefined ? {} : { listedAt: query.listedAt }),
      meterRows: (await dependencies.readMeterRows?.()) ?? [],
      supersede: query.supersede === 'true',
      addModels: query.addModels === 'true',
      dryRun: query.dryRun === 'true',
      reason: query.reason ?? 'Import of a price file.',
      actor: actorOf(context),
      now: clock.now(),
    });
    return context.json(showPriceImport(result), result.changeId === null ? 200 : 201);
  });

  const exportRoute = createRoute({
    ...reading,
    path: '/v1/prices/export',
    summary: 'The price book as YAML, or its rows as CSV; imported again it changes nothing',
    request: { query: ExportQuery },
    responses: {
      200: {
        description: 'The file.',
        content: { 'application/yaml': { schema: z.string() }, 'text/csv': { schema: z.string() } },
      },
      ...problems(404),
    },
  });
  api.openapi(exportRoute, async (context) => {
    const query = context.req.valid('query');
    const { data } = await readPriceBook(database, versionOf(query.version));
    return query.format === 'csv'
      ? answerCsv(context, priceTable(data.prices))
      : context.text(formatPriceYaml(data), 200, { 'Content-Type': 'application/yaml; charset=utf-8' });
  });

  const diffRoute = createRoute({
    ...reading,
    path: '/v1/prices/diff',
    summary: 'Prices that differ between two instants, or between two versions of the book',
    request: { query: DiffQuery },
    responses: {
      200: jsonContent(PriceDiffSchema, 'Only what differs.'),
      ...problems(404),
    },
  });
  api.openapi(diffRoute, async (context) => {
    const { from, to } = context.req.valid('query');
    const { before, after } = await readSnapshot(database, async (snapshot) => ({
      before: await readState(snapshot, 'from', from),
      after: await readState(snapshot, 'to', to),
    }));
    if ((before.at === undefined) !== (after.at === undefined)) {
      throw new ValidationError('to', 'is of another sort than from', 'Give two instants, or two versions.');
    }
    return context.json(
      {
        from,
        to,
        versions: { from: before.book.version, to: after.book.version },
        differences: diffPrices(before, after),
      },
      200,
    );
  });
}

/** A plus sign in a query that nobody escaped is a space. */
function versionOf(version: string | undefined): { version?: string } {
  return version === undefined ? {} : { version: version.replaceAll(' ', '+') };
}

async function readState(database: LedgerDatabase, field: string, text: string): Promise<PriceState> {
  const isInstant = /^\d{4}-\d\d-\d\d(?:$|T)/.test(text);
  if (isInstant) return { book: await readPriceBook(database), at: readInstantQuery(field, text) };
  return { book: await readPriceBook(database, versionOf(text)) };
}
