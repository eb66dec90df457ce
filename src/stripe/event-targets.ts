import type { CatalogTargets } from './port.ts';

/** The object that an event tells of, to be read again. */
export interface EventObject {
  eventType: string;
  objectType: string | null;
  objectId: string | null;
}

export type TargetKind = keyof CatalogTargets;

const KIND_OF_OBJECT: Record<string, TargetKind> = {
  customer: 'customerIds',
  subscription: 'subscriptionIds',
  invoice: 'invoiceIds',
  price: 'priceIds',
  product: 'productIds',
  'billing.meter': 'meterIds',
};

/** What changes something that the catalog holds, or tells of usage that was lost. */
const CATALOG_EVENT = /^(invoice|customer|product|price|billing\.meter)\.|^v1\.billing\.meter\./;

/** Kinds of events that are asked for and expected; others are accepted and counted all the same. */
const EXPECTED_EVENT =
  /^(invoice|invoiceitem|customer|product|price|plan|billing\.(meter|alert|credit_grant|credit_balance_transaction)|credit_note|payment_intent|charge|payment_method|test_helpers)\.|^v1\.billing\.meter\./;

/** Meter events that were answered 2xx and are lost: money. */
const LOST_USAGE_EVENT = /^v1\.billing\.meter\.(error_report_triggered|no_meter_found)$/;

/** Which object of the catalog an event makes worth reading again; null: none that it holds. */
export function catalogTargetOf(event: EventObject): { kind: TargetKind; id: string } | null {
  if (event.objectId === null || event.objectType === null || !CATALOG_EVENT.test(event.eventType)) {
    return null;
  }
  const kind = Object.hasOwn(KIND_OF_OBJECT, event.objectType) ? KIND_OF_OBJECT[event.objectType] : undefined;
  // An invoice that is only foretold has no id of its own, or one that nobody can ask for.
  if (kind === undefined || event.objectId.startsWith('upcoming_')) return null;
  return { kind, id: event.objectId };
}

export function isKnownStripeEvent(eventType: string): boolean {
  return EXPECTED_EVENT.test(eventType);
}

export function tellsOfLostUsage(eventType: string): boolean {
  return LOST_USAGE_EVENT.test(eventType);
}

/** No ids at all: where a list of targets begins. */
export function noTargets(): { [Kind in TargetKind]: string[] } {
  return {
    customerIds: [],
    subscriptionIds: [],
    invoiceIds: [],
    meterIds: [],
    priceIds: [],
    productIds: [],
  };
}
