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

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A ULID of the given instant whose random part is a counter, so that ids sort and repeat by seed. */
export function makeUlid(nowMs: number, counter: number): string {
  const digits = (value: number, length: number) => {
    let text = '';
    for (let rest = value; text.length < length; rest = Math.floor(rest / 32))
      text = CROCKFORD[rest % 32] + text;
    return text;
  };
  return digits(nowMs, 10) + digits(counter, 16);
}
