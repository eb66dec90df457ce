import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { readLinkKeys } from '../identity/links/keys.ts';
import type { KnownLink } from '../identity/links/links.ts';
import { openTo } from '../identity/require-scope.ts';
import { readSnapshot } from '../platform/database/snapshot.ts';
import { answerCsv, CSV_FIELDS, wantsCsv } from '../platform/http/csv.ts';
import { decodeCursor, invalidCursor, takePage } from '../platform/http/cursor.ts';
import {
  type Api,
  type ApiDependencies,
  type ApiEnvironment,
  actorOf,
} from '../platform/http/dependencies.ts';
import { IdentifierSchema, jsonBody, jsonContent, PAGE_FIELDS, problems } from '../platform/http/schemas.ts';
import { type Acceptance, readAcceptance } from './acceptance.ts';
import { quoteTable } from './csv.ts';
import { addQuoteLinkRoute } from './link-routes.ts';
import { ensureQuoteLink, findQuoteLink, quoteAddress } from './links.ts';
import { makeQuote } from './make.ts';
import { getQuote, listQuotes, type StoredQuote } from './quotes.ts';
import { addQuoteRecomputeRoute } from './recompute.ts';
import { QuoteRequestSchema } from './request-schema.ts';
import { QuoteListSchema, QuoteResultSchema, type StoredQuoteBody } from './schemas.ts';

const QuoteParams = z.object({
  quoteId: z
    .string()
    .regex(/^quote_[A-Za-z0-9_-]{16,64}(?:\.csv)?$/)
    .openapi({ description: 'With .csv behind it, the answer is CSV.' }),
});

/** Adds `POST /v1/quotes`, `GET /v1/quotes` and `GET /v1/quotes/{quoteId}`. */
export function addQuoteRoutes(api: Api, dependencies: ApiDependencies): void {
  const common = { tags: ['Billing'], ...openTo(dependencies, 'sales', 'finance') };

  const postRoute = createRoute({
    ...common,
    method: 'post',
    path: '/v1/quotes',
    summary: 'What would this usage cost us, and bring us?',
    request: { body: jsonBody(QuoteRequestSchema) },
    responses: {
      201: jsonContent(QuoteResultSchema, 'The quote, stored for good.'),
      ...problems(404, 413, 422),
    },
  });
  api.openapi(postRoute, async (context) => {
    const made = await makeQuote(dependencies, context.req.valid('json'), actorOf(context));
    // The text is written already, and typed as such; the schema is that of what was written.
    return (await answerText(dependencies, context, { ...made, acceptance: null, link: null }, 201)) as never;
  });

  const listRoute = createRoute({
    ...common,
    method: 'get',
    path: '/v1/quotes',
    summary: 'Stored quotes, the newest first',
    request: {
      query: z.strictObject({
        customerId: IdentifierSchema.optional(),
        createdBy: IdentifierSchema.optional().openapi({ description: 'As quotes say it.' }),
        ...PAGE_FIELDS,
      }),
    },
    responses: { 200: jsonContent(QuoteListSchema, 'A page.'), ...problems() },
  });
  api.openapi(listRoute, async (context) => {
    const { cursor, limit, ...filter } = context.req.valid('query');
    const after = cursor === undefined ? null : decodeCursor(cursor, 2);
    if (after !== null && Number.isNaN(Date.parse(after[0] ?? ''))) throw invalidCursor();
    const found = await listQuotes(dependencies.database, { ...filter, after, limit: limit + 1 });
    const { page, nextCursor } = takePage(found, limit, (last) => [
      last.createdAt.toISOString(),
      last.quoteId,
    ]);
    return context.json(
      {
        quotes: page.map((quote) => ({
          ...quote,
          createdAt: quote.createdAt.toISOString(),
          validUntil: quote.validUntil?.toISOString() ?? null,
          acceptedAt: quote.acceptedAt?.toISOString() ?? null,
        })),
        nextCursor,
      },
      200,
    );
  });

  const getRoute = createRoute({
    ...common,
    method: 'get',
    path: '/v1/quotes/{quoteId}',
    summary: 'A stored quote, as it was given; JSON, or CSV with Accept: text/csv',
    request: { params: QuoteParams, query: z.strictObject(CSV_FIELDS) },
    responses: {
      200: {
        description: 'The quote.',
        content: { 'application/json': { schema: QuoteResultSchema }, 'text/csv': { schema: z.string() } },
      },
      ...problems(404),
    },
  });
  api.openapi(getRoute, async (context) => {
    const { quoteId } = context.req.valid('param');
    // Made at its first use, which writes: before the snapshot opens.
    await readLinkKeys(dependencies);
    const { stored, acceptance, link } = await readSnapshot(dependencies.database, async (snapshot) => {
      const stored = await getQuote(snapshot, quoteId.replace('.csv', ''));
      return {
        stored,
        acceptance: await readAcceptance(snapshot, stored.quoteId),
        link: await findQuoteLink(snapshot, stored.quoteId),
      };
    });
    if (quoteId.endsWith('.csv') || wantsCsv(context)) {
      const quote = JSON.parse(stored.resultText) as StoredQuoteBody;
      return answerCsv(context, quoteTable(quote), stored.quoteId);
    }
    return await answerText(dependencies, context, { ...stored, acceptance, link }, 200);
  });
  addQuoteRecomputeRoute(api, dependencies);
  addQuoteLinkRoute(api, dependencies);
}

/** The stored text with the link to the page, which is not stored in it, and who accepted it. */
async function answerText(
  dependencies: ApiDependencies,
  context: Context<ApiEnvironment>,
  stored: Pick<StoredQuote, 'quoteId' | 'resultText' | 'customerId' | 'validUntil'> & {
    acceptance: Acceptance | null;
    /** Null: it is made now, at its first telling. */
    link: KnownLink | null;
  },
  status: 200 | 201,
): Promise<Response> {
  const { quoteId, resultText, acceptance } = stored;
  const origin = dependencies.settings?.publicUrl ?? new URL(context.req.url).origin;
  const made = { madeBy: actorOf(context), known: stored.link };
  const link = await ensureQuoteLink(dependencies, stored, made);
  const address = quoteAddress(await readLinkKeys(dependencies), link, origin);
  const accepted =
    acceptance === null
      ? null
      : {
          acceptedBy: acceptance.acceptedBy,
          acceptedAt: acceptance.acceptedAt.toISOString(),
          offerHash: acceptance.offerHash,
        };
  const more = `"acceptance":${JSON.stringify(accepted)},"pageUrl":${JSON.stringify(address)}`;
  return context.body(`${resultText.slice(0, -1)},${more}}`, status, {
    'Content-Type': 'application/json',
    Location: `/v1/quotes/${quoteId}`,
  });
}
