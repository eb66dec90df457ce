import { addMs, DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import {
  commitControlSlice,
  findUnattributedHours,
  readControlWatermark,
} from '../../src/usage/collection/control-items.ts';
import type { JobDependencies } from '../dependencies.ts';
import { FIRST_START_MS, readBacklog } from './collect-usage.ts';
import { judgeRows } from './judge-rows.ts';
import { readSlices, type SourceSlice } from './read-slices.ts';

/** As long as the nightly rescan of the usage that bills. */
const UNATTRIBUTED_SINCE_MS = 3 * DAY_MS;
const READ_AGAIN_AFTER_MS = HOUR_MS;
const HOURS_PER_RUN = 24;

export interface ControlOutcome {
  rowCount: number;
  /** Items that were new, or had a fault and were read anew. */
  itemCount: number;
}

/**
 * Collects the source that does not bill, into tables of its own, so that the coverage report can hold the
 * two against each other. Then reads the hours again whose requests had no gateway log yet. Does nothing
 * where no control is configured.
 * @throws UpstreamError when the source cannot be asked; what was committed stays
 */
export async function collectControl(deps: JobDependencies, signal?: AbortSignal): Promise<ControlOutcome> {
  const outcome: ControlOutcome = { rowCount: 0, itemCount: 0 };
  const { control } = deps;
  if (control === undefined) return outcome;
  const now = deps.clock.now();
  const commit = async ({ rows, query, isLastOfItsTime }: SourceSlice) => {
    const moves = query.by === 'ingestion' && isLastOfItsTime;
    outcome.rowCount += rows.length;
    outcome.itemCount += await commitControlSlice(
      deps.database,
      {
        source: control.name,
        // Nobody is billed by these: whose a subject is does not matter here.
        items: judgeRows(rows, { tenants: new Map(), providers: deps.settings.providers }),
        ...(moves ? { watermark: query.window.end } : {}),
      },
      now,
    );
  };
  const reader = { source: control, settings: deps.settings };
  const end = addMs(now, -deps.settings.collectLagMs);
  const watermark = await readControlWatermark(deps.database, control.name);
  const start = watermark ?? deps.settings.collectStart ?? addMs(end, -FIRST_START_MS);
  for await (const slice of readBacklog(reader, { start, end }, signal)) await commit(slice);

  const hours = await findUnattributedHours(deps.database, {
    source: control.name,
    since: addMs(now, -UNATTRIBUTED_SINCE_MS),
    readBefore: addMs(now, -READ_AGAIN_AFTER_MS),
    limit: HOURS_PER_RUN,
  });
  for (const hour of hours) {
    const window = { start: hour, end: addMs(hour, HOUR_MS) };
    for await (const slice of readSlices(reader, { window, by: 'event', signal })) await commit(slice);
  }
  return outcome;
}
