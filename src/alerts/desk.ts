import { sql } from 'kysely';
import { writeAudit } from '../platform/database/audit.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { TallystickError } from '../platform/errors.ts';
import { randomText } from '../platform/random-text.ts';
import { getAlert, type ListedAlert } from './list.ts';
import { raiseAlerts } from './raise.ts';
import { type AlertRoute, getRoute } from './route-store.ts';

interface Act {
  actor: string;
  now: Date;
}

/** A person sees to an alert. Said again it changes nothing. @throws TallystickError NOT_FOUND */
export async function acknowledgeAlert(
  database: LedgerDatabase,
  { alertId, reason, actor, now }: Act & { alertId: bigint; reason: string | null },
): Promise<ListedAlert> {
  return await database.transaction().execute(async (transaction) => {
    const said = await sql`
      update alerts set acknowledged_at = ${now}, acknowledged_by = ${actor}, acknowledged_reason = ${reason}
      where alert_id = ${String(alertId)}::bigint and acknowledged_at is null`.execute(transaction);
    const alert = await getAlert(transaction, alertId);
    if (said.numAffectedRows === 1n) {
      await writeAudit(transaction, {
        actor,
        action: 'alerts.acknowledge',
        target: `alert-${alertId}`,
        details: { customer_id: alert.customerId, kind: alert.kind, reason },
        now,
      });
    }
    return alert;
  });
}

/**
 * Sends an alert to a route again. What was given up keeps its id, so that a receiver that has it after all drops it; what was sent
 * gets another, or it would be dropped.
 * @throws TallystickError NOT_FOUND; CONFLICT while it waits anyway, or when it is not to be sent any more
 */
export async function resendAlert(
  database: LedgerDatabase,
  { alertId, routeId, actor, now }: Act & { alertId: bigint; routeId: string },
): Promise<ListedAlert> {
  return await database.transaction().execute(async (transaction) => {
    const route = await getRoute(transaction, routeId);
    const alert = await getAlert(transaction, alertId);
    const again = await sql`
      update alert_deliveries set state = 'waiting', attempt_count = 0, next_attempt_at = ${now}, sent_at = null,
        message_id = case when state = 'sent' then ${`msg_${randomText(16)}`} else message_id end
      where alert_id = ${String(alertId)}::bigint and alert_route_id = ${routeId}
        and state in ('sent', 'given_up', 'summarised')`.execute(transaction);
    if (again.numAffectedRows !== 1n) {
      throw new TallystickError(`Alert ${alertId} is not to be sent to ${route.name} again.`, {
        code: 'CONFLICT',
        retry: false,
        fix: 'Send again what was sent, given up or told with others.',
      });
    }
    await writeAudit(transaction, {
      actor,
      action: 'alerts.resend',
      target: `alert-${alertId}`,
      details: { customer_id: alert.customerId, route: routeId },
      now,
    });
    return await getAlert(transaction, alertId);
  });
}

/** Puts a test on its way to one route, whatever that route asks for. @throws TallystickError NOT_FOUND */
export async function testRoute(
  database: LedgerDatabase,
  { routeId, actor, now }: Act & { routeId: string },
): Promise<AlertRoute> {
  return await database.transaction().execute(async (transaction) => {
    const route = await getRoute(transaction, routeId);
    const key = `test:${routeId}:${randomText(8)}`;
    const facts = { askedBy: route.audience === 'customer' ? 'Your provider' : actor };
    await raiseAlerts(
      transaction,
      [{ kind: 'test', key, customerId: null, audience: 'operator', severity: 'info', routeId, facts }],
      now,
    );
    await writeAudit(transaction, {
      actor,
      action: 'alert_routes.test',
      target: routeId,
      details: { name: route.name, customer_id: route.customerId },
      now,
    });
    return route;
  });
}
