/** Lets at most `limit` tasks run at once; the others wait and go in the order they came. */
export function createLimiter(
  limit: number,
): <T>(task: () => Promise<T>, signal?: AbortSignal) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (task, signal) => {
    if (running < limit) running += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      signal?.throwIfAborted();
      return await task();
    } finally {
      const next = waiting.shift();
      // A slot is handed on, so that nobody who comes later can slip in between.
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
