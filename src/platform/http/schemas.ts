import { z } from '@hono/zod-openapi';
import { ProblemSchema } from './problem.ts';

/**
 * Schemas that several resources share. Counts and amounts are decimal text: JSON numbers are floats. They
 * have no name of their own in the document: a nullable reference would be written so that null never fits.
 */
export const TokenCountSchema = z
  .string()
  .regex(/^-?\d+$/)
  .openapi({ description: 'A count of tokens as decimal text.', example: '1250000' });

export const AmountSchema = z
  .string()
  .regex(/^-?\d+(\.\d+)?$/)
  .openapi({
    description: 'Exact decimal text in the currency named beside it.',
    example: '12.34',
  });

export const InstantSchema = z.iso
  .datetime()
  .openapi({ description: 'UTC.', example: '2026-11-21T10:00:00.000Z' });

export const CurrencySchema = z
  .string()
  .regex(/^[a-z]{3}$/, { error: 'must be a three-letter currency code in lower case, e.g. usd' })
  .openapi({ example: 'usd' });

/** Text from outside. Postgres stores neither a zero character nor half of a surrogate pair. */
export function textSchema(maxLength: number) {
  return z
    .string()
    .max(maxLength, { error: `must have at most ${maxLength} characters` })
    .refine((text) => !text.includes('\0') && text.isWellFormed(), {
      error: 'must not hold a zero character or half a character',
    });
}

/** Customer ids and tenant keys, which come from outside too. */
export const IdentifierSchema = textSchema(512)
  .min(1, { error: 'must not be empty' })
  .refine((text) => !/\p{Cc}/u.test(text), { error: 'must not hold control characters' });

const PageLimitSchema = z
  .string()
  .regex(/^\d{1,4}$/, { error: 'must be a whole number' })
  .transform(Number)
  .refine((limit) => limit >= 1 && limit <= 1_000, { error: 'must be between 1 and 1000' })
  .default(100)
  .openapi({ type: 'integer', minimum: 1, maximum: 1_000, default: 100 });

const CursorSchema = z
  .string()
  .max(8_192)
  .openapi({ description: '`nextCursor` of the page before; opaque.' });

/** Of the query of a list that is read page by page. */
export const PAGE_FIELDS = { cursor: CursorSchema.optional(), limit: PageLimitSchema };

/** A JSON answer of this shape. */
export function jsonContent<Schema extends z.ZodType>(schema: Schema, description: string) {
  return { description, content: { 'application/json': { schema } } };
}

/** A JSON body that must be there. */
export function jsonBody<Schema extends z.ZodType>(schema: Schema) {
  return { required: true as const, content: { 'application/json': { schema } } };
}

const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: ProblemSchema } },
});

const PROBLEMS = {
  400: problem('The request is not valid; `errors` names the fields.'),
  401: problem('No valid API key.'),
  403: problem('The key lacks the scope.'),
  404: problem('No such thing.'),
  409: problem('It conflicts with what is stored.'),
  413: problem('The body is over the limit.'),
  422: problem('No price is known; the detail lists near names.'),
  500: problem('Something went wrong on our side.'),
  503: problem('A system this needs does not answer.'),
};
type ProblemStatus = keyof typeof PROBLEMS;
/** Any route behind a key may give them. */
const KEYED = [400, 401, 403, 500] as const;

/** The problems of a route behind a key, spread into `responses`: those that any may give, and these. */
export function problems<Status extends ProblemStatus = never>(...statuses: Status[]) {
  const all: readonly ProblemStatus[] = [...KEYED, ...statuses];
  return Object.fromEntries(all.map((status) => [status, PROBLEMS[status]])) as Pick<
    typeof PROBLEMS,
    (typeof KEYED)[number] | Status
  >;
}

export const CountSchema = z.string().regex(/^\d+$/).openapi({ description: 'A count as decimal text.' });
