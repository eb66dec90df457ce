import { readDayWindow } from '../costs/window.ts';
import { DAY_MS, type TimeWindow } from '../platform/clock.ts';
import { ValidationError } from '../platform/errors.ts';
import type { SimulationRequest } from './schemas.ts';

/** @throws ValidationError unless the period is whole UTC days that are over */
export function readSimulationWindow(request: SimulationRequest, now: Date): TimeWindow {
  const window = readDayWindow(request);
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
