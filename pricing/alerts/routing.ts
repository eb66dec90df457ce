import { type AlertKind, SEVERITIES, type Severity } from './facts.ts';

/** What a route asks for. */
export interface RouteFilter {
  routeId: string;
  audience: 'operator' | 'customer';
  /** Null: of everybody. */
  customerId: string | null;
  /** Empty: all kinds. */
  kinds: readonly string[];
  leastSeverity: Severity;
}

export interface RoutedAlert {
  kind: AlertKind;
  audience: 'operator' | 'customer';
  customerId: string | null;
  severity: Severity;
  /** For this route alone. */
  routeId: string | null;
}

/** Whether an alert goes to a route. Of a customer only what is its own and may be told to it. */
export function goesTo(alert: RoutedAlert, route: RouteFilter): boolean {
  if (alert.routeId !== null) return alert.routeId === route.routeId;
  if (route.audience === 'customer' && (alert.audience !== 'customer' || route.customerId === null))
    return false;
  if (route.customerId !== null && alert.customerId !== route.customerId) return false;
  if (route.kinds.length > 0 && !route.kinds.includes(alert.kind)) return false;
  return SEVERITIES.indexOf(alert.severity) >= SEVERITIES.indexOf(route.leastSeverity);
}

/** One that waits to be sent for the first time. */
export interface Waiting {
  id: string;
  severity: Severity;
  /** A storm's summary and a test are never held back themselves. */
  isExempt: boolean;
}

export interface SendingPlan {
  send: string[];
  /** Told as one. */
  summarise: string[];
  /** Not before the hour has room again. */
  defer: string[];
}

/**
 * What of a route's queue is sent within its limit of an hour: the most severe first; what is too much is told as one, and waits
 * where even that has no room. Urgent ones have as much room of their own, so that others never hold them up.
 * @param sentCounts within the last hour
 */
export function planSending(
  waiting: readonly Waiting[],
  { hourlyLimit, sentCounts }: { hourlyLimit: number; sentCounts: { urgent: number; other: number } },
): SendingPlan {
  const plan: SendingPlan = { send: [], summarise: [], defer: [] };
  plan.send.push(...waiting.filter(({ isExempt }) => isExempt).map(({ id }) => id));
  for (const isUrgent of [true, false]) {
    const queue = waiting
      .filter(({ isExempt, severity }) => !isExempt && (severity === 'urgent') === isUrgent)
      .toSorted((left, right) => SEVERITIES.indexOf(right.severity) - SEVERITIES.indexOf(left.severity))
      .map(({ id }) => id);
    const room = Math.max(0, hourlyLimit - (isUrgent ? sentCounts.urgent : sentCounts.other));
    if (queue.length <= room) plan.send.push(...queue);
    else if (room === 0) plan.defer.push(...queue);
    else {
      plan.send.push(...queue.slice(0, room - 1));
      plan.summarise.push(...queue.slice(room - 1));
    }
  }
  return plan;
}
