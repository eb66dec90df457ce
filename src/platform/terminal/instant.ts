import { ValidationError } from '../errors.ts';

/**
 * A date or an instant with its zone; a time without one would mean something else on each machine.
 * @throws ValidationError
 */
export function readInstant(flag: string, text: string): Date {
  const withZone = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text);
  const instant = new Date(text);
  if (!withZone || Number.isNaN(instant.getTime())) {
    throw new ValidationError(
      flag,
      `"${text}" is not an instant`,
      'Write 2026-11-01 or 2026-11-01T06:00:00Z.',
    );
  }
  return instant;
}
