import type { UnexpectedProblemResponse } from '@openmeter/sdk';
import type { Context } from 'hono';
import type { z } from 'zod';

/** A type of the SDK as it travels: the SDK declares instants as `Date`, the wire has text. */
export type Wire<Value> = Value extends Date
  ? string
  : Value extends readonly (infer Item)[]
    ? Wire<Item>[]
    : Value extends object
      ? { [Name in keyof Value]: Wire<Value[Name]> }
      : Value;

const TITLES: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  409: 'Conflict',
  412: 'Precondition Failed',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
};

/** A refusal; thrown inside handlers and turned into a problem answer at the top. */
export class Problem extends Error {
  readonly statusCode: number;
  constructor(statusCode: number, detail: string) {
    super(detail);
    this.statusCode = statusCode;
  }
}

let requestNumber = 0;

/** `application/problem+json`, exactly: the SDK reads the detail only under that content type. */
export function answerProblem(
  context: Context,
  statusCode: number,
  detail: string,
  headers: Record<string, string> = {},
): Response {
  requestNumber += 1;
  const problem: Wire<UnexpectedProblemResponse> = {
    type: 'about:blank',
    title: TITLES[statusCode] ?? 'Error',
    status: statusCode,
    detail,
    instance: `urn:request:sandbox/${requestNumber}`,
  };
  return context.body(JSON.stringify(problem), statusCode as 400, {
    ...headers,
    'Content-Type': 'application/problem+json',
  });
}

/** An instant as OpenMeter prints it: UTC, whole seconds. */
export function printSeconds(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}

/** Parses a JSON body. @throws Problem 400 */
export async function readJson(context: Context): Promise<unknown> {
  try {
    return JSON.parse(await context.req.text());
  } catch {
    throw new Problem(400, 'the request body is not valid JSON');
  }
}

/** What goes into a row of Postgres there: a NUL anywhere in it is an error of the database. @throws Problem 500 */
export function refuseNul(body: unknown): unknown {
  if (JSON.stringify(body).includes('\\u0000')) {
    throw new Problem(500, 'pq: invalid byte sequence for encoding "UTF8": 0x00');
  }
  return body;
}

/** Checks input by one of the SDK's own schemas. @throws Problem 400 naming the first wrong field */
export function parseOrRefuse<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new Problem(400, `${issue?.path.join('.') || 'request'}: ${issue?.message ?? 'is invalid'}`);
}
