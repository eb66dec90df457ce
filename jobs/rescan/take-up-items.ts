import { isCountedKind, KNOWN_METRIC_NAMES } from '../../pricing/usage/shape.ts';
import {
  commitHeld,
  commitStillWaiting,
  commitTakenUp,
  type QuarantinedItem,
  readQuarantinedItems,
  readUnnamedModels,
} from '../../src/quarantine/items.ts';
import { readSubjectTenants } from '../../src/usage/collection/seen-subjects.ts';
import { itemKey, keyOfItem, type SourceItem } from '../../src/usage/collection/source-items.ts';
import { findKnownEvents } from '../../src/usage/events/usage-events.ts';
import { findFormerlyCounted } from '../../src/usage/recounts/former-events.ts';
import { COUNTED_FORMERLY } from '../../src/usage/recounts/gather.ts';
import { buildUsageEvents, describeFactsWithoutDay } from '../collect/build-events.ts';
import { type JudgedMinutes, judgeMinutes } from '../collect/judge-minutes.ts';
import { isStorableText, judgeRows } from '../collect/judge-rows.ts';
import type { JobDependencies } from '../dependencies.ts';

/** Items judged together: one transaction each. */
const PAGE_SIZE = 1_000;

/**
 * Judges source items in quarantine again, and meters those that are sound by now: their metric became known with an
 * upgrade or their model's maker with the configuration, a person said whose they are or asked for another look. What waits
 * because of its minute is judged with all of it. `all`: every one of them, as once a night;
 * else only those whose cause may be gone.
 * @returns how many items and tokens were taken up
 */
export async function takeUpItems(
  deps: JobDependencies,
  options: { all: boolean; signal?: AbortSignal | undefined },
): Promise<{ itemCount: number; tokenCount: bigint }> {
  const taken = { itemCount: 0, tokenCount: 0n };
  let afterNumber = 0n;
  const { database, settings } = deps;
  const unnamed = options.all ? [] : await readUnnamedModels(database);
  const namedModels = unnamed.flatMap(({ model }) =>
    settings.providers.ruleOf(model) === null ? [] : [model],
  );
  for (;;) {
    options.signal?.throwIfAborted();
    const page = await readQuarantinedItems(database, {
      knownMetricNames: options.all ? null : KNOWN_METRIC_NAMES,
      namedModels,
      afterNumber,
      limit: PAGE_SIZE,
    });
    if (page.length === 0) return taken;
    const { sound: judged, accepted } = await judgePage(deps, page);
    const sound = await holdCountedFormerly(deps, page, judged);
    const minutes = await judgeMinutes(deps, sound, accepted);
    await commitStillHeld(deps, page, minutes);
    const free = await holdMetered(deps, minutes.free);
    await commitTakenUp(database, free, buildUsageEvents(free), deps.clock.now());
    taken.itemCount += free.length;
    for (const item of free) {
      if (isCountedKind(item.tokenKind) || item.countsApart) taken.tokenCount += item.tokenCount;
    }
    afterNumber = page.at(-1)?.quarantineNumber ?? afterNumber;
  }
}

/** What only a person takes up goes on waiting for one, whatever its minute says. */
async function commitStillHeld(
  { database }: JobDependencies,
  page: readonly QuarantinedItem[],
  { held, stillHeld }: JudgedMinutes,
): Promise<void> {
  const numbers = page.flatMap((item) => (item.reason === 'after_retention' ? [item.quarantineNumber] : []));
  const forPersons = new Set<bigint | undefined>(numbers);
  const isForPersons = ({ quarantineNumber }: SourceItem) => forPersons.has(quarantineNumber);
  const items = [...held.values()];
  await commitHeld(database, { held: items.filter((item) => !isForPersons(item)), stillHeld });
  await commitStillWaiting(
    database,
    items
      .filter(isForPersons)
      .flatMap(({ quarantineNumber }) =>
        quarantineNumber === undefined ? [] : [{ quarantineNumber, reason: 'after_retention' }],
      ),
  );
}

