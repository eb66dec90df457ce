import { createMiddleware } from 'hono/factory';
import type { ApiEnvironment } from './dependencies.ts';

/** What a caller may choose: it is echoed in a header and written to logs, so nothing but these. */
const SAFE = /^[A-Za-z0-9._-]{8,64}$/;

/** Gives every request an id, the caller's own when it is safe, and echoes it in `X-Request-Id`. */
export const requestIds = createMiddleware<ApiEnvironment>(async (context, next) => {
  const offered = context.req.header('x-request-id');
  const requestId = offered !== undefined && SAFE.test(offered) ? offered : crypto.randomUUID();
  context.set('requestId', requestId);
  // Set before the answer exists: a header added to it later makes the server build a whole Response of it.
  context.header('X-Request-Id', requestId);
  await next();
});
