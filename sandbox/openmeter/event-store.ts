import { USAGE_EVENT_TYPE } from '../../src/openmeter/port.ts';
import { compileJsonPath, type JsonPath, parseFloat64, textAt } from './json-path.ts';
import { makeUlid } from './ulid.ts';

const HOUR_SECONDS = 3_600;

/** An event as the queue carries it. Times are whole seconds, because OpenMeter cuts them. */
export interface QueuedEvent {
  id: string;
  source: string;
  type: string;
  subject: string;
  timeSeconds: number;
  ingestedAtMs: number;
  data: Record<string, unknown> | null;
}

export interface StoredEvent extends QueuedEvent {
  storedAtMs: number;
  /** Of its row in the table: a ULID, later rows have greater ones. */
  storeRowId: string;
}

/** Events of one type and hour, with each property read out of the JSON once and kept as a column. */
export class HourBucket {
  readonly events: StoredEvent[] = [];
  readonly #texts = new Map<string, string[]>();
  readonly #numbers = new Map<string, number[]>();

  /** Column of a property as text, aligned with `events`. */
  texts(path: string): readonly string[] {
    const column = getOrMake(this.#texts, path, () => []);
    const steps = compiled(path);
    for (let index = column.length; index < this.events.length; index += 1) {
      column.push(textAt(this.events[index]?.data, steps));
    }
    return column;
  }

  /** The same as float64, NaN where there is no finite number. */
  numbers(path: string): readonly number[] {
    const column = getOrMake(this.#numbers, path, () => []);
    const texts = this.texts(path);
    for (let index = column.length; index < texts.length; index += 1) {
      column.push(parseFloat64(texts[index] ?? ''));
    }
    return column;
  }
}

const paths = new Map<string, JsonPath>();
function compiled(path: string): JsonPath {
  return getOrMake(paths, path, () => compileJsonPath(path) ?? ['']);
}

function getOrMake<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

/** What ClickHouse holds: an append-only table, found by type and hour, and by id. */
export class EventStore {
  readonly #hoursOfType = new Map<string, Map<number, HourBucket>>();
  readonly #byId = new Map<string, StoredEvent[]>();
  readonly #tokensOfSubject = new Map<string, bigint>();

  #rowCount = 0;

  add(queued: QueuedEvent, storedAtMs: number): void {
    this.#rowCount += 1;
    const event: StoredEvent = { ...queued, storedAtMs, storeRowId: makeUlid(storedAtMs, this.#rowCount) };
    const hour = Math.floor(event.timeSeconds / HOUR_SECONDS);
    const hours = getOrMake(this.#hoursOfType, event.type, () => new Map<number, HourBucket>());
    getOrMake(hours, hour, () => new HourBucket()).events.push(event);
    getOrMake(this.#byId, event.id, () => []).push(event);
    if (event.type === USAGE_EVENT_TYPE) {
      const tokens = integerOf(event.data?.prompt_tokens) + integerOf(event.data?.completion_tokens);
      this.#tokensOfSubject.set(event.subject, (this.#tokensOfSubject.get(event.subject) ?? 0n) + tokens);
    }
  }

  /** Buckets of a type that overlap `[fromSeconds, toSeconds)`, oldest first; null means unbounded. */
  buckets(type: string, fromSeconds: number | null, toSeconds: number | null): [number, HourBucket][] {
    const hours = this.#hoursOfType.get(type);
    if (hours === undefined) return [];
    const first = fromSeconds === null ? -Infinity : Math.floor(fromSeconds / HOUR_SECONDS);
    const last = toSeconds === null ? Infinity : Math.ceil(toSeconds / HOUR_SECONDS);
    if (last - first < hours.size) {
      const found: [number, HourBucket][] = [];
      for (let hour = first; hour < last; hour += 1) {
        const bucket = hours.get(hour);
        if (bucket !== undefined) found.push([hour, bucket]);
      }
      return found;
    }
    return [...hours]
      .filter(([hour]) => hour >= first && hour < last)
      .sort(([left], [right]) => left - right);
  }

  /** Every stored event of a type, oldest hour first. */
  eventsOf(type: string): StoredEvent[] {
    return this.buckets(type, null, null).flatMap(([, bucket]) => bucket.events);
  }

  types(): string[] {
    return [...this.#hoursOfType.keys()];
  }

  withId(id: string): readonly StoredEvent[] {
    return this.#byId.get(id) ?? [];
  }

  /** Prompt plus completion tokens of every stored usage event, exactly, by subject. */
  tokensBySubject(): Map<string, bigint> {
    return new Map(this.#tokensOfSubject);
  }
}

function integerOf(value: unknown): bigint {
  if (typeof value === 'string' && /^-?\d+$/.test(value)) return BigInt(value);
  return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : 0n;
}
