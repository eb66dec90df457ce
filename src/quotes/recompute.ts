import { createRoute, z } from '@hono/zod-openapi';
import type { Plan } from '../../pricing/plans/plan.ts';
import type { PriceBook } from '../../pricing/prices/price-book.ts';
import { decideAgain, decideQuote } from '../../pricing/quotes/decide.ts';
import { parseGround, type QuoteGround } from '../../pricing/quotes/ground.ts';
import type { QuoteFacts } from '../../pricing/quotes/question.ts';
import { openTo } from '../identity/require-scope.ts';
import { readPlanVersion } from '../plans/plans.ts';
import { type LedgerSnapshot, readSnapshot } from '../platform/database/snapshot.ts';
import { TallystickError, toTallystickError } from '../platform/errors.ts';
import type { Api, ApiDependencies } from '../platform/http/dependencies.ts';
import { AmountSchema, jsonContent, problems } from '../platform/http/schemas.ts';
import { readPriceBook } from '../prices/book.ts';
import { gatherQuoteFacts } from './gather.ts';
import { getQuote, type StoredQuote } from './quotes.ts';
import { type QuoteRequest, QuoteRequestSchema } from './request-schema.ts';
import { type QuoteAnswerBody, QuoteAnswerSchema, type StoredQuoteBody } from './schemas.ts';
import { type ShownQuote, showQuote } from './show.ts';

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
      exchange: z.boolean().openapi({ description: 'Whether costs would be converted by another rate.' }),
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
    ...openTo(dependencies, 'sales', 'finance'),
    method: 'post',
    path: '/v1/quotes/{quoteId}/recompute',
    summary: 'Proves that a quote can be reproduced, and shows what changed since',
    request: { params: z.object({ quoteId: z.string().regex(/^quote_[A-Za-z0-9_-]{16,64}$/) }) },
    responses: {
      200: jsonContent(RecomputedSchema, 'The proof, and the differences to today.'),
      ...problems(404, 409),
    },
  });
  api.openapi(route, async (context) => {
    const now = dependencies.clock.now();
    const { quoteId } = context.req.valid('param');
    const facts = await readSnapshot(dependencies.database, (snapshot) =>
      gatherAgain(snapshot, quoteId, now),
    );
    return context.json(recompute(facts), 200);
  });
}

/** The proof, and what changed since. Pure. */
export function recompute(facts: RecomputeFacts): z.output<typeof RecomputedSchema> {
  const again = showQuote(decideAgain(facts.ground, facts.priceBook, facts.plan));
  return compare(facts, again, answerToday(facts.today));
}

/** What the answer of then rests on, and what the same question would be answered from now. */
export interface RecomputeFacts {
  stored: StoredQuote & { resultHash: string };
  ground: QuoteGround;
  /** In the versions of then. */
  priceBook: PriceBook;
  plan: Plan | null;
  today: Today;
}

/** What the question is answered from today, or why it cannot be. */
type Today =
  | { question: QuoteRequest; facts: QuoteFacts; reason: null }
  | { question: null; facts: null; reason: string };

/** @throws TallystickError NOT_FOUND; CONFLICT for quotes of before what they rest on was stored */
export async function gatherAgain(
  snapshot: LedgerSnapshot,
  quoteId: string,
  now: Date,
): Promise<RecomputeFacts> {
  const stored = await getQuote(snapshot, quoteId);
  const { snapshotText, resultHash } = stored;
  if (snapshotText === null || resultHash === null) {
    throw new TallystickError('This quote is older than what it rests on was stored.', {
      code: 'CONFLICT',
      retry: false,
      fix: 'Make a new quote.',
    });
  }
  const ground = parseGround(snapshotText);
  const { plan } = ground;
  return {
    stored: { ...stored, resultHash },
    ground,
    priceBook: await readPriceBook(snapshot, { version: stored.priceBookVersion }),
    plan: plan === null ? null : (await readPlanVersion(snapshot, plan.planId, plan.versionId)).plan,
    today: await gatherToday(snapshot, stored.request, now),
  };
}

async function gatherToday(snapshot: LedgerSnapshot, request: unknown, now: Date): Promise<Today> {
  const question = QuoteRequestSchema.parse(request);
  try {
    return { question, facts: await gatherQuoteFacts(snapshot, question, now), reason: null };
  } catch (error) {
    return { question: null, facts: null, reason: reasonOf(error) };
  }
}

/** What has no answer any more (a feature nobody uses, a customer that is gone) is told, not thrown. */
function reasonOf(error: unknown): string {
  const known = toTallystickError(error);
  if (known.retry) throw error;
  return `${known.code}: ${known.message}`;
}

type AnsweredToday = { ground: QuoteGround; body: QuoteAnswerBody } | { ground: null; reason: string };

function answerToday({ question, facts, reason }: Today): AnsweredToday {
  if (facts === null) return { ground: null, reason };
  try {
    const decided = decideQuote(question, facts);
    return { ground: decided.ground, body: showQuote(decided).body };
  } catch (error) {
    return { ground: null, reason: reasonOf(error) };
  }
}

function compare({ stored, ground }: RecomputeFacts, again: ShownQuote, today: AnsweredToday) {
  const before = JSON.parse(stored.resultText) as StoredQuoteBody;
  const now = today.ground === null ? null : today.body;
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
      usage: today.ground !== null && usageText(ground) !== usageText(today.ground),
      exchange: today.ground !== null && textOf(ground.conversion) !== textOf(today.ground.conversion),
      throughput: today.ground !== null && textOf(ground.capacities) !== textOf(today.ground.capacities),
      lines: now === null ? [] : changedLines(before, now),
      totals: { before: figuresOf(before.totals), now: figuresOf((now ?? before).totals) },
    },
    now,
    nowReason: today.ground === null ? today.reason : null,
  };
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

function usageText({ groups, existing }: QuoteGround): string {
  return textOf({ groups, existing });
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, part) => (typeof part === 'bigint' ? String(part) : part));
}

type Line = QuoteAnswerBody['lines'][number];

function changedLines(before: QuoteAnswerBody, now: QuoteAnswerBody) {
  const keyOf = (line: Line) =>
    textOf([
      line.model,
      line.feature,
      line.deployment,
      line.deploymentType,
      line.region,
      line.serviceTier,
      line.requestInputTokenCount,
      line.tokenType,
    ]);
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
