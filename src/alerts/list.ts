import { type RawBuilder, sql } from 'kysely';
import type { AlertKind, Severity } from '../../pricing/alerts/facts.ts';
import type { LedgerDatabase, LedgerTransaction } from '../platform/database/database.ts';
import { TallystickError } from '../platform/errors.ts';

export const DELIVERY_STATES = [
  'waiting',
  'sent',
  'given_up',
  'summarised',
  'undone',
  'route_ended',
] as const;

/** What became of an alert on one route. */
interface AlertDelivery {
  routeId: string;
  routeName: string;
  state: (typeof DELIVERY_STATES)[number];
  messageId: string;
  attemptCount: number;
  nextAttemptAt: string | null;
  sentAt: string | null;
  lastError: string | null;
}

export interface ListedAlert {
  alertId: bigint;
  kind: AlertKind;
  customerId: string | null;
  customerName: string | null;
  audience: 'operator' | 'customer';
  severity: Severity;
  facts: unknown;
  ending: 'undone' | 'settled' | null;
  withdrawsAlertId: bigint | null;
  raisedAt: Date;
  isStanding: boolean;
  endedAt: Date | null;
  acknowledgedAt: Date | null;
  acknowledgedBy: string | null;
  acknowledgedReason: string | null;
  /** The alert that took it back; null: none did. */
  withdrawnByAlertId: bigint | null;
  /** Why it was taken back. */
  withdrawnAs: 'undone' | 'settled' | null;
  deliveries: AlertDelivery[];
}

export interface AlertFilter {
  kind?: AlertKind | undefined;
  customerId?: string | undefined;
  /** Only with a delivery in this state. */
  state?: AlertDelivery['state'] | undefined;
  /** Only what nobody acknowledged. */
  isUnseen?: boolean;
}

/** Alerts before a given one, the newest first, each with what became of it. */
export async function listAlerts(
  database: LedgerDatabase | LedgerTransaction,
  filter: AlertFilter,
  { beforeId, limit, offset = 0 }: { beforeId: bigint | null; limit: number; offset?: number },
): Promise<ListedAlert[]> {
  const isBefore = beforeId === null ? sql`true` : sql`alert.alert_id < ${String(beforeId)}::bigint`;
  return await select(database, sql`${isBefore} and ${matches(filter)}`, { limit, offset });
}

/** How many alerts a filter leaves. */
export async function countAlerts(
  database: LedgerDatabase | LedgerTransaction,
  filter: AlertFilter,
): Promise<number> {
  const { rows } = await sql<{
    count: bigint;
  }>`select count(*) as count from alerts as alert where ${matches(filter)}`.execute(database);
  return Number(rows[0]?.count ?? 0n);
}

function matches({ kind, customerId, state, isUnseen }: AlertFilter): RawBuilder<unknown> {
  return sql`${kind === undefined ? sql`true` : sql`alert.kind = ${kind}`}
    and ${customerId === undefined ? sql`true` : sql`alert.customer_id = ${customerId}`}
    and ${isUnseen === true ? sql`alert.acknowledged_at is null` : sql`true`}
    and ${
      state === undefined
        ? sql`true`
        : sql`exists (select from alert_deliveries as one where one.alert_id = alert.alert_id and one.state = ${state})`
    }`;
}

/** @throws TallystickError NOT_FOUND */
export async function getAlert(
  database: LedgerDatabase | LedgerTransaction,
  alertId: bigint,
): Promise<ListedAlert> {
  const [alert] = await select(database, sql`alert.alert_id = ${String(alertId)}::bigint`, { limit: 1 });
  if (alert !== undefined) return alert;
  throw new TallystickError(`There is no alert ${alertId}.`, {
    code: 'NOT_FOUND',
    retry: false,
    fix: 'GET /v1/alerts, or "tallystick alerts", lists them.',
  });
}

async function select(
  database: LedgerDatabase | LedgerTransaction,
  where: RawBuilder<unknown>,
  { limit, offset = 0 }: { limit: number; offset?: number },
): Promise<ListedAlert[]> {
  const instant = (column: string) =>
    sql.raw(`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`);
  const { rows } = await sql<ListedAlert>`
    select alert.alert_id as "alertId", kind, alert.customer_id as "customerId",
      coalesce(customers.name, alert.customer_id) as "customerName", audience, severity, facts, ending,
      withdraws_alert_id as "withdrawsAlertId", raised_at as "raisedAt", is_standing as "isStanding", alert.ended_at as "endedAt",
      acknowledged_at as "acknowledgedAt", acknowledged_by as "acknowledgedBy", acknowledged_reason as "acknowledgedReason",
      (select taking.alert_id from alerts as taking where taking.withdraws_alert_id = alert.alert_id) as "withdrawnByAlertId",
      (select taking.ending from alerts as taking where taking.withdraws_alert_id = alert.alert_id) as "withdrawnAs",
      coalesce((
        select jsonb_agg(jsonb_build_object('routeId', delivery.alert_route_id, 'routeName', route.name, 'state', delivery.state,
          'messageId', message_id, 'attemptCount', attempt_count, 'nextAttemptAt', ${instant('next_attempt_at')},
          'sentAt', ${instant('sent_at')}, 'lastError', (
            select error from alert_attempts as attempt where attempt.alert_delivery_id = delivery.alert_delivery_id
            order by attempt_number desc limit 1)) order by route.name, delivery.alert_route_id)
        from alert_deliveries as delivery join alert_routes as route using (alert_route_id)
        where delivery.alert_id = alert.alert_id), '[]') as deliveries
    from alerts as alert left join customers on customers.customer_id = alert.customer_id
    where ${where} order by alert.alert_id desc limit ${limit} offset ${offset}`.execute(database);
  return rows;
}
