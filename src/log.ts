import { type Logger, pino } from 'pino';

export type { Logger };

/**
 * One JSON line an event, to standard error, so that standard output belongs to results.
 * Errors appear with their code and context; secrets are redacted wherever they turn up by name.
 */
export function createLogger(level: string): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: {
        paths: ['*.apiKey', '*.authorization', '*.password', '*.databaseUrl', '*.redisUrl'],
        censor: '[redacted]',
      },
    },
    pino.destination({ fd: 2, sync: true }),
  );
}
