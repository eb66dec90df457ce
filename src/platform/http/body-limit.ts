import { bodyLimit } from 'hono/body-limit';
import { createMiddleware } from 'hono/factory';
import type { ApiEnvironment } from './dependencies.ts';
import { problemResponse } from './problem.ts';

/** Refuses bodies of more than so many bytes with 413. */
export function limitBody(maxSize: number) {
  const countWhileReading = bodyLimit({ maxSize, onError: refuse });
  return createMiddleware<ApiEnvironment>(async (context, next) => {
    const announced = context.req.header('content-length');
    const isWhole = announced !== undefined && context.req.header('transfer-encoding') === undefined;
    // HTTP holds a body to the length it announces. Only without one must it be counted, which costs a stream.
    if (!isWhole || !/^\d+$/.test(announced)) return await countWhileReading(context, next);
    if (Number(announced) > maxSize) return refuse(context);
    await next();
  });

  function refuse(context: Parameters<typeof problemResponse>[0]): Response {
    return problemResponse(context, 'PAYLOAD_TOO_LARGE', `The body may have at most ${maxSize} bytes.`, {
      headers: { Connection: 'close' },
    });
  }
}
