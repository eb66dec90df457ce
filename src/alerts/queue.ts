import { sql } from 'kysely';
import type { AlertKind, Severity } from '../../pricing/alerts/facts.ts';
import { afterQuietHours } from '../../pricing/alerts/local-time.ts';
import { MOST_ATTEMPTS, pauseAfterMs } from '../../pricing/alerts/retry.ts';
import { planSending } from '../../pricing/alerts/routing.ts';
import { addMs, HOUR_MS } from '../platform/clock.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { raiseAlerts } from './raise.ts';
import { type AlertRoute, listRoutes, quietHoursOf } from './route-store.ts';

/** Of one route in one run; more than any route takes in an hour. */
const MOST_OF_ROUTE = 2_000;

/** An alert on its way to one route. */
export interface DueDelivery {
  deliveryId: bigint;
  alertId: bigint;
  messageId: string;
  kind: AlertKind;
  severity: Severity;
  customerId: string | null;
  customerName: string | null;
  facts: unknown;
  ending: 'undone' | 'settled' | null;
  raisedAt: Date;
  /** Of the alert that it takes back, on the same route. */
  withdrawsMessageId: string | null;
  attemptCount: number;
}

/**
 * What is due, by route. What is more than a route takes in an hour is told as one, or waits: see `planSending`.
 */
export async function readDue(
  database: LedgerDatabase,
  now: Date,
): Promise<{ route: AlertRoute; deliveries: DueDelivery[] }[]> {
  const routes = await listRoutes(database);
  const due = [];
  for (const route of routes) {
    const deliveries = await database
      .transaction()
      .execute(async (transaction) => await takeTurn(transaction, route, now));
    if (deliveries.length > 0) due.push({ route, deliveries });
  }
  return due;
}

async function takeTurn(
  transaction: LedgerTransaction,
  route: AlertRoute,
  now: Date,
): Promise<DueDelivery[]> {
  const { rows: due } = await sql<DueDelivery & { createdAt: Date }>`
    select delivery.alert_delivery_id as "deliveryId", delivery.alert_id as "alertId", delivery.message_id as "messageId", alert.kind, alert.severity,
      alert.customer_id as "customerId", coalesce(customers.name, alert.customer_id) as "customerName", alert.facts, alert.ending,
      alert.raised_at as "raisedAt", delivery.attempt_count as "attemptCount", delivery.created_at as "createdAt",
      earlier.message_id as "withdrawsMessageId"
    from alert_deliveries as delivery join alerts as alert on alert.alert_id = delivery.alert_id
    left join customers on customers.customer_id = alert.customer_id
    left join alert_deliveries as earlier on earlier.alert_id = alert.withdraws_alert_id
      and earlier.alert_route_id = delivery.alert_route_id
    where delivery.alert_route_id = ${route.routeId} and delivery.state = 'waiting' and delivery.next_attempt_at <= ${now}
    order by delivery.alert_delivery_id limit ${MOST_OF_ROUTE} for update of delivery`.execute(transaction);
  // What was tried already has had its place in an hour.
  const fresh = due.filter(({ attemptCount }) => attemptCount === 0);
  if (fresh.length === 0) return due;
  const plan = planSending(
    fresh.map(({ deliveryId, severity, kind }) => ({
      id: String(deliveryId),
      severity,
      isExempt: kind === 'storm' || kind === 'test',
    })),
    { hourlyLimit: route.hourlyLimit, sentCounts: await countSent(transaction, route.routeId, now) },
  );
  if (plan.defer.length > 0) {
    await sql`update alert_deliveries set next_attempt_at = ${addMs(now, HOUR_MS / 4)}
              where alert_delivery_id = any(${plan.defer}::bigint[])`.execute(transaction);
  }
  const summarised = fresh.filter(({ deliveryId }) => plan.summarise.includes(String(deliveryId)));
  if (summarised.length > 0) await summarise(transaction, { route, summarised, now });
  const held = new Set([...plan.defer, ...plan.summarise]);
  return due.filter(({ deliveryId }) => !held.has(String(deliveryId)));
}

