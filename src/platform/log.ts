import { type Logger, pino } from 'pino';
import { TallystickError } from './errors.ts';

export type { Logger };

/**
 * One JSON line an event, to standard error, so that standard output belongs to results, or to the end of a file.
 * Errors appear with their code and context; secrets are redacted wherever they turn up by name.
 */
export function createLogger(level: string, file?: string): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: describeError, error: describeError },
      redact: {
        paths: ['*.apiKey', '*.authorization', '*.password', '*.databaseUrl', '*.redisUrl'],
        censor: '[redacted]',
      },
    },
    pino.destination(file === undefined ? { fd: 2, sync: true } : { dest: file, sync: true }),
  );
}

/** Drivers hang whole connections, keys included, on their errors; only these parts of one are logged. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, stack } = error;
  const code = (error as { code?: unknown }).code;
  const ours = error instanceof TallystickError ? { retry: error.retry, context: error.context } : {};
  const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) };
  return { name, message, ...(code === undefined ? {} : { code }), ...ours, stack, ...cause };
}
