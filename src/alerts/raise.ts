import { type AlertKind, FACTS, type FactsOf, type Severity } from '../../pricing/alerts/facts.ts';
import type { LedgerTransaction } from '../platform/database/database.ts';

/** What somebody should hear of. */
export type NewAlert = {
  [Kind in AlertKind]: {
    kind: Kind;
    /** What is told of, once and for all time: of a step of a budget, that step in that window. */
    key: string;
    /** What lasts, and of which one alert stands at a time; absent: it happened, and does not last. */
    topic?: string;
    customerId: string | null;
    /** `customer`: its customer may be told, too. */
    audience: 'operator' | 'customer';
    severity: Severity;
    facts: FactsOf<Kind>;
    /** For this route alone. */
    routeId?: string;
  };
}[AlertKind];

/**
 * Keeps what is to be told, in the transaction of the fact; `send-alerts` tells it. What was raised before under its key, or stands
 * under its topic, is not raised again.
 * @throws ZodError for facts that are not those of their kind
 * @returns how many are new
 */
export async function raiseAlerts(
  transaction: LedgerTransaction,
  alerts: readonly NewAlert[],
  now: Date,
): Promise<number> {
  if (alerts.length === 0) return 0;
  const raised = await transaction
    .insertInto('alerts')
    .values(
      alerts.map(({ kind, key, topic, customerId, audience, severity, facts, routeId }) => ({
        kind,
        key,
        topic: topic ?? key,
        is_standing: topic !== undefined,
        customer_id: customerId,
        audience,
        severity,
        facts: JSON.stringify(FACTS[kind].parse(facts)),
        alert_route_id: routeId ?? null,
        raised_at: now,
      })),
    )
    .onConflict((conflict) => conflict.doNothing())
    .returning('alert_id')
    .execute();
  return raised.length;
}
