import { sql } from 'kysely';
import type { AlertKind, Severity } from '../../pricing/alerts/facts.ts';
import { afterQuietHours } from '../../pricing/alerts/local-time.ts';
import { goesTo } from '../../pricing/alerts/routing.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { type AlertRoute, listRoutes, quietHoursOf } from './route-store.ts';

/** Of one transaction; the rest follows. */
const MOST_AT_ONCE = 500;

interface Unrouted {
  alertId: bigint;
  kind: AlertKind;
  audience: 'operator' | 'customer';
  customerId: string | null;
  severity: Severity;
  routeId: string | null;
  withdrawsAlertId: bigint | null;
  raisedAt: Date;
}

/** Finds for every alert the routes that it goes to, in the order in which they were raised. @returns how many deliveries wait */
export async function assignRoutes(
  database: LedgerDatabase,
  now: Date,
  signal?: AbortSignal,
): Promise<number> {
  for (let count = 0; ; ) {
    signal?.throwIfAborted();
    const done = await database
      .transaction()
      .execute(async (transaction) => await assignSome(transaction, now));
    count += done.deliveryCount;
    if (done.alertCount < MOST_AT_ONCE) return count;
  }
}

async function assignSome(
  transaction: LedgerTransaction,
  now: Date,
): Promise<{ alertCount: number; deliveryCount: number }> {
  const { rows: alerts } = await sql<Unrouted>`
    select alert_id as "alertId", kind, audience, customer_id as "customerId", severity, alert_route_id as "routeId",
      withdraws_alert_id as "withdrawsAlertId", raised_at as "raisedAt"
    from alerts where routed_at is null order by alert_id limit ${MOST_AT_ONCE} for update`.execute(
    transaction,
  );
  if (alerts.length === 0) return { alertCount: 0, deliveryCount: 0 };
  const routes = await listRoutes(transaction);
  let deliveryCount = 0;
  for (const alert of alerts) {
    const heard =
      alert.withdrawsAlertId === null ? null : await takeBack(transaction, alert.withdrawsAlertId);
    const wanted = routes.filter((route) =>
      heard === null
        ? route.createdAt <= alert.raisedAt && goesTo(alert, route)
        : heard.includes(route.routeId),
    );
    for (const route of wanted) {
      await insertDelivery(transaction, { alert, route, now });
      deliveryCount += 1;
    }
  }
  await sql`update alerts set routed_at = ${now} where alert_id = any(${alerts.map(({ alertId }) => String(alertId))}::bigint[])`.execute(
    transaction,
  );
  return { alertCount: alerts.length, deliveryCount };
}

async function insertDelivery(
  transaction: LedgerTransaction,
  { alert, route, now }: { alert: Unrouted; route: AlertRoute; now: Date },
): Promise<void> {
  const quiet = alert.kind === 'test' ? null : quietHoursOf(route, alert.severity);
  await sql`
    insert into alert_deliveries (alert_id, alert_route_id, message_id, state, created_at, next_attempt_at)
    values (${String(alert.alertId)}::bigint, ${route.routeId}, 'msg_' || replace(gen_random_uuid()::text, '-', ''), 'waiting',
      ${now}, ${afterQuietHours(now, quiet)})
    on conflict do nothing`.execute(transaction);
}

/**
 * What was not sent yet of an undone alert is not sent any more.
 * @returns the routes that heard of it, or may have: a call that no answer came to
 */
async function takeBack(transaction: LedgerTransaction, alertId: bigint): Promise<string[]> {
  const id = String(alertId);
  const { rows } = await sql<{ routeId: string }>`
    select alert_route_id as "routeId" from alert_deliveries as delivery
    where alert_id = ${id}::bigint and (state = 'sent' or exists (
      select from alert_attempts as attempt where attempt.alert_delivery_id = delivery.alert_delivery_id
        and ended_at is null))`.execute(transaction);
  await sql`update alert_deliveries set state = 'undone', next_attempt_at = null
            where alert_id = ${id}::bigint and state = 'waiting'`.execute(transaction);
  return rows.map(({ routeId }) => routeId);
}
