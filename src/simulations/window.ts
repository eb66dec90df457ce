import { DAY_MS, type TimeWindow } from '../platform/clock.ts';
import { ValidationError } from '../platform/errors.ts';
import { readWindow } from '../usage/hours/window.ts';
import type { SimulationRequest } from './schemas.ts';

/** @throws ValidationError unless the period is whole UTC days that are over */
export function readSimulationWindow(request: SimulationRequest, now: Date): TimeWindow {
  const window = readWindow(request);
  for (const [field, instant] of [['from', window.start] as const, ['to', window.end] as const]) {
    if (instant.getTime() % DAY_MS !== 0) {
      throw new ValidationError(field, 'must be midnight UTC', 'Costs are kept by the UTC day.');
    }
  }
  if (window.start > now) {
    throw new ValidationError('from', 'lies in the future', `It is ${now.toISOString()} now.`);
  }
  if (window.end.getTime() - DAY_MS > now.getTime()) {
    throw new ValidationError(
      'to',
      'lies in the future',
      `A simulation is of usage that was; end at ${new Date(Math.ceil(now.getTime() / DAY_MS) * DAY_MS).toISOString()} or before.`,
    );
  }
  return window;
}