/**
 * Leaves out rows that tell parts of usage which was counted without them, by the rules of before: what was billed is not
 * billed otherwise in silence. They wait for the person who approves the recount.
 */
async function holdCountedFormerly(
  deps: JobDependencies,
  page: readonly QuarantinedItem[],
  sound: readonly SourceItem[],
): Promise<SourceItem[]> {
  const doubtful = new Map(
    page.flatMap((item) =>
      item.isRequested || (item.reason !== 'unknown_metric' && item.reason !== COUNTED_FORMERLY)
        ? []
        : [[item.quarantineNumber, item] as const],
    ),
  );
  const candidates = sound.filter(
    ({ quarantineNumber, tokenCount }) =>
      tokenCount > 0n && quarantineNumber !== undefined && doubtful.has(quarantineNumber),
  );
  const former = new Set(await findFormerlyCounted(deps.database, candidates));
  const held = [...former].map((item) => ({
    ...item,
    usageEventId: null,
    quarantineReason: COUNTED_FORMERLY,
    quarantineDetail: 'counted as part of its whole before; approve its recount, or write it off',
    original: item.original ?? item.row,
  }));
  await commitHeld(deps.database, { held, stillHeld: [] });
  return sound.filter((item) => !former.has(item));
}

/**
 * Leaves out items whose event the ledger holds: told again after their day was dropped, they were metered once, whatever a
 * person asks for. They go on waiting.
 */
async function holdMetered(deps: JobDependencies, sound: readonly SourceItem[]): Promise<SourceItem[]> {
  const copies = sound.map((item) => ({ ...item }));
  const events = [...buildUsageEvents(sound), ...buildUsageEvents(copies, describeFactsWithoutDay)];
  const known = await findKnownEvents(deps.database, events);
  const isMetered = ({ usageEventId }: SourceItem) => usageEventId !== null && known.has(usageEventId);
  const isHeld = sound.map((item, index) => isMetered(item) || isMetered(copies[index] ?? item));
  await commitStillWaiting(
    deps.database,
    sound.flatMap(({ quarantineNumber }, index) =>
      isHeld[index] && quarantineNumber !== undefined
        ? [{ quarantineNumber, reason: 'after_retention' }]
        : [],
    ),
  );
  return sound.filter((_, index) => !isHeld[index]);
}

/** Items of the page that are sound by themselves; those of them that a person takes as they were told. */
async function judgePage(
  deps: JobDependencies,
  page: readonly QuarantinedItem[],
): Promise<{ sound: SourceItem[]; accepted: Set<SourceItem> }> {
  const subjects = [...new Set(page.map(({ row }) => row.subject))].filter(isStorableText);
  const tenants = await readSubjectTenants(deps.database, subjects);
  const known = new Map(
    page.map((item) => [itemKey(item.eventDay, item.sourceItemId, item.metricName), item]),
  );
  const judged = judgeRows(
    page.map((item) => item.row),
    { tenants, providers: deps.settings.providers },
    // A row that is not found under its own key was changed to be kept; it is not what the source gave.
  ).flatMap((item) => {
    const told = known.get(keyOfItem(item));
    return told === undefined
      ? []
      : [
          {
            item: { ...item, quarantineNumber: told.quarantineNumber },
            isAccepted: told.isAccepted || told.reason === 'after_retention',
          },
        ];
  });
  await commitStillWaiting(
    deps.database,
    judged.flatMap(({ item }) =>
      item.quarantineReason === null
        ? []
        : [{ quarantineNumber: item.quarantineNumber, reason: item.quarantineReason }],
    ),
  );
  const sound = judged.filter(({ item }) => item.quarantineReason === null);
  return {
    sound: sound.map(({ item }) => item),
    accepted: new Set(sound.flatMap(({ item, isAccepted }) => (isAccepted ? [item] : []))),
  };
}
