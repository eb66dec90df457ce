import type { RetailDiff } from '../../pricing/retail/diff.ts';
import type { RetailPriceSource } from '../../src/azure/retail-port.ts';
import { TallystickError, toTallystickError } from '../../src/platform/errors.ts';
import {
  type PriceSyncRun,
  recordPriceSyncError,
  requestDailyPriceSync,
  startNextPriceSync,
} from '../../src/prices/sync/runs.ts';
import { applyPriceSync, diffWithBook } from '../../src/prices/sync/sync.ts';
import type { JobDependencies } from '../dependencies.ts';
import { readShippedMeterFile } from './read-meter-file.ts';

export interface SyncPricesOutcome {
  /** Synchronizations done now: asked for, or the day's. */
  runCount: number;
  appliedCount: number;
  waitingCount: number;
}

type PriceDependencies = Pick<JobDependencies, 'database' | 'clock' | 'log' | 'settings' | 'retailPrices'>;

/**
 * Holds Azure's retail price list against the price book: once for every synchronization that was asked for, and once
 * a UTC day. Small changes become new rows, everything else waits for a person. The list is read whole or not at all,
 * and what a run does is one transaction. Without a price list (AZURE_RETAIL_PRICES_URL=off) it does nothing.
 * @throws UpstreamError PARTIAL_RESULT, throttled, unavailable: the run goes on at the next look; rejected: it failed
 */
export async function syncPrices(deps: PriceDependencies, signal?: AbortSignal): Promise<SyncPricesOutcome> {
  const outcome: SyncPricesOutcome = { runCount: 0, appliedCount: 0, waitingCount: 0 };
  if (deps.retailPrices === undefined) return outcome;
  await requestDailyPriceSync(deps.database, deps.clock.now());
  for (;;) {
    const run = await startNextPriceSync(deps.database, deps.clock.now());
    if (run === null) return outcome;
    const { counts } = await runPriceSync(deps, run, signal);
    outcome.runCount += 1;
    outcome.appliedCount += counts?.appliedCount ?? 0;
    outcome.waitingCount = counts?.waitingCount ?? 0;
  }
}

/**
 * Does one synchronization that was begun.
 * @throws whatever stopped it, after writing it down
 */
export async function runPriceSync(
  deps: PriceDependencies,
  run: PriceSyncRun,
  signal?: AbortSignal,
): Promise<PriceSyncRun> {
  const { database, clock, settings } = deps;
  try {
    const [list, fileRows] = await Promise.all([sourceOf(deps).readPrices(signal), readShippedMeterFile()]);
    signal?.throwIfAborted();
    return await applyPriceSync(database, {
      run,
      list,
      fileRows,
      smallChangePercent: settings.priceChangePercent,
      now: clock.now(),
    });
  } catch (error) {
    const known = toTallystickError(error);
    const willRetry = known.retry || signal?.aborted === true;
    await recordPriceSyncError(database, run.priceSyncRunId, {
      error: known.code,
      willRetry,
      now: clock.now(),
    });
    throw error;
  }
}

/** The same without writing anything: what a synchronization would do now. */
export async function previewPriceSync(deps: PriceDependencies, signal?: AbortSignal): Promise<RetailDiff> {
  const { database, clock, settings } = deps;
  const [list, fileRows] = await Promise.all([sourceOf(deps).readPrices(signal), readShippedMeterFile()]);
  const { diff } = await diffWithBook(database, {
    list,
    fileRows,
    smallChangePercent: settings.priceChangePercent,
    now: clock.now(),
  });
  return diff;
}

function sourceOf({ retailPrices }: PriceDependencies): RetailPriceSource {
  if (retailPrices !== undefined) return retailPrices;
  throw new TallystickError('The retail price list is switched off.', {
    code: 'CONFIG',
    retry: false,
    fix: 'Unset AZURE_RETAIL_PRICES_URL, or set it to https://prices.azure.com.',
  });
}
