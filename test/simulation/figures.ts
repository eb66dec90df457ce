import type { OpenMeterStandIn } from '../../sandbox/openmeter/stand-in.ts';
import { FIGURES, type Figure, noFigures } from './oracle/oracle.ts';
import { keyOfEvent } from './witness.ts';

const PROPERTY_OF: Record<Figure, string> = {
  prompt: 'prompt_tokens',
  cached: 'cached_prompt_tokens',
  completion: 'completion_tokens',
  reasoning: 'reasoning_tokens',
  total: 'total_tokens',
  requests: 'requests',
};

export function addFigures(
  into: Map<string, Record<Figure, bigint>>,
  key: string,
  data: Readonly<Record<string, string>>,
): void {
  const figures = into.get(key) ?? noFigures();
  for (const figure of FIGURES) figures[figure] += BigInt(data[PROPERTY_OF[figure]] ?? 0);
  into.set(key, figures);
}

/** What OpenMeter holds, by the oracle's keys. */
export function readStoredFigures(openMeter: OpenMeterStandIn): Map<string, Record<Figure, bigint>> {
  const stored = new Map<string, Record<Figure, bigint>>();
  for (const event of openMeter.storedUsageEvents()) {
    const data = event.data as Record<string, string>;
    const time = new Date(event.timeSeconds * 1_000).toISOString();
    addFigures(stored, keyOfEvent({ id: event.id, subject: event.subject, time, data }), data);
  }
  return stored;
}
