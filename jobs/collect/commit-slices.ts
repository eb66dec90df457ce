import {
  type CollectedSlice,
  commitSlice,
  KnownItemsError,
} from '../../src/usage/collection/commit-slice.ts';
import { readSubjectTenants } from '../../src/usage/collection/seen-subjects.ts';
import { findKnownItems, keyOfItem, type SourceItem } from '../../src/usage/collection/source-items.ts';
import type { JobDependencies } from '../dependencies.ts';
import { useWhileMaking } from '../queue/overlap.ts';
import { buildUsageEvents } from './build-events.ts';
import { holdAfterRetention } from './hold-after-retention.ts';
import { judgeMinutes } from './judge-minutes.ts';
import { isStorableText, judgeRows, noteMetrics, type SubjectTenants } from './judge-rows.ts';
import type { SourceSlice } from './read-slices.ts';

const COMMIT_ATTEMPT_LIMIT = 5;

export interface CollectOutcome {
  rowCount: number;
  newRowCount: number;
  usageEventCount: number;
  quarantinedRowCount: number;
}

export interface CommitOptions {
  /** Most rows are in the ledger already: it is asked first, and slices without anything new leave no trace. */
  expectsKnown?: boolean;
  /** Given: the watermark moves along with the slices, from this position. */
  watermarkFrom?: Date | null;
  /** Hears of every slice after its commit, with the outcome so far. */
  onCommitted?: (slice: SourceSlice, outcome: CollectOutcome) => void;
}

/**
 * Commits slices in the order they come, each with its rows, events and watermark together, so a kill loses
 * at most the slices in hand. While one is being committed the next is read and judged.
 * @throws what reading and committing throw; what was committed stays
 */
export async function commitSlices(
  deps: JobDependencies,
  slices: AsyncIterable<SourceSlice>,
  options: CommitOptions = {},
): Promise<CollectOutcome> {
  const outcome: CollectOutcome = { rowCount: 0, newRowCount: 0, usageEventCount: 0, quarantinedRowCount: 0 };
  let position = options.watermarkFrom;
  let knewSome = false;
  const commit = async ({ slice, items }: JudgedSlice) => {
    const moves = options.watermarkFrom !== undefined && slice.isLastOfItsTime;
    const watermark = moves ? { from: position ?? null, to: slice.query.window.end } : undefined;
    const isKnown = await commitItems(deps, slice, items, outcome, {
      watermark,
      expectsKnown: options.expectsKnown === true,
      // Where one slice was known the next one is, too, when a watermark was set back and all is told again.
      looksFirst: knewSome,
    });
    if (items.length > 0) knewSome = isKnown;
    if (moves) position = slice.query.window.end;
    options.onCommitted?.(slice, outcome);
  };
  await useWhileMaking(judgeSlices(deps, slices), commit);
  return outcome;
}

interface JudgedSlice {
  slice: SourceSlice;
  items: SourceItem[];
}

/** What the slice before taught may not be in the ledger yet, and holds all the same. */
async function* judgeSlices(
  deps: JobDependencies,
  slices: AsyncIterable<SourceSlice>,
): AsyncGenerator<JudgedSlice> {
  let tenantsUnderWay: SubjectTenants = new Map();
  for await (const slice of slices) {
    const subjects = [...new Set(slice.rows.map((row) => row.subject))].filter(isStorableText);
    const tenants: SubjectTenants = await readSubjectTenants(deps.database, subjects);
    for (const subject of subjects) {
      const taught = tenantsUnderWay.get(subject);
      if (taught !== undefined && !tenants.has(subject)) tenants.set(subject, taught);
    }
    yield { slice, items: judgeRows(slice.rows, { tenants, providers: deps.settings.providers }) };
    tenantsUnderWay = tenants;
  }
}

/** @returns whether the ledger turned out to know some of the items */
async function commitItems(
  deps: JobDependencies,
  { query, recipe, rows }: SourceSlice,
  told: SourceItem[],
  outcome: CollectOutcome,
  how: { watermark: CollectedSlice['watermark']; expectsKnown: boolean; looksFirst: boolean },
): Promise<boolean> {
  const { watermark, expectsKnown } = how;
  const judged = await holdAfterRetention(deps, told);
  let fresh = judged;
  let returning: { item: SourceItem; isHeld: boolean }[] = [];
  // A backfill mostly meets rows it knows; the collector's cursor hardly ever does.
  let mayKnowSome = expectsKnown || how.looksFirst || query.by === 'event';
  let knewSome = false;
  for (let attempt = 1; ; attempt += 1) {
    if (mayKnowSome) {
      const known = await findKnownItems(deps.database, judged);
      knewSome = known.size > 0;
      const stateOf = (item: SourceItem) => known.get(keyOfItem(item));
      fresh = judged.filter((item) => stateOf(item) === undefined);
      // What waited and is sound now: a request whose gateway log came late, a subject somebody assigned.
      returning = judged.flatMap((item) => {
        const state = stateOf(item);
        const waits = state === 'waiting' || state === 'held';
        return item.quarantineReason === null && waits ? [{ item, isHeld: state === 'held' }] : [];
      });
    }
    const { free, ...judgedSlice } = await judgeSlice(deps, fresh, returning);
    const { items, returningItems, heldItems } = judgedSlice;
    const changeCount = items.length + returningItems.length + heldItems.length;
    if (expectsKnown && watermark === undefined && changeCount === 0) {
      outcome.rowCount += rows.length;
      return knewSome;
    }
    const events = buildUsageEvents(free);
    const slice: CollectedSlice = {
      source: deps.source.name,
      cursorKind: query.by,
      window: query.window,
      recipe,
      rowCount: rows.length,
      ...judgedSlice,
      events,
      noted: noteMetrics(rows),
      ...(watermark === undefined ? {} : { watermark }),
    };
    try {
      await commitSlice(deps.database, slice, deps.clock.now());
    } catch (error) {
      // Another collector may add some between our look and our commit, though hardly ever twice.
      if (!(error instanceof KnownItemsError) || attempt >= COMMIT_ATTEMPT_LIMIT) throw error;
      mayKnowSome = true;
      continue;
    }
    outcome.rowCount += rows.length;
    outcome.newRowCount += items.length;
    outcome.usageEventCount += events.length;
    outcome.quarantinedRowCount += items.filter((item) => item.quarantineReason !== null).length;
    return knewSome;
  }
}

/** What is new and what comes back, judged by minutes. `free` are those of both, and what waited for them. */
async function judgeSlice(
  deps: JobDependencies,
  fresh: readonly SourceItem[],
  returning: readonly { item: SourceItem; isHeld: boolean }[],
): Promise<{
  free: SourceItem[];
  items: SourceItem[];
  returningItems: SourceItem[];
  heldItems: SourceItem[];
  stillHeldItems: SourceItem[];
}> {
  const sound = fresh.filter((item) => item.quarantineReason === null);
  const judged = await judgeMinutes(deps, [...sound, ...returning.map(({ item }) => item)]);
  const isFresh = new Set(fresh);
  const heldOf = (items: readonly SourceItem[]) => items.flatMap((item) => judged.held.get(item) ?? []);
  const returningOf = (isHeld: boolean) =>
    returning.flatMap((one) => (one.isHeld === isHeld ? [one.item] : []));
  return {
    free: judged.free,
    items: fresh.map((item) => judged.held.get(item) ?? item),
    returningItems: judged.free.filter((item) => !isFresh.has(item)),
    heldItems: heldOf(returningOf(false)),
    stillHeldItems: [...judged.stillHeld, ...heldOf(returningOf(true))],
  };
}
