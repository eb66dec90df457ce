import type { ApiLog } from '../../platform/http/dependencies.ts';

/** One JSON line an event, as Workers Logs index it; errors with name, message and code, never whole. */
export const workerLog: ApiLog = {
  info: (fields, message) => console.info(toLine('info', fields, message)),
  warn: (fields, message) => console.warn(toLine('warn', fields, message)),
  error: (fields, message) => console.error(toLine('error', fields, message)),
};

function toLine(level: string, fields: Record<string, unknown>, message: string): string {
  return JSON.stringify({ level, message, ...fields }, (_, value) => {
    if (typeof value === 'bigint') return String(value);
    if (!(value instanceof Error)) return value;
    const { name, message: text, stack } = value;
    return { name, message: text, code: 'code' in value ? value.code : undefined, stack };
  });
}
