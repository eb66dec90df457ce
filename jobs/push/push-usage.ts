import {
  markPushRefused,
  type PendingPush,
  planPushes,
  readPendingPushes,
} from '../../src/billing/meter-pushes.ts';
import { readCatalogSilence } from '../../src/catalog/progress.ts';
import { type TallystickError, toTallystickError } from '../../src/platform/errors.ts';
import { runKeyedLanes } from '../../src/stripe/keyed-lanes.ts';
import { reopenUndividedHours } from '../../src/usage/hours/hour-parts.ts';
import type { JobDependencies } from '../dependencies.ts';
import { useWhileMaking } from '../queue/overlap.ts';
import { AttemptMarker } from './attempt-marker.ts';
import { DeliveryRecorder } from './delivery-recorder.ts';
import { type DoubtRun, needsNoProof, settleUncertain } from './settle-uncertain.ts';

/** Bounds memory; large enough that a page's last slow lanes hardly show in the whole. */
const PAGE_SIZE = 20_000;
/** The first call need not wait until all is planned: the first page takes longer to deliver than the next to plan. */
const FIRST_PAGE_SIZE = 4_000;

export interface PushOutcome {
  plannedCount: number;
  deliveredCount: number;
  duplicateCount: number;
  refusedCount: number;
  quarantinedRowCount: number;
  /** Pushes of unknown outcome that wait until Stripe may be read again. */
  unreadCount: number;
  /** Since when the catalog has not heard from Stripe, where nothing was pushed for that; else null. */
  catalogSilentSince: Date | null;
}

/**
 * Step 4: plans pushes from settled usage and delivers every pending one, one call in flight per customer and
 * meter; the next page is planned while one is on its way. A duplicate is a delivery; a refusal is kept and
 * counted; anything else stays pending.
 * @throws UpstreamError when Stripe throttles beyond patience or is down; delivered pushes are committed
 */
export async function pushUsage(deps: JobDependencies, signal?: AbortSignal): Promise<PushOutcome> {
  const outcome: PushOutcome = {
    plannedCount: 0,
    deliveredCount: 0,
    duplicateCount: 0,
    refusedCount: 0,
    quarantinedRowCount: 0,
    unreadCount: 0,
    catalogSilentSince: null,
  };
  outcome.catalogSilentSince = await readCatalogSilence(deps.database, deps.clock.now());
  if (outcome.catalogSilentSince !== null) {
    deps.log.warn(
      { since: outcome.catalogSilentSince },
      'Nothing is pushed until the catalog has heard from Stripe again: a period may have ended early since',
    );
    return outcome;
  }
  await reopenUndividedHours(deps.database);
  await useWhileMaking(preparePages(deps, outcome), (page) => deliver(deps, page, outcome, signal));
  if (outcome.unreadCount > 0) {
    deps.log.warn(
      { unreadCount: outcome.unreadCount },
      'Pushes of unknown outcome wait: the reads of Stripe of this day are used up',
    );
  }
  return outcome;
}

/** Plans what is due and hands over what is pending, page by page, in the order it was planned. */
async function* preparePages(deps: JobDependencies, outcome: PushOutcome): AsyncGenerator<PendingPush[]> {
  let afterId = 0n;
  let isPlanned = false;
  for (let size = FIRST_PAGE_SIZE; ; size = PAGE_SIZE) {
    if (!isPlanned) {
      const planned = await planPushes(deps.database, { now: deps.clock.now(), rowLimit: size });
      outcome.plannedCount += planned.pushCount;
      outcome.quarantinedRowCount += planned.quarantinedCount;
      isPlanned = planned.rowCount < size;
    }
    const page = await readPendingPushes(deps.database, { afterId, limit: size, now: deps.clock.now() });
    afterId = page.at(-1)?.meterPushId ?? afterId;
    if (page.length > 0) yield page;
    if (isPlanned && page.length < size) return;
  }
}

async function deliver(
  deps: JobDependencies,
  pushes: PendingPush[],
  outcome: PushOutcome,
  signal: AbortSignal | undefined,
): Promise<void> {
  const now = () => deps.clock.now();
  const isCertain = new Set(
    pushes.filter((push) => needsNoProof(push, now())).map((push) => push.meterPushId),
  );
  const marker = new AttemptMarker(deps.database, now, [...isCertain]);
  const recorder = new DeliveryRecorder(deps.database, now);
  const run: DoubtRun = { flushDeliveries: () => recorder.flush(), uncounted: new Set(), shown: new Map() };
  let failure: TallystickError | null = null;
  await runKeyedLanes<PendingPush>({
    tasks: pushes,
    keyOf: (push) => `${push.stripeCustomerId} ${push.eventName}`,
    concurrency: deps.settings.pushConcurrency,
    ...(signal === undefined ? {} : { signal }),
    run: async (push) => {
      // Tried before, its outcome unknown: then a refusal now does not say that Stripe has not counted it.
      let isUnproven = push.firstAttemptAt !== null;
      try {
        const verdict = await settleUncertain(deps, push, run, signal);
        if (verdict === 'unread') outcome.unreadCount += 1;
        if (verdict === 'settled' || verdict === 'unread') return 'continue';
        if (verdict === 'send_uncounted') isUnproven = false;
        const isMarked = isCertain.has(push.meterPushId)
          ? await marker.mark(push.meterPushId)
          : await marker.markAlone(push.meterPushId);
        if (!isMarked) return 'continue';
        const result = await deps.billing.sendMeterEvent(
          {
            eventName: push.eventName,
            stripeCustomerId: push.stripeCustomerId,
            value: push.sentValue,
            identifier: push.identifier,
            timestamp: push.eventTimestamp,
            spentKeyCount: push.spentKeyCount,
          },
          signal,
        );
        recorder.add(push.meterPushId);
        outcome.deliveredCount += 1;
        if (result === 'duplicate') outcome.duplicateCount += 1;
        return 'continue';
      } catch (error) {
        const known = toTallystickError(error);
        if (isAboutThisPush(known)) {
          await markPushRefused(deps.database, push.meterPushId, known.message, { isUnproven });
          deps.log.error(
            { meterPushId: String(push.meterPushId), reason: known.message },
            'Stripe refused a push',
          );
          outcome.refusedCount += 1;
          return 'continue';
        }
        failure ??= known;
        // Order within a lane matters to meters with an hour window; other customers go on unless Stripe is down.
        return known.code === 'UPSTREAM_THROTTLED' ? 'close-lane' : 'stop';
      }
    },
  }).finally(() => Promise.all([recorder.flush(), marker.settle()]));
  if (failure !== null) throw failure;
}

/**
 * A wrong key or a missing permission is refused too, and is no fault of any push. A refusal without a status
 * is our own, of an answer about this push that cannot be right.
 */
function isAboutThisPush(error: TallystickError): boolean {
  if (error.code === 'VALIDATION') return true;
  const { statusCode } = error.context;
  return (
    error.code === 'UPSTREAM_REJECTED' &&
    (statusCode === undefined || [400, 402, 404, 409].includes(Number(statusCode)))
  );
}
