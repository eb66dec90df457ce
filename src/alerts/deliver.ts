import type { Clock } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import type { Logger } from '../platform/log.ts';
import { beginAttempt, type DueDelivery, endAttempt, readDue } from './queue.ts';
import type { AlertRoute } from './route-store.ts';
import { sendDelivery } from './send.ts';
import type { AlertTools } from './tools.ts';

export interface DeliveredAlerts {
  sentCount: number;
  failedCount: number;
  givenUpCount: number;
}

/**
 * Sends what is due. Routes do not wait for each other; one that fails is left alone for the rest of this run, so that a receiver
 * that hangs costs one time limit.
 */
export async function deliverDue(
  deps: { database: LedgerDatabase; clock: Clock; log: Logger; tools: AlertTools },
  signal?: AbortSignal,
): Promise<DeliveredAlerts> {
  const result = { sentCount: 0, failedCount: 0, givenUpCount: 0 };
  const due = await readDue(deps.database, deps.clock.now());
  await Promise.all(
    due.map(async ({ route, deliveries }) => {
      for (const delivery of deliveries) {
        signal?.throwIfAborted();
        const state = await tryOnce(deps, { route, delivery }, signal);
        if (state === null) continue;
        result.sentCount += state === 'sent' ? 1 : 0;
        result.failedCount += state === 'waiting' ? 1 : 0;
        result.givenUpCount += state === 'given_up' ? 1 : 0;
        if (state !== 'sent') break;
      }
    }),
  );
  return result;
}

async function tryOnce(
  { database, clock, log, tools }: { database: LedgerDatabase; clock: Clock; log: Logger; tools: AlertTools },
  { route, delivery }: { route: AlertRoute; delivery: DueDelivery },
  signal?: AbortSignal,
): Promise<'sent' | 'waiting' | 'given_up' | null> {
  const attemptNumber = await beginAttempt(database, { delivery, route, now: clock.now() });
  if (attemptNumber === null) return null;
  const outcome = await sendDelivery({ delivery, route }, tools, signal);
  const state = await endAttempt(database, { delivery, attemptNumber, outcome, now: clock.now() });
  if (!outcome.isSent) {
    const { alertId, messageId } = delivery;
    const fields = { route: route.routeId, alert: String(alertId), messageId, error: outcome.error };
    log.warn(
      fields,
      state === 'given_up' ? 'An alert was given up, see /v1/alerts' : 'An alert could not be sent',
    );
  }
  return state;
}
