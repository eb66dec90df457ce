/**
 * A stand-in for a self-hosted OpenMeter, over HTTP, in memory, with a journal.
 *
 * It models what hurts: 204 before anything is stored, and possibly never; data visible only after the sink's
 * flush (500 messages or 2 s of virtual time); deduplication on `namespace-source-id`, joined without escaping,
 * first writer wins, inside a window or not at all; one bad event refuses its whole batch; exact content types;
 * times cut to whole seconds; numbers as float64, also those sent as text; sums in float64; half-open
 * intervals; absent empty windows; "" for an absent group-by; meters applied to all history at read time; event
 * lists with one operator a filter and a cursor by (time, row), with full pages only; events that are lost (before
 * 1970) or a 500 (above 1 MB); customers whose keys and subject keys share one name space, are frozen by a subscription,
 * and break the server when they are many; transport faults, throttling, lost events, stale reads; outages of the sink
 * or of some partitions, with what Kafka keeps meanwhile.
 *
 * It does not model: portal tokens, time zones other than UTC, decimal precision, Kafka retention and consumer
 * groups, the order of sums over many shards, drops of events whose data fits no meter, the subjects,
 * entitlement, billing, notification and v3 APIs. An API key is checked only when the option sets one.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Hono } from 'hono';
import { USAGE_EVENT_TYPE } from '../../src/openmeter/port.ts';
import { Journal } from '../journal.ts';
import { deriveSeed } from '../random.ts';
import type { StandIn, StandInContext } from '../stand-in.ts';
import { addCustomerRoutes } from './customer-routes.ts';
import { CustomerStore } from './customer-store.ts';
import { addEventListRoutes } from './event-list-routes.ts';
import { EventStore, type StoredEvent } from './event-store.ts';
import { FaultPlan, type OpenMeterFaults, playFaults } from './faults.ts';
import { addIngestRoutes } from './ingest-routes.ts';
import { addMeterQueryRoutes } from './meter-query-routes.ts';
import { addMeterRoutes } from './meter-routes.ts';
import { MeterStore } from './meter-store.ts';
import type { JournalEntry, WireCustomer } from './resources.ts';
import { Sink, type SinkOptions, type SinkOutage } from './sink.ts';
import { makeUlid } from './ulid.ts';
import { answerProblem, Problem } from './wire.ts';

const DAY_MS = 86_400_000;

export interface OpenMeterStandInOptions extends Partial<SinkOptions> {
  /** When set, every request must carry it as Bearer; else 401. */
  apiKey?: string;
  /** Real milliseconds that each subject key of a written customer costs; measured on a loaded machine: 2.4. */
  msPerSubjectKey?: number;
}

export interface OpenMeterStandIn extends StandIn {
  /** Changes the given fault settings; the others stay as they are. */
  setFaults(faults: Partial<OpenMeterFaults>): void;
  /** From now on ids are remembered for so many virtual milliseconds; null: not at all. */
  setDedupe(dedupe: { windowMs: number } | null): void;
  /** From now on the sink has such an outage, or none. Not a fault of a request: a replay of the journal has it, too. */
  setSinkOutage(outage: SinkOutage | null): void;
  /** Begins or ends a subscription of the customer with this id or key, which freezes its subject keys. */
  setSubscription(customerIdOrKey: string, isActive: boolean): void;
  /** Prompt plus completion tokens it holds, by subject. */
  tokenTotalBySubject(): Map<string, bigint>;
  /** Every usage event it stored, as often as it counts it; for checks. */
  storedUsageEvents(): StoredEvent[];
}

/**
 * Dedup is on for 24 h of virtual time unless the option says otherwise (OpenMeter's Redis default; OpenMeter's
 * own default is off). A journal must be replayed under the options it was written with.
 */
