/**
 * One AbortSignal for SIGINT and SIGTERM. The first asks for a clean stop; a second one ends the process at
 * once, which is safe too, only slower to recover from.
 */
export function createStopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(name === 'SIGINT' ? 130 : 143);
      stop.abort(new Error(`stopped by ${name}`));
    });
  }
  return stop.signal;
}

/** Resolves when the signal aborts. */
export function untilStopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
