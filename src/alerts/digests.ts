import { sql } from 'kysely';
import { addMs, DAY_MS } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { gatherDigest } from './digest-facts.ts';
import { raiseAlerts } from './raise.ts';
import { digestAfter, listRoutes } from './route-store.ts';

/**
 * Raises the digests that are due, each once for its time, and says when the next ones are. One without anything to say is skipped
 * where the route wants that.
 */
export async function raiseDueDigests(database: LedgerDatabase, now: Date): Promise<number> {
  const routes = (await listRoutes(database)).filter(
    ({ nextDigestAt }) => nextDigestAt !== null && nextDigestAt <= now,
  );
  let count = 0;
  for (const route of routes) {
    const due = route.nextDigestAt ?? now;
    // Whole days in UTC, as costs are kept: those that were over.
    const until = new Date(Math.floor(due.getTime() / DAY_MS) * DAY_MS);
    const days = route.digest === 'week' ? 7 : 1;
    const facts = await gatherDigest(database, {
      window: { start: addMs(until, -days * DAY_MS), end: until },
      customerId: route.customerId,
      now,
    });
    const isEmpty = facts.movers.length === 0 && facts.waits.length === 0 && facts.alertCount === 0;
    count += await database.transaction().execute(async (transaction) => {
      await sql`update alert_routes set next_digest_at = ${digestAfter(route, now)}
                where alert_route_id = ${route.routeId} and ended_at is null`.execute(transaction);
      if (isEmpty && route.skipsEmptyDigest) return 0;
      return await raiseAlerts(
        transaction,
        [
          {
            kind: 'digest',
            key: `digest:${route.routeId}:${until.toISOString()}`,
            customerId: route.customerId,
            audience: 'operator',
            severity: 'info',
            routeId: route.routeId,
            facts,
          },
        ],
        now,
      );
    });
  }
  return count;
}
