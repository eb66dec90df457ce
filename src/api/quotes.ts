import { createRoute, z } from '@hono/zod-openapi';
import { azureOpenAiPriceBook } from '../../pricing/azure-openai.ts';
import { nearNames } from '../../pricing/near-names.ts';
import { resolveModel } from '../../pricing/price-book.ts';
import { createQuote } from '../../pricing/quote.ts';
import { TallystickError, ValidationError } from '../errors.ts';
import { getCustomer } from '../ledger/customers.ts';
import { getQuote, insertQuote } from '../ledger/quotes.ts';
import { readCustomerCurrencies, readCustomerSellRates, readUsualSellRates } from '../ledger/sell-rates.ts';
import { requireScope, securityOf } from './authentication.ts';
import { type Api, type ApiDependencies, actorOf } from './dependencies.ts';
import { showQuote } from './quote-body.ts';
import { type QuoteBody, type QuoteRequest, QuoteRequestSchema, QuoteResultSchema } from './quote-schemas.ts';
import { readQuotedUsage } from './quote-usage.ts';
import {
  jsonContent,
  keyedProblems,
  notFoundProblem,
  tooLargeProblem,
  unknownModelProblem,
} from './schemas.ts';

const QuoteParams = z.object({ quoteId: z.string().regex(/^quote_[A-Za-z0-9_-]{16,64}$/) });

/** Adds `POST /v1/quotes` and `GET /v1/quotes/{quoteId}`. */
export function addQuoteRoutes(api: Api, dependencies: ApiDependencies): void {
  const common = { tags: ['Billing'], security: securityOf('sales', 'finance', 'admin') };
  const middleware = [requireScope(dependencies, 'sales', 'finance')];

  const postRoute = createRoute({
    ...common,
    method: 'post',
    path: '/v1/quotes',
    summary: 'What would this usage cost us, and bring us?',
    middleware,
    request: { body: { required: true, content: { 'application/json': { schema: QuoteRequestSchema } } } },
    responses: {
      201: jsonContent(QuoteResultSchema, 'The quote, stored for good.'),
      ...keyedProblems,
      ...notFoundProblem,
      ...tooLargeProblem,
      ...unknownModelProblem,
    },
  });
  api.openapi(postRoute, async (context) => {
    const quote = await makeQuote(dependencies, context.req.valid('json'), actorOf(context));
    return context.json(quote, 201, { Location: `/v1/quotes/${quote.quoteId}` });
  });

  const getRoute = createRoute({
    ...common,
    method: 'get',
    path: '/v1/quotes/{quoteId}',
    summary: 'A stored quote, as it was given',
    middleware,
    request: { params: QuoteParams },
    responses: { 200: jsonContent(QuoteResultSchema, 'The quote.'), ...keyedProblems, ...notFoundProblem },
  });
  api.openapi(getRoute, async (context) => {
    const stored = await getQuote(dependencies.database, context.req.valid('param').quoteId);
    return context.json(stored.result as QuoteBody, 200);
  });
}

/** @throws TallystickError UNKNOWN_MODEL, UNKNOWN_CUSTOMER, VALIDATION (a currency nobody bills the customer in) */
async function makeQuote(
  dependencies: ApiDependencies,
  request: QuoteRequest,
  actor: string,
): Promise<QuoteBody> {
  const { database, clock } = dependencies;
  refuseUnknownModels(request);
  const { currency, rates, rateBasis } = await readRates(dependencies, request);
  const { usage, basis } = await readQuotedUsage(dependencies, request);
  const quote = createQuote({
    usage,
    currency,
    priceBook: azureOpenAiPriceBook,
    sellRates: rates.map((rate) => ({
      rateId: rate.stripeMeterId,
      description: rate.productName,
      model: rate.model,
      feature: rate.feature,
      tokenType: rate.tokenType,
      price: rate.price,
    })),
  });
  const createdAt = clock.now();
  const result = showQuote(quote, {
    quoteId: `quote_${Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString('base64url')}`,
    createdAt: createdAt.toISOString(),
    createdBy: actor,
    costCurrency: azureOpenAiPriceBook.currency,
    rateBasis,
    customerId: request.customerId ?? null,
    usageBasis: basis,
  });
  await insertQuote(database, {
    quoteId: result.quoteId,
    request: JSON.parse(
      JSON.stringify(request, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
    ),
    result,
    priceBookVersion: quote.priceBookVersion,
    createdBy: actor,
    createdAt,
  });
  return result;
}

function refuseUnknownModels(request: QuoteRequest): void {
  const unknown = [...new Set((request.usage ?? []).map((entry) => entry.model))].filter(
    (model) => resolveModel(azureOpenAiPriceBook, { model }) === null,
  );
  if (unknown.length === 0) return;
  const errors = unknown.map((model) => {
    const near = nearNames(azureOpenAiPriceBook, model);
    return {
      field: 'usage.model',
      message: `no price is known for ${JSON.stringify(model)}`,
      fix:
        near.length > 0
          ? `near names: ${near.join(', ')}.`
          : `known models: ${azureOpenAiPriceBook.models.join(', ')}.`,
    };
  });
  const sentences = errors.slice(0, 5).map(({ message, fix }) => `${message}; ${fix}`);
  throw new TallystickError(`The quote names what the price book does not hold: ${sentences.join(' ')}`, {
    code: 'UNKNOWN_MODEL',
    retry: false,
    context: { errors },
  });
}

async function readRates({ database }: ApiDependencies, request: QuoteRequest) {
  if (request.customerId === undefined) {
    const currency = request.currency ?? 'usd';
    return { currency, rates: await readUsualSellRates(database, currency), rateBasis: 'usual' as const };
  }
  const customer = await getCustomer(database, request.customerId);
  const currencies = await readCustomerCurrencies(database, request.customerId);
  const currency = request.currency ?? currencies[0] ?? customer.currency ?? 'usd';
  if (currencies.length > 0 && !currencies.includes(currency)) {
    throw new ValidationError(
      'currency',
      `this customer is billed in ${currencies.join(' and ')}`,
      'Leave the currency out, or the customer.',
    );
  }
  const rates = await readCustomerSellRates(database, request.customerId);
  return {
    currency,
    rates: rates.filter((rate) => rate.currency === currency),
    rateBasis: 'customer' as const,
  };
}
