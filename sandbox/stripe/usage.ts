import { DAY_MS, HOUR_MS } from '../../src/platform/clock.ts';
import type { WireMeter } from './http/wire.ts';

export interface UsageEvent {
  identifier: string;
  customerId: string;
  meterId: string;
  timestampSeconds: number;
  value: bigint;
  receivedMs: number;
  cancelled: boolean;
}

export interface UsageRange {
  /** Half-open, in seconds. */
  startSeconds: number;
  endSeconds: number;
  /** Only events received at or before this instant: aggregation lags. */
  receivedUntilMs: number;
}

const EVERYTHING: UsageRange = {
  startSeconds: Number.NEGATIVE_INFINITY,
  endSeconds: Number.POSITIVE_INFINITY,
  receivedUntilMs: Number.POSITIVE_INFINITY,
};

/** The meter events that were accepted, in the order in which they came, per customer and meter. */
export class UsageStore {
  readonly #byPair = new Map<string, UsageEvent[]>();

  add(event: UsageEvent): void {
    const pair = `${event.customerId}|${event.meterId}`;
    const events = this.#byPair.get(pair);
    if (events === undefined) this.#byPair.set(pair, [event]);
    else events.push(event);
  }

  /** A meter's aggregate over a range. With an event time window, only the newest event of each counts. */
  aggregate(customerId: string, meter: WireMeter, range: UsageRange = EVERYTHING): bigint {
    return combine(meter, this.#select(customerId, meter, range));
  }

  /** Aggregates per window of `windowSeconds`, aligned to UTC; windows without events are absent. */
  aggregateByWindow(
    customerId: string,
    meter: WireMeter,
    range: UsageRange | undefined,
    windowSeconds: number,
  ): Map<number, bigint> {
    const windows = new Map<number, UsageEvent[]>();
    for (const event of this.#select(customerId, meter, range ?? EVERYTHING)) {
      const start = event.timestampSeconds - (event.timestampSeconds % windowSeconds);
      const events = windows.get(start);
      if (events === undefined) windows.set(start, [event]);
      else events.push(event);
    }
    return new Map([...windows].map(([start, events]) => [start, combine(meter, events)]));
  }

  /** Customers that have events, those deleted since included. */
  customerIds(): Set<string> {
    return new Set([...this.#byPair.keys()].map((pair) => pair.slice(0, pair.indexOf('|'))));
  }

  /** Every (customer, meter) pair that has events. */
  pairs(): { customerId: string; meterId: string }[] {
    return [...this.#byPair.keys()].map((pair) => {
      const [customerId = '', meterId = ''] = pair.split('|');
      return { customerId, meterId };
    });
  }

  #select(customerId: string, meter: WireMeter, range: UsageRange): UsageEvent[] {
    const events = (this.#byPair.get(`${customerId}|${meter.id}`) ?? []).filter(
      (event) => !event.cancelled && event.receivedMs <= range.receivedUntilMs,
    );
    const inRange = (event: UsageEvent) =>
      event.timestampSeconds >= range.startSeconds && event.timestampSeconds < range.endSeconds;
    if (meter.event_time_window === null) return events.filter(inRange);
    const windowSeconds = (meter.event_time_window === 'day' ? DAY_MS : HOUR_MS) / 1_000;
    const newest = new Map<number, UsageEvent>();
    for (const event of events) newest.set(Math.floor(event.timestampSeconds / windowSeconds), event);
    return [...newest.values()].filter(inRange);
  }
}

function combine(meter: WireMeter, events: readonly UsageEvent[]): bigint {
  switch (meter.default_aggregation.formula) {
    case 'count':
      return BigInt(events.length);
    case 'last': {
      let last: UsageEvent | undefined;
      for (const event of events) {
        if (last === undefined || event.timestampSeconds >= last.timestampSeconds) last = event;
      }
      return last?.value ?? 0n;
    }
    default: {
      let sum = 0n;
      for (const event of events) sum += event.value;
      return sum;
    }
  }
}
