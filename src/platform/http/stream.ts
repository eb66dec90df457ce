import type { Context } from 'hono';

/**
 * Bytes as the answer, sent as they are made: one part is made while the one before it is read, and nobody waits for more.
 * The first is made before the answer begins, so that what is refused is a problem and no broken file.
 * @throws what making the first part throws
 */
export async function answerStream(
  context: Context,
  parts: AsyncGenerator<Uint8Array<ArrayBuffer>>,
  headers: Record<string, string>,
) {
  const first = await parts.next();
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start(controller) {
        if (first.done !== true) controller.enqueue(first.value);
      },
      async pull(controller) {
        const next = await parts.next();
        if (next.done === true) controller.close();
        else controller.enqueue(next.value);
      },
      async cancel() {
        await parts.return(undefined);
      },
    },
    { highWaterMark: 1 },
  );
  return context.body(body, 200, headers);
}
