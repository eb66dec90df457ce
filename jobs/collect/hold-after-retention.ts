import { addMs, DAY_MS } from '../../src/platform/clock.ts';
import { findDroppedDays } from '../../src/usage/collection/retention.ts';
import type { SourceItem } from '../../src/usage/collection/source-items.ts';
import type { JobDependencies } from '../dependencies.ts';

/**
 * Of days whose single items were dropped nobody can tell whether a row was billed. None is lost: they wait for a
 * person, and bill nothing by themselves.
 */
export async function holdAfterRetention(deps: JobDependencies, items: SourceItem[]): Promise<SourceItem[]> {
  const oldest = addMs(deps.clock.now(), -deps.settings.itemRetentionDays * DAY_MS).toISOString();
  const days = [...new Set(items.map((item) => item.eventDay))].filter((day) => day < oldest);
  const dropped = await findDroppedDays(deps.database, days);
  if (dropped.size === 0) return items;
  return items.map((item) =>
    dropped.has(item.eventDay) && item.quarantineReason === null
      ? { ...item, usageEventId: null, quarantineReason: 'after_retention', original: item.row }
      : item,
  );
}
