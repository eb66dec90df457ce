import type { Customer, CustomerCreate, Meter, MeterCreate } from '@openmeter/sdk';
import type { QueuedEvent } from './event-store.ts';
import type { SinkOutage } from './sink.ts';
import type { Wire } from './wire.ts';

export type WireMeter = Wire<Meter>;
export type WireMeterCreate = Wire<MeterCreate>;
export type WireCustomer = Wire<Customer>;
export type WireCustomerCreate = Wire<CustomerCreate>;

/** One effect on the stand-in's state, written before its answer leaves. */
export type JournalEntry =
  | { at: number; kind: 'events'; events: QueuedEvent[] }
  | { at: number; kind: 'meter'; meter: WireMeter }
  | { at: number; kind: 'customer'; customer: WireCustomer }
  | { at: number; kind: 'dedupe'; dedupe: { windowMs: number } | null }
  | { at: number; kind: 'outage'; outage: SinkOutage | null };
