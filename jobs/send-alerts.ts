import { assignRoutes } from '../src/alerts/assign.ts';
import { type DeliveredAlerts, deliverDue } from '../src/alerts/deliver.ts';
import { raiseDueDigests } from '../src/alerts/digests.ts';
import { type GatheredAlerts, gatherAlerts } from '../src/alerts/gather.ts';
import type { AlertTools } from '../src/alerts/tools.ts';
import { DAY_MS } from '../src/platform/clock.ts';
import type { JobDependencies } from './dependencies.ts';

/** Nothing to send with: alerts are kept and listed all the same. */
const NO_TOOLS: AlertTools = {
  settings: { smtpUrl: null, from: null, listedOrigins: [], secrets: {} },
  quarantineAfterMs: DAY_MS,
};

/**
 * Tells people what they asked to hear: raises what is new, withdraws what is no longer so, and sends what is due. Each is committed
 * before the next, a try before its call: whatever dies in between is done by the next run, under the same ids.
 */
export async function sendAlerts(
  deps: Pick<JobDependencies, 'database' | 'clock' | 'log' | 'alerts'>,
  signal?: AbortSignal,
): Promise<Omit<GatheredAlerts, 'hasWork'> & DeliveredAlerts> {
  const { database, clock, log, alerts: tools = NO_TOOLS } = deps;
  const { hasWork, ...gathered } = await gatherAlerts(database, {
    now: clock.now(),
    quarantineAfterMs: tools.quarantineAfterMs,
  });
  if (!hasWork) return { ...gathered, sentCount: 0, failedCount: 0, givenUpCount: 0 };
  await raiseDueDigests(database, clock.now());
  await assignRoutes(database, clock.now(), signal);
  const delivered = await deliverDue({ database, clock, log, tools }, signal);
  // A storm's summary is an alert of its own.
  const summed = await assignRoutes(database, clock.now(), signal);
  if (summed === 0) return { ...gathered, ...delivered };
  const more = await deliverDue({ database, clock, log, tools }, signal);
  return {
    ...gathered,
    sentCount: delivered.sentCount + more.sentCount,
    failedCount: delivered.failedCount + more.failedCount,
    givenUpCount: delivered.givenUpCount + more.givenUpCount,
  };
}
