import { createRoute, z } from '@hono/zod-openapi';
import { readStoredInvoice } from '../billing/invoice-lines.ts';
import { CustomerParams } from '../catalog/customer-routes.ts';
import { getCustomer } from '../catalog/customers.ts';
import { openTo } from '../identity/require-scope.ts';
import { answerCsv, CSV_FIELDS, wantsCsv } from '../platform/http/csv.ts';
import { type Api, actorOf } from '../platform/http/dependencies.ts';
import { problemResponse } from '../platform/http/problem.ts';
import { InstantSchema, jsonContent, problems } from '../platform/http/schemas.ts';
import { requireLinkOrScope } from './access.ts';
import { statementTable } from './csv.ts';
import { decideInvoiceStatement, decideStatementsSoFar } from './decide.ts';
import type { StatementDependencies } from './dependencies.ts';
import { gatherInvoiceStatement, gatherStatementSoFar } from './gather.ts';
import { DEFAULT_VALID_DAYS, MOST_VALID_DAYS, makeStatementLink, type StatementTarget } from './links.ts';
import { InvoiceIdSchema, StatementPreviewSchema, StatementSchema } from './schemas.ts';
import { showStatement, showStatementsSoFar } from './show.ts';

const InvoiceParams = z.object({ invoiceId: InvoiceIdSchema });
const LinkQuery = z.object({
  ...CSV_FIELDS,
  expires: z.string().max(12).optional().openapi({ description: 'Of a link; instead of a key.' }),
  link: z.string().max(100).optional(),
  signature: z.string().max(200).optional(),
});

const LinkRequestSchema = z
  .strictObject({
    validDays: z.int().min(1).max(MOST_VALID_DAYS).default(DEFAULT_VALID_DAYS),
  })
  .openapi('StatementLinkRequest');
const LinkSchema = z
  .object({
    linkId: z.string().openapi({ description: 'To withdraw it by.' }),
    url: z.url(),
    expiresAt: InstantSchema,
  })
  .openapi('StatementLink');

/** Adds the statements of invoices and previews under `/v1/statements`, and what makes links to their pages. */
export function addStatementRoutes(api: Api, dependencies: StatementDependencies): void {
  const common = { tags: ['Billing'], ...openTo(dependencies, 'finance') };
  const csvToo = <Schema extends z.ZodType>(schema: Schema) => ({
    200: {
      description: 'JSON, or CSV with Accept: text/csv.',
      content: { 'application/json': { schema }, 'text/csv': { schema: z.string() } },
    },
    ...problems(404, 503),
  });

  const invoiceRoute = createRoute({
    ...common,
    method: 'get',
    path: '/v1/statements/{invoiceId}',
    summary: "An invoice's usage: its lines, by day, model, feature and user; with a key or a signed link",
    middleware: [
      requireLinkOrScope(dependencies, (context) => ({ invoiceId: context.req.param('invoiceId') ?? '' })),
    ],
    request: { params: InvoiceParams, query: LinkQuery },
    responses: csvToo(StatementSchema),
  });
  api.openapi(invoiceRoute, async (context) => {
    const material = await gatherInvoiceStatement(dependencies, context.req.valid('param').invoiceId);
    const statement = showStatement(decideInvoiceStatement(material));
    if (wantsCsv(context)) {
      return answerCsv(context, statementTable([statement]), statement.invoiceId ?? 'statement');
    }
    return context.json(statement, 200);
  });

  const previewRoute = createRoute({
    ...common,
    method: 'get',
    path: '/v1/statements/preview/{customerId}',
    summary: "The same of a customer's next invoices, as they would be now",
    middleware: [
      requireLinkOrScope(dependencies, (context) => ({ customerId: context.req.param('customerId') ?? '' })),
    ],
    request: { params: CustomerParams, query: LinkQuery },
    responses: csvToo(StatementPreviewSchema),
  });
  api.openapi(previewRoute, async (context) => {
    const material = await gatherStatementSoFar(dependencies, context.req.valid('param').customerId);
    const preview = showStatementsSoFar(material, decideStatementsSoFar(material));
    if (wantsCsv(context)) {
      return answerCsv(context, statementTable(preview.statements), 'statement-so-far');
    }
    return context.json(preview, 200);
  });

  const linkCommon = {
    ...common,
    method: 'post' as const,
    responses: { 201: jsonContent(LinkSchema, 'The link.'), ...problems(404) },
  };
  const body = { content: { 'application/json': { schema: LinkRequestSchema } } };
  const makeLink = async (target: StatementTarget, validDays: number, origin: string, actor: string) => {
    const { expiresAt, ...link } = await makeStatementLink(dependencies, target, {
      origin,
      validDays,
      actor,
    });
    return { ...link, expiresAt: expiresAt.toISOString() };
  };

  const invoiceLinkRoute = createRoute({
    ...linkCommon,
    path: '/v1/statements/{invoiceId}/links',
    summary: "Makes a link that opens an invoice's statement to whoever has it, until it expires",
    request: { params: InvoiceParams, body },
  });
  api.openapi(invoiceLinkRoute, async (context) => {
    const { invoiceId } = context.req.valid('param');
    if ((await readStoredInvoice(dependencies.database, invoiceId)) === null) {
      return problemResponse(context, 'NOT_FOUND', `No invoice has the id ${invoiceId}.`) as never;
    }
    const { validDays = DEFAULT_VALID_DAYS } = context.req.valid('json') ?? {};
    const { origin } = new URL(context.req.url);
    return context.json(await makeLink({ invoiceId }, validDays, origin, actorOf(context)), 201);
  });

  const previewLinkRoute = createRoute({
    ...linkCommon,
    path: '/v1/statements/preview/{customerId}/links',
    summary: "Makes a link to a customer's statement so far",
    request: { params: CustomerParams, body },
  });
  api.openapi(previewLinkRoute, async (context) => {
    const { customerId } = context.req.valid('param');
    await getCustomer(dependencies.database, customerId);
    const { validDays = DEFAULT_VALID_DAYS } = context.req.valid('json') ?? {};
    const { origin } = new URL(context.req.url);
    return context.json(await makeLink({ customerId }, validDays, origin, actorOf(context)), 201);
  });
}
