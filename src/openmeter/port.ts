import {
  type DataDimension,
  FIGURE_NAMES,
  FIGURES,
  type FigureName,
  type MeterSlug,
  type UsageKey,
} from '../../pricing/usage/shape.ts';
import type { TimeWindow } from '../platform/clock.ts';

/** OpenMeter as the jobs see it. */
export interface MeteringSystem {
  /**
   * Sends stored event bodies (each the final JSON text of one CloudEvent) as one batch.
   * Resolves when OpenMeter said 204, which means queued and no more.
   * @throws UpstreamError UPSTREAM_REJECTED (400: at least one event is bad; bisect), UPSTREAM_THROTTLED,
   *   UPSTREAM_UNAVAILABLE (`outcomeUnknown` when the batch may have been queued)
   */
  ingestEvents(eventBodies: readonly string[], signal?: AbortSignal): Promise<void>;
  /** Hourly totals of one meter in `[start, end)`, by subject, model, feature and deployment. Unsorted. */
  queryHourly(meter: MeterSlug, window: TimeWindow, signal?: AbortSignal): Promise<MeterHour[]>;
  /** The same in one row an hour for all keys together, which costs little where there is nothing. */
  queryHourTotals(meter: MeterSlug, window: TimeWindow, signal?: AbortSignal): Promise<HourTotal[]>;
  /** Creates the meters that are missing; answers what it made, and which existing ones differ from ours. */
  ensureMeters(signal?: AbortSignal): Promise<{ created: MeterSlug[]; different: MeterSlug[] }>;
  /**
   * Creates or updates customers so that each holds exactly these subject keys. What cannot be so is answered, and keeps
   * no other customer from being written.
   * @throws UpstreamError UPSTREAM_THROTTLED; UPSTREAM_UNAVAILABLE when nobody can be written (call again: what is done
   *   already will not differ)
   */
  upsertCustomers(customers: readonly MeteringCustomer[], signal?: AbortSignal): Promise<CustomerProblem[]>;
  /** Which of these event ids are stored, and how many times each (2 and more: counted twice). */
  findEvents(
    query: { eventIds: readonly string[]; window: TimeWindow },
    signal?: AbortSignal,
  ): Promise<Map<string, number>>;
  /** For `doctor`: reachable, permitted, and the meters it holds. */
  describe(signal?: AbortSignal): Promise<{ meterSlugs: string[] }>;
}

/** Slugs of the meters Tallystick keeps in OpenMeter; each sums one property of the usage event's data. */
export const METER_SLUGS: readonly MeterSlug[] = FIGURE_NAMES.map((name) => FIGURES[name].meterSlug);
export type { MeterSlug };

/** CloudEvents `type` of every usage event. */
export const USAGE_EVENT_TYPE = 'tallystick.usage';
/** CloudEvents `source` of every usage event: fixed and free of '-', which OpenMeter joins its key with. */
export const USAGE_EVENT_SOURCE = 'tallystick';

/**
 * `data` of a usage event. Numbers travel as strings, because OpenMeter re-marshals JSON numbers as float64.
 * As at the source, `prompt_tokens` includes cached and `completion_tokens` includes reasoning.
 */
export type UsageEventData = Record<DataDimension | (typeof FIGURES)[FigureName]['eventField'], string>;

export interface HourTotal {
  windowStart: Date;
  /** An integer; a value that is not a safe integer is an UPSTREAM_REJECTED error, never rounded. */
  value: bigint;
}
export interface MeterHour extends UsageKey, HourTotal {}

export interface MeteringCustomer {
  /** Our customer id; OpenMeter's `key` is made of it. */
  customerId: string;
  name: string;
  stripeCustomerId: string | null;
  /** None: OpenMeter attributes no usage to this customer, and the ledger alone does. */
  subjectKeys: readonly string[];
}

/**
 * Why OpenMeter's customer is not as it should be. `active_subscription`: a subscription in OpenMeter freezes its subject
 * keys. `name_taken`: another customer there has one of the names. `refused`: OpenMeter judged the customer. `failed`: it
 * broke on this customer and not on others.
 */
export interface CustomerProblem {
  customerId: string;
  reason: 'active_subscription' | 'name_taken' | 'refused' | 'failed';
  message: string;
  fix: string;
}
