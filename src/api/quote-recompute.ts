import { createRoute, z } from '@hono/zod-openapi';
import { TallystickError } from '../errors.ts';
import { readPlanVersion } from '../ledger/plans.ts';
import { readPriceBook } from '../ledger/price-book.ts';
import { getQuote, type StoredQuote } from '../ledger/quotes.ts';
import { requireScope, securityOf } from './authentication.ts';
import type { Api, ApiDependencies } from './dependencies.ts';
import { answerSnapshot, type MadeQuote, makeQuote } from './quote-making.ts';
import { QuoteRequestSchema } from './quote-request-schema.ts';
import { type QuoteAnswerBody, QuoteAnswerSchema, type StoredQuoteBody } from './quote-schemas.ts';
import { type QuoteSnapshot, readSnapshot } from './quote-snapshot.ts';
import { planTerms } from './quote-terms.ts';
import { AmountSchema, conflictProblem, jsonContent, keyedProblems, notFoundProblem } from './schemas.ts';

const ChangedFigures = z.object({
  tokenCount: AmountSchema.nullable(),
  cost: AmountSchema.nullable(),
  price: AmountSchema.nullable(),
});

const RecomputedSchema = z
  .object({
    quoteId: z.string(),
    reproduced: z.object({
      identical: z
        .boolean()
        .openapi({ description: 'Whether the stored book, plan and usage give the stored hash.' }),
      storedHash: z.string(),
      recomputedHash: z.string(),
    }),
    changed: z.object({
      priceBook: z.object({ before: z.string(), now: z.string(), changed: z.boolean() }),
      plan: z
        .object({ before: z.string().nullable(), now: z.string().nullable(), changed: z.boolean() })
        .nullable(),
      rates: z.boolean().openapi({ description: 'Whether any sell rate of it has another price.' }),
      usage: z.boolean().openapi({ description: 'Whether the usage it rests on is another by now.' }),
      throughput: z.boolean().openapi({
        description:
          'Whether throughput bought by the hour, or its use, is another, where usage runs on such.',
      }),
      lines: z
        .array(
          z.object({
            model: z.string(),
            feature: z.string(),
            deployment: z.string(),
            tokenType: z.string(),
            before: ChangedFigures.nullable(),
            now: ChangedFigures.nullable(),
          }),
        )
        .openapi({ description: 'Lines that differ; before or now is null where there is no such line.' }),
      totals: z.object({ before: ChangedFigures, now: ChangedFigures }),
    }),
    now: QuoteAnswerSchema.nullable().openapi({
      description: 'The answer of today; null when there is none.',
    }),
    nowReason: z.string().nullable().openapi({ description: 'Why the same request has no answer today.' }),
  })
  .openapi('RecomputedQuote');

/** Adds `POST /v1/quotes/{quoteId}/recompute`. It stores nothing. */
export function addQuoteRecomputeRoute(api: Api, dependencies: ApiDependencies): void {
  const route = createRoute({
    tags: ['Billing'],
    security: securityOf('sales', 'finance', 'admin'),
    middleware: [requireScope(dependencies, 'sales', 'finance')],
    method: 'post',
    path: '/v1/quotes/{quoteId}/recompute',
    summary: 'Proves that a quote can be reproduced, and shows what changed since',
    request: { params: z.object({ quoteId: z.string().regex(/^quote_[A-Za-z0-9_-]{16,64}$/) }) },
    responses: {
      200: jsonContent(RecomputedSchema, 'The proof, and the differences to today.'),
      ...keyedProblems,
      ...notFoundProblem,
      ...conflictProblem,
    },
  });
  api.openapi(route, async (context) => {
    const stored = await getQuote(dependencies.database, context.req.valid('param').quoteId);
    return context.json(await recompute(dependencies, stored), 200);
  });
}

