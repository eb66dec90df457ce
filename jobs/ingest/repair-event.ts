import { readItemsOfEvent } from '../../src/usage/collection/source-items-of-event.ts';
import type { ClaimedEvent, UsageEvent } from '../../src/usage/events/usage-events.ts';
import { replaceEvent } from '../../src/usage/events/usage-events.ts';
import { buildUsageEvents, describeFactsWithoutDay } from '../collect/build-events.ts';
import type { JobDependencies } from '../dependencies.ts';

/**
 * Makes a damaged event anew from the source items it was made from. Its id is a hash of their keys: when it comes out
 * the same, these are the very facts, and what is sent is the very event.
 * @returns the event, stored again, or null when its items are gone or do not make it
 */
export async function repairEvent(deps: JobDependencies, event: ClaimedEvent): Promise<UsageEvent | null> {
  const items = await readItemsOfEvent(deps.database, event.usageEventId);
  const rebuilt = [...buildUsageEvents(items), ...buildUsageEvents(items, describeFactsWithoutDay)].find(
    ({ usageEventId }) => usageEventId === event.usageEventId,
  );
  if (rebuilt === undefined) return null;
  return (await replaceEvent(deps.database, rebuilt)) ? rebuilt : null;
}