/** First tries of the last hour. */
async function countSent(
  transaction: LedgerTransaction,
  routeId: string,
  now: Date,
): Promise<{ urgent: number; other: number }> {
  const { rows } = await sql<{ urgent: bigint; other: bigint }>`
    select count(*) filter (where severity = 'urgent') as urgent, count(*) filter (where severity <> 'urgent') as other
    from alert_attempts join alert_deliveries using (alert_delivery_id) join alerts using (alert_id)
    where began_at > ${addMs(now, -HOUR_MS)} and attempt_number = 1 and alert_deliveries.alert_route_id = ${routeId}
      and kind <> 'test'`.execute(transaction);
  return { urgent: Number(rows[0]?.urgent ?? 0n), other: Number(rows[0]?.other ?? 0n) };
}

async function summarise(
  transaction: LedgerTransaction,
  {
    route,
    summarised,
    now,
  }: { route: AlertRoute; summarised: (DueDelivery & { createdAt: Date })[]; now: Date },
): Promise<void> {
  await sql`update alert_deliveries set state = 'summarised', next_attempt_at = null
            where alert_delivery_id = any(${summarised.map(({ deliveryId }) => String(deliveryId))}::bigint[])`.execute(
    transaction,
  );
  const kinds = Map.groupBy(summarised, ({ kind }) => kind);
  await raiseAlerts(
    transaction,
    [
      {
        kind: 'storm',
        key: `storm:${route.routeId}:${summarised[0]?.deliveryId}`,
        customerId: route.audience === 'customer' ? route.customerId : null,
        audience: 'operator',
        severity: 'warning',
        routeId: route.routeId,
        facts: {
          from: (summarised[0]?.createdAt ?? now).toISOString(),
          until: now.toISOString(),
          count: summarised.length,
          urgentCount: summarised.filter(({ severity }) => severity === 'urgent').length,
          byKind: [...kinds].map(([kind, alerts]) => ({ kind, count: alerts.length })),
        },
      },
    ],
    now,
  );
}

/**
 * Writes down that a delivery is being tried, before it is: whoever dies then leaves it to the next try, under the same id.
 * @returns the number of the try; null: somebody else ended or tried it
 */
export async function beginAttempt(
  database: LedgerDatabase,
  { delivery, route, now }: { delivery: DueDelivery; route: AlertRoute; now: Date },
): Promise<number | null> {
  const pauseMs = pauseAfterMs(delivery.attemptCount + 1) ?? 0;
  const next = afterQuietHours(
    addMs(now, pauseMs),
    delivery.kind === 'test' ? null : quietHoursOf(route, delivery.severity),
  );
  const { rows } = await sql<{ number: number }>`
    with tried as (
      update alert_deliveries set attempt_count = attempt_count + 1, next_attempt_at = ${next}
      where alert_delivery_id = ${String(delivery.deliveryId)}::bigint and state = 'waiting'
        and attempt_count = ${delivery.attemptCount} returning alert_delivery_id)
    insert into alert_attempts (alert_delivery_id, attempt_number, began_at)
    select alert_delivery_id, 1 + (select count(*) from alert_attempts as earlier where earlier.alert_delivery_id = tried.alert_delivery_id),
      ${now} from tried returning attempt_number as number`.execute(database);
  return rows[0]?.number ?? null;
}

/** How a try ended. Without an answer nobody knows whether it arrived. */
export interface AttemptOutcome {
  isSent: boolean;
  hasAnswer: boolean;
  answerStatus: number | null;
  error: string | null;
  /** Whoever is there says that it wants no more. */
  isFinal: boolean;
}

/** @returns the state of the delivery then */
export async function endAttempt(
  database: LedgerDatabase,
  {
    delivery,
    attemptNumber,
    outcome,
    now,
  }: { delivery: DueDelivery; attemptNumber: number; outcome: AttemptOutcome; now: Date },
): Promise<'sent' | 'waiting' | 'given_up'> {
  const isOver = outcome.isFinal || delivery.attemptCount + 1 >= MOST_ATTEMPTS;
  const state = outcome.isSent ? 'sent' : isOver ? 'given_up' : 'waiting';
  await sql`
    with attempt as (
      update alert_attempts set ended_at = ${outcome.hasAnswer ? now : null}, answer_status = ${outcome.answerStatus},
        error = ${outcome.error}
      where alert_delivery_id = ${String(delivery.deliveryId)}::bigint and attempt_number = ${attemptNumber})
    update alert_deliveries set state = ${state}, sent_at = ${outcome.isSent ? now : null},
      next_attempt_at = case when ${state} = 'waiting' then next_attempt_at end
    where alert_delivery_id = ${String(delivery.deliveryId)}::bigint and state = 'waiting'`.execute(database);
  return state;
}