/** @throws TallystickError CONFLICT for quotes of before what they rest on was stored */
async function recompute(dependencies: ApiDependencies, stored: StoredQuote) {
  if (stored.snapshotText === null || stored.resultHash === null) {
    throw new TallystickError('This quote is older than what it rests on was stored.', {
      code: 'CONFLICT',
      retry: false,
      fix: 'Make a new quote.',
    });
  }
  const snapshot = readSnapshot(stored.snapshotText);
  const again = await reproduce(dependencies, stored, snapshot);
  const before = JSON.parse(stored.resultText) as StoredQuoteBody;
  const today = await answerToday(dependencies, stored.request);
  const now = today.made?.body ?? null;
  return {
    quoteId: stored.quoteId,
    reproduced: {
      identical: again.hash === stored.resultHash,
      storedHash: stored.resultHash,
      recomputedHash: again.hash,
    },
    changed: {
      priceBook: versions(before.priceBookVersion, now?.priceBookVersion ?? before.priceBookVersion),
      plan: before.plan === null ? null : versions(before.plan.versionId, now?.plan?.versionId ?? null),
      rates: now !== null && textOf(ratesOf(before)) !== textOf(ratesOf(now)),
      usage: today.made !== null && usageText(snapshot) !== usageText(today.made.snapshot),
      throughput:
        today.made !== null && textOf(snapshot.capacities) !== textOf(today.made.snapshot.capacities),
      lines: now === null ? [] : changedLines(before, now),
      totals: { before: figuresOf(before.totals), now: figuresOf((now ?? before).totals) },
    },
    now,
    nowReason: today.reason,
  };
}

/** The answer under the price book, plan version and usage of then. */
async function reproduce({ database }: ApiDependencies, stored: StoredQuote, snapshot: QuoteSnapshot) {
  const book = await readPriceBook(database, { version: stored.priceBookVersion });
  if (snapshot.plan === null) return answerSnapshot(snapshot, book, snapshot.rates ?? []);
  const { plan } = await readPlanVersion(database, snapshot.plan.planId, snapshot.plan.versionId);
  const usage = [...snapshot.groups.flatMap((group) => group.usage), ...snapshot.existing];
  const swapped = (snapshot.adjustments.modelSwaps ?? []).map(({ to }) => to);
  const models = new Set([...usage.map(({ model }) => model), ...swapped]);
  return answerSnapshot(snapshot, book, planTerms(plan, snapshot.at, book).ratesFor([...models]));
}

/** A request that has no answer any more (a feature nobody uses, a customer that is gone) is told, not thrown. */
async function answerToday(
  dependencies: ApiDependencies,
  request: unknown,
): Promise<{ made: MadeQuote; reason: null } | { made: null; reason: string }> {
  try {
    return { made: await makeQuote(dependencies, QuoteRequestSchema.parse(request)), reason: null };
  } catch (error) {
    if (!(error instanceof TallystickError) || error.retry) throw error;
    return { made: null, reason: `${error.code}: ${error.message}` };
  }
}

function versions<Version extends string | null>(before: Version, now: Version) {
  return { before, now, changed: before !== now };
}

function ratesOf(body: QuoteAnswerBody) {
  return body.invoiceLines
    .map(({ rateId, model, feature, tokenType, unitAmountDecimal, tiers }) =>
      textOf([rateId, model, feature, tokenType, unitAmountDecimal, tiers]),
    )
    .sort();
}

function usageText({ groups, existing }: QuoteSnapshot): string {
  return textOf({ groups, existing });
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, part) => (typeof part === 'bigint' ? String(part) : part));
}

type Line = QuoteAnswerBody['lines'][number];

function changedLines(before: QuoteAnswerBody, now: QuoteAnswerBody) {
  const keyOf = (line: Line) =>
    textOf([line.model, line.feature, line.deployment, line.deploymentType, line.region, line.tokenType]);
  const nowByKey = new Map(now.lines.map((line) => [keyOf(line), line]));
  const beforeKeys = new Set(before.lines.map(keyOf));
  const pairs = [
    ...before.lines.map((line) => ({ was: line, is: nowByKey.get(keyOf(line)) ?? null })),
    ...now.lines.filter((line) => !beforeKeys.has(keyOf(line))).map((line) => ({ was: null, is: line })),
  ];
  return pairs.flatMap(({ was, is }) => {
    const line = was ?? is;
    const [first, second] = [was && figuresOf(was), is && figuresOf(is)];
    if (line === null || textOf(first) === textOf(second)) return [];
    const { model, feature, deployment, tokenType } = line;
    return [{ model, feature, deployment, tokenType, before: first, now: second }];
  });
}

function figuresOf({ tokenCount, cost, price }: Pick<Line, 'tokenCount' | 'cost' | 'price'>) {
  return { tokenCount, cost: cost.amount, price: price.amount };
}