export function createOpenMeterStandIn(
  context: StandInContext,
  options: OpenMeterStandInOptions = {},
): OpenMeterStandIn {
  const { clock } = context;
  const nowMs = () => clock.nowMs();
  const store = new EventStore();
  const sink = new Sink(store, {
    flushDelayMs: options.flushDelayMs ?? 2_000,
    flushMessageCount: options.flushMessageCount ?? 500,
    dedupe: options.dedupe === undefined ? { windowMs: DAY_MS } : options.dedupe,
  });
  const meters = new MeterStore();
  const customers = new CustomerStore();
  const faults = new FaultPlan(deriveSeed(context.seed, 'openmeter', 'faults'));
  if (context.stateDirectory !== null) mkdirSync(context.stateDirectory, { recursive: true });
  const journal = new Journal<JournalEntry>(
    context.stateDirectory === null ? null : join(context.stateDirectory, 'openmeter.journal.jsonl'),
  );
  const apply = (entry: JournalEntry) => {
    if (entry.kind === 'events') sink.accept(entry.events, entry.at);
    else if (entry.kind === 'meter') meters.put(entry.meter);
    else if (entry.kind === 'dedupe') sink.setDedupe(entry.dedupe, entry.at);
    else if (entry.kind === 'outage') sink.setOutage(entry.outage, entry.at);
    else customers.put(entry.customer);
  };
  for (const entry of journal.takeReplay()) apply(entry);
  const record = (entry: JournalEntry) => {
    journal.append(entry);
    apply(entry);
  };
  const freshStore = () => {
    sink.bringTo(nowMs());
    return store;
  };
  const storedByMs = () => (faults.current.staleReadMs > 0 ? nowMs() - faults.current.staleReadMs : Infinity);

  const app = new Hono();
  if (context.latencyMs > 0) {
    app.use(async (_, next) => {
      await new Promise((resolve) => setTimeout(resolve, context.latencyMs));
      return next();
    });
  }
  app.use(playFaults(faults));
  const { apiKey } = options;
  if (apiKey !== undefined) {
    app.use((request, next) =>
      request.req.header('authorization') === `Bearer ${apiKey}`
        ? next()
        : Promise.resolve(answerProblem(request, 401, 'invalid API key')),
    );
  }
  addIngestRoutes(app, {
    nowMs,
    poisonIds: () => faults.current.poisonIds,
    faultyIds: () => faults.current.faultyIds,
    // What gets lost is decided before the journal is written, so that a replay loses the same.
    acceptEvents: (events) =>
      record({ at: nowMs(), kind: 'events', events: events.filter(() => !faults.losesNextEvent()) }),
  });
  addMeterRoutes(app, { meters, nowMs, saveMeter: (meter) => record({ at: nowMs(), kind: 'meter', meter }) });
  addMeterQueryRoutes(app, { meters, customers, freshStore, storedByMs });
  addEventListRoutes(app, { meters, customers, nowMs, freshStore, storedByMs });
  const saveCustomer = (customer: WireCustomer) => record({ at: nowMs(), kind: 'customer', customer });
  addCustomerRoutes(app, { customers, nowMs, saveCustomer, msPerSubjectKey: options.msPerSubjectKey ?? 0 });
  app.notFound((request) => answerProblem(request, 404, `no such resource: ${request.req.path}`));
  app.onError((error, request) =>
    error instanceof Problem
      ? answerProblem(request, error.statusCode, error.message)
      : answerProblem(request, 500, error.message),
  );

  return {
    app,
    tokenTotal: () => [...freshStore().tokensBySubject().values()].reduce((sum, tokens) => sum + tokens, 0n),
    tokenTotalBySubject: () => freshStore().tokensBySubject(),
    storedUsageEvents: () => freshStore().eventsOf(USAGE_EVENT_TYPE),
    advance: (toMs) => sink.bringTo(toMs),
    setFaults: (changed) => faults.set(changed),
    setSubscription: (customerIdOrKey, isActive) => {
      const { currentSubscriptionId: _ended, ...customer } = customers.get(customerIdOrKey);
      saveCustomer({ ...customer, ...(isActive ? { currentSubscriptionId: makeUlid(nowMs(), 1) } : {}) });
    },
    setDedupe: (dedupe) => record({ at: nowMs(), kind: 'dedupe', dedupe }),
    setSinkOutage: (outage) => record({ at: nowMs(), kind: 'outage', outage }),
    close: () => journal.close(),
  };
}
