import type { Context } from 'hono';
import { accepts } from 'hono/accepts';
import { readLinkQuery, writeLinkQuery } from '../../identity/links/signature.ts';
import { addStyle, PAGE_HEADERS } from '../../pages/document.ts';
import { toTallystickError } from '../../platform/errors.ts';
import { answerCsv } from '../../platform/http/csv.ts';
import type { Api, ApiEnvironment } from '../../platform/http/dependencies.ts';
import { CUSTOMER_PATIENCE } from '../../previews/dependencies.ts';
import { logRefusedLink, mayReadStatement } from '../access.ts';
import { statementTable } from '../csv.ts';
import { decideInvoiceStatement, decideStatementsSoFar } from '../decide.ts';
import type { StatementDependencies } from '../dependencies.ts';
import { gatherInvoiceStatement, gatherStatementSoFar } from '../gather.ts';
import { type StatementTarget, statementPath } from '../links.ts';
import type { StatementBody } from '../schemas.ts';
import { showStatement, showStatementsSoFar } from '../show.ts';
import { missingStatementPage, STATEMENT_STYLE_PATH, statementPage, waitingStatementPage } from './page.ts';
import { STATEMENT_STYLE } from './style.ts';

/** It is opened once as a rule, so that it may wait for the lines of an invoice that was never read. */
const PATIENCE = { ...CUSTOMER_PATIENCE, waitMs: 10_000 };
const FORMS = ['text/html', 'application/json', 'text/csv'];

/**
 * Adds `GET /statements/{invoiceId}` and `GET /statements/preview/{customerId}`: a statement to whoever has its signed
 * link, or a key with the scope finance or admin; as a page, or as `?format=csv` or `json` or the Accept header says.
 */
export function addStatementPages(api: Api, all: StatementDependencies): void {
  const dependencies = { ...all, stripePatience: PATIENCE };
  addStyle(api, STATEMENT_STYLE_PATH, STATEMENT_STYLE);
  api.get('/statements/preview/:customerId', async (context) => {
    const { customerId } = context.req.param();
    return await answer(dependencies, context, { customerId }, async () => {
      const material = await gatherStatementSoFar(dependencies, customerId);
      const preview = showStatementsSoFar(material, decideStatementsSoFar(material));
      return { statements: preview.statements, json: preview };
    });
  });
  api.get('/statements/:invoiceId', async (context) => {
    const { invoiceId } = context.req.param();
    return await answer(dependencies, context, { invoiceId }, async () => {
      const statement = showStatement(
        decideInvoiceStatement(await gatherInvoiceStatement(dependencies, invoiceId)),
      );
      return { statements: [statement], json: statement };
    });
  });
}

async function answer(
  dependencies: StatementDependencies,
  context: Context<ApiEnvironment>,
  target: StatementTarget,
  make: () => Promise<{ statements: StatementBody[]; json: object }>,
): Promise<Response> {
  const missing = () => context.html(missingStatementPage(), 404, PAGE_HEADERS);
  if (!(await mayReadStatement(dependencies, context, target))) return missing();
  try {
    const { statements, json } = await make();
    const form = formOf(context);
    if (form === 'application/json') return context.json(json, 200, PAGE_HEADERS);
    if (form === 'text/csv') {
      const name = 'invoiceId' in target ? target.invoiceId : 'usage-so-far';
      for (const [header, value] of Object.entries(PAGE_HEADERS)) context.header(header, value);
      return answerCsv(context, statementTable(statements), name);
    }
    return context.html(statementPage(statements, addressOf(context, target)), 200, PAGE_HEADERS);
  } catch (error) {
    const known = toTallystickError(error);
    if (known.code === 'NOT_FOUND' || known.code === 'UNKNOWN_CUSTOMER') {
      logRefusedLink(dependencies, context, target, 'nothing_there');
      return missing();
    }
    if (!known.code.startsWith('UPSTREAM_')) throw error;
    dependencies.log?.warn({ err: error, ...target }, 'a statement could not be made');
    return context.html(waitingStatementPage(), 503, { ...PAGE_HEADERS, 'Retry-After': '60' });
  }
}

function formOf(context: Context<ApiEnvironment>): string {
  const asked = context.req.query('format');
  if (asked === 'csv') return 'text/csv';
  if (asked === 'json') return 'application/json';
  return accepts(context, { header: 'Accept', supports: FORMS, default: 'text/html' });
}

/** The same link with another form behind it; a reader by key gives the key again. */
function addressOf(context: Context<ApiEnvironment>, target: StatementTarget) {
  const link = writeLinkQuery(readLinkQuery(context));
  const inForm = (form: string) => `${statementPath(target)}?${link === '' ? '' : `${link}&`}format=${form}`;
  return { csv: inForm('csv'), json: inForm('json') };
}
