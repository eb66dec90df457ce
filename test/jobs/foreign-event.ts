import { FIGURE_NAMES, FIGURES } from '../../pricing/usage/shape.ts';
import { USAGE_EVENT_SOURCE, USAGE_EVENT_TYPE } from '../../src/openmeter/port.ts';
import { HOUR_MS } from '../../src/platform/clock.ts';
import { START_MS } from '../setup/pipeline.ts';

/** An event that somebody else put into OpenMeter under our type. */
export function foreignEvent(changes: {
  subject?: string;
  tokens: string;
  hour: number;
  field?: string;
}): string {
  return JSON.stringify({
    specversion: '1.0',
    id: crypto.randomUUID(),
    source: USAGE_EVENT_SOURCE,
    type: USAGE_EVENT_TYPE,
    subject: changes.subject ?? 'stranger',
    time: new Date(START_MS + changes.hour * HOUR_MS + 60_000).toISOString(),
    data: {
      model: 'gpt-4o',
      feature: 'chat',
      deployment: 'gpt-4o-global',
      ...Object.fromEntries(FIGURE_NAMES.map((name) => [FIGURES[name].eventField, '0'])),
      [changes.field ?? 'prompt_tokens']: changes.tokens,
      total_tokens: changes.tokens,
      requests: '1',
    },
  });
}
