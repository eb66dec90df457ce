import { sayToCustomer } from '../../pricing/alerts/customer-words.ts';
import { type AlertKind, FACTS, type FactsOf } from '../../pricing/alerts/facts.ts';
import type { AlertMessage } from '../../pricing/alerts/message.ts';
import { sayToOperator, type TellableAlert } from '../../pricing/alerts/operator-words.ts';
import type { DueDelivery } from './queue.ts';
import type { AlertRoute } from './route-store.ts';

/** In the words for whoever listens there. */
export function messageFor(
  delivery: Pick<DueDelivery, 'kind' | 'customerId' | 'customerName' | 'facts' | 'ending'>,
  route: Pick<AlertRoute, 'audience' | 'locale' | 'subjectTemplate' | 'bodyTemplate'>,
): AlertMessage {
  const { kind, customerName, ending } = delivery;
  const facts = FACTS[kind].parse(delivery.facts);
  if (route.audience === 'customer' && kind === 'budget') {
    return sayToCustomer(facts as FactsOf<'budget'>, { customerName: customerName ?? '', ending }, route);
  }
  const message = sayToOperator({ kind, customerName, facts, ending } as TellableAlert<AlertKind>);
  return route.audience === 'customer' ? { ...message, path: null } : message;
}

/** As people of the house read it, whoever is told. */
export function operatorMessage(alert: Parameters<typeof messageFor>[0]): AlertMessage {
  return messageFor(alert, {
    audience: 'operator',
    locale: 'en',
    subjectTemplate: null,
    bodyTemplate: null,
  });
}
