import { createRoute, z } from '@hono/zod-openapi';
import { readLinkKeys } from '../identity/links/keys.ts';
import { openTo } from '../identity/require-scope.ts';
import { type Api, type ApiDependencies, actorOf } from '../platform/http/dependencies.ts';
import { InstantSchema, jsonContent, problems } from '../platform/http/schemas.ts';
import { makeQuoteLink, quoteAddress } from './links.ts';

const QuoteLinkSchema = z
  .object({
    linkId: z.string().openapi({ description: 'To withdraw it by.' }),
    url: z.url(),
    expiresAt: InstantSchema,
  })
  .openapi('QuoteLink');

/** Adds `POST /v1/quotes/{quoteId}/links`. */
export function addQuoteLinkRoute(api: Api, dependencies: ApiDependencies): void {
  const route = createRoute({
    tags: ['Billing'],
    ...openTo(dependencies, 'sales', 'finance'),
    method: 'post',
    path: '/v1/quotes/{quoteId}/links',
    summary:
      "Makes another link to a quote's page, which is its pageUrl from now on; it expires with the quote",
    request: { params: z.object({ quoteId: z.string().regex(/^quote_[A-Za-z0-9_-]{16,64}$/) }) },
    responses: { 201: jsonContent(QuoteLinkSchema, 'The link.'), ...problems(404, 409) },
  });
  api.openapi(route, async (context) => {
    const link = await makeQuoteLink(dependencies, context.req.valid('param').quoteId, actorOf(context));
    const origin = dependencies.settings?.publicUrl ?? new URL(context.req.url).origin;
    const url = quoteAddress(await readLinkKeys(dependencies), link, origin) ?? '';
    return context.json({ linkId: link.linkId, url, expiresAt: link.expiresAt.toISOString() }, 201);
  });
}
