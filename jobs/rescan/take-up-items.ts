import { isCountedKind } from '../../pricing/usage/shape.ts';
import {
  commitStillWaiting,
  commitTakenUp,
  type QuarantinedItem,
  readQuarantinedItems,
} from '../../src/quarantine/items.ts';
import { readSubjectTenants } from '../../src/usage/collection/seen-subjects.ts';
import { itemKey, type SourceItem } from '../../src/usage/collection/source-items.ts';
import { findKnownEvents } from '../../src/usage/events/usage-events.ts';
import { buildUsageEvents, describeFactsWithoutDay } from '../collect/build-events.ts';
import { KNOWN_METRIC_NAMES } from '../collect/judge-row.ts';
import { isStorableText, judgeRows } from '../collect/judge-rows.ts';
import type { JobDependencies } from '../dependencies.ts';

/** Items judged together: one transaction each. */
const PAGE_SIZE = 1_000;

/**
 * Judges source items in quarantine again, and meters those that are sound by now: their metric became known with an
 * upgrade, a person said whose they are or asked for another look. `all`: every one of them, as once a night;
 * else only those whose cause may be gone.
 * @returns how many items and tokens were taken up
 */
export async function takeUpItems(
  deps: JobDependencies,
  options: { all: boolean; signal?: AbortSignal | undefined },
): Promise<{ itemCount: number; tokenCount: bigint }> {
  const taken = { itemCount: 0, tokenCount: 0n };
  let afterNumber = 0n;
  for (;;) {
    options.signal?.throwIfAborted();
    const page = await readQuarantinedItems(deps.database, {
      knownMetricNames: options.all ? null : KNOWN_METRIC_NAMES,
      afterNumber,
      limit: PAGE_SIZE,
    });
    if (page.length === 0) return taken;
    const sound = await holdMetered(deps, await judgePage(deps, page));
    await commitTakenUp(deps.database, sound, buildUsageEvents(sound), deps.clock.now());
    taken.itemCount += sound.length;
    for (const item of sound) {
      if (isCountedKind(item.tokenKind)) taken.tokenCount += item.tokenCount;
    }
    afterNumber = page.at(-1)?.quarantineNumber ?? afterNumber;
  }
}

interface NumberedItem {
  item: SourceItem;
  number: bigint;
}

/**
 * Leaves out items whose event the ledger holds: told again after their day was dropped, they were metered once, whatever a
 * person asks for. They go on waiting.
 */
async function holdMetered(deps: JobDependencies, sound: readonly NumberedItem[]): Promise<SourceItem[]> {
  const copies = sound.map(({ item, number }) => ({ item: { ...item }, number }));
  const itemsOf = (numbered: readonly NumberedItem[]) => numbered.map(({ item }) => item);
  const events = [
    ...buildUsageEvents(itemsOf(sound)),
    ...buildUsageEvents(itemsOf(copies), describeFactsWithoutDay),
  ];
  const known = await findKnownEvents(deps.database, events);
  const isMetered = ({ item }: NumberedItem) => item.usageEventId !== null && known.has(item.usageEventId);
  const isHeld = sound.map((one, index) => isMetered(one) || isMetered(copies[index] ?? one));
  await commitStillWaiting(
    deps.database,
    sound.flatMap(({ number }, index) =>
      isHeld[index] ? [{ quarantineNumber: number, reason: 'after_retention' }] : [],
    ),
  );
  return itemsOf(sound).filter((_, index) => !isHeld[index]);
}

async function judgePage(deps: JobDependencies, page: readonly QuarantinedItem[]): Promise<NumberedItem[]> {
  const subjects = [...new Set(page.map(({ row }) => row.subject))].filter(isStorableText);
  const tenants = await readSubjectTenants(deps.database, subjects);
  const numbers = new Map(
    page.map((item) => [itemKey(item.eventDay, item.sourceItemId, item.metricName), item.quarantineNumber]),
  );
  const judged = judgeRows(
    page.map((item) => item.row),
    tenants,
    // A row that is not found under its own key was changed to be kept; it is not what the source gave.
  ).flatMap((item) => {
    const number = numbers.get(itemKey(item.eventDay, item.row.sourceItemId, item.row.metricName));
    return number === undefined ? [] : [{ item, number }];
  });
  await commitStillWaiting(
    deps.database,
    judged.flatMap(({ item, number }) =>
      item.quarantineReason === null ? [] : [{ quarantineNumber: number, reason: item.quarantineReason }],
    ),
  );
  return judged.filter(({ item }) => item.quarantineReason === null);
}
