import { createRandom, deriveSeed, type Random } from '../random.ts';
import type { Scenario, ScenarioCustomer } from '../scenario.ts';
import { addMonths } from '../stripe/invoices/months.ts';
import { aggregateCalls, drawCall } from './call.ts';
import { drawBetween, drawIndex, drawPercent } from './draws.ts';
import { COMMON_FEATURES, FEATURES, type FeatureProfile } from './features.ts';
import { createItemId } from './item-id.ts';
import type { Traffic, TrafficRow } from './row.ts';
import { RowStore } from './row-store.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** Everybody calls in the same few hours of a day: months of hours would take long to settle one by one. */
const BUSY_HOURS = [9, 15] as const;
const ACTIVE_PERCENT = { weekday: 30, weekend: 12 };
/** Minutes around a period's end in which there always are calls: the last ones before it, and the first after. */
const BOUNDARY_MINUTES = [-95, -31, -2, -1, 0, 1, 29] as const;
/** Hours (UTC) around those in which clocks change in America and Europe, on two Sundays of March. Ours do not. */
const CLOCK_CHANGE_HOURS = [0, 1, 2, 6, 7] as const;
const LATE_PERCENT = { usual: 1, atBoundary: 12 };
/** The longest that a row is under way. */
const LATEST_ROW_MS = 50 * HOUR_MS;
/** By then every draft of the period is final. */
const SURELY_LATE_MS = 30 * HOUR_MS;

/**
 * Months of light traffic in which little happens but at the ends of periods: calls in the minutes around each of
 * them, of which one in eight comes up to fifty hours late. A pure function of the scenario.
 */
export function createMonthEndTraffic(scenario: Scenario): Traffic {
  return new RowStore(new MonthEndDraws(scenario).rows);
}

class MonthEndDraws {
  readonly rows: TrafficRow[] = [];
  readonly #scenario: Scenario;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    const { seed, startMs, dayCount } = scenario.options;
    for (const [index, customer] of scenario.customers.entries()) {
      const random = createRandom(deriveSeed(seed, 'month ends', customer.tenantKey));
      for (let day = 0; day < dayCount; day += 1) this.#playDay(customer, startMs + day * DAY_MS, random);
      this.#playBoundaries(customer, random);
      if (index % 5 === 0) this.#playClockChanges(customer, random);
    }
    this.#playStrangers();
    this.#playLatecomers();
  }

  #playDay(customer: ScenarioCustomer, dayMs: number, random: Random): void {
    const isWeekend = [0, 6].includes(new Date(dayMs).getUTCDay());
    for (const subject of customer.subjects) {
      if (!drawPercent(random, isWeekend ? ACTIVE_PERCENT.weekend : ACTIVE_PERCENT.weekday)) continue;
      const hour = BUSY_HOURS[drawBetween(random, 0, BUSY_HOURS.length - 1)] ?? BUSY_HOURS[0];
      const eventMs = dayMs + hour * HOUR_MS + drawBetween(random, 0, 59) * MINUTE_MS;
      this.#call({ customer, subject, eventMs, latePercent: LATE_PERCENT.usual }, random);
    }
  }

  #playBoundaries(customer: ScenarioCustomer, random: Random): void {
    const { startMs, dayCount } = this.#scenario.options;
    const untilMs = startMs + dayCount * DAY_MS;
    const subject = customer.subjects[0] ?? customer.tenantKey;
    for (let month = 0; ; month += 1) {
      const endMs = addMonths(customer.billingAnchorMs, month);
      if (endMs + HOUR_MS > untilMs) return;
      for (const minute of BOUNDARY_MINUTES) {
        if (!drawPercent(random, 60)) continue;
        const eventMs = endMs + minute * MINUTE_MS;
        this.#call({ customer, subject, eventMs, latePercent: LATE_PERCENT.atBoundary }, random);
      }
    }
  }

  #playClockChanges(customer: ScenarioCustomer, random: Random): void {
    const { startMs, dayCount } = this.#scenario.options;
    const subject = customer.subjects[0] ?? customer.tenantKey;
    for (let day = 0; day < dayCount; day += 1) {
      const at = new Date(startMs + day * DAY_MS);
      // The second and the last Sunday of March.
      const changes =
        at.getUTCMonth() === 2 && at.getUTCDay() === 0 && (at.getUTCDate() > 24 || isSecond(at));
      if (!changes) continue;
      for (const hour of CLOCK_CHANGE_HOURS) {
        const eventMs = at.getTime() + hour * HOUR_MS + 59 * MINUTE_MS;
        this.#call({ customer, subject, eventMs, latePercent: LATE_PERCENT.usual }, random);
      }
    }
  }

  /** Usage that nobody can be billed for: it must stay in quarantine, and hold up nobody. */
  #playStrangers(): void {
    const { unmappedSubject, unmappedTenantKey, options } = this.#scenario;
    const random = createRandom(deriveSeed(options.seed, 'month ends', unmappedTenantKey));
    for (let day = 5; day < options.dayCount; day += 30) {
      const eventMs = options.startMs + day * DAY_MS + 9 * HOUR_MS;
      this.#call(
        { customer: { tenantKey: unmappedTenantKey }, subject: unmappedSubject, eventMs, latePercent: 0 },
        random,
      );
    }
  }

  /** Of one customer, what misses its invoice for sure: which other calls do is left to chance. */
  #playLatecomers(): void {
    const [customer] = this.#scenario.customers;
    if (customer === undefined) return;
    const { seed, startMs, dayCount } = this.#scenario.options;
    const random = createRandom(deriveSeed(seed, 'latecomers', customer.tenantKey));
    const subject = customer.subjects[0] ?? customer.tenantKey;
    for (let month = 0; ; month += 1) {
      const eventMs = addMonths(customer.billingAnchorMs, month) - 12 * MINUTE_MS;
      if (eventMs >= startMs + dayCount * DAY_MS) return;
      this.#call({ customer, subject, eventMs, latePercent: 100, lateFromMs: SURELY_LATE_MS }, random);
    }
  }

  #call(
    call: {
      customer: Pick<ScenarioCustomer, 'tenantKey' | 'callsUntilMs'>;
      subject: string;
      eventMs: number;
      latePercent: number;
      /** How long a late row is under way at least. */
      lateFromMs?: number;
    },
    random: Random,
  ): void {
    const { customer, subject, eventMs, latePercent, lateFromMs = 10 * MINUTE_MS } = call;
    const { startMs, seed } = this.#scenario.options;
    const profile = drawFeature(random);
    const properties = describeSeries(customer.tenantKey, subject, profile);
    const calls = Array.from({ length: drawBetween(random, 1, 3) }, () => drawCall(profile, 100, random));
    const delayMs = drawPercent(random, latePercent)
      ? drawBetween(random, lateFromMs, LATEST_ROW_MS)
      : drawBetween(random, 30_000, 4 * MINUTE_MS);
    const hasLeft = customer.callsUntilMs !== undefined && eventMs >= customer.callsUntilMs;
    for (const aggregate of aggregateCalls(calls)) {
      const row: TrafficRow = {
        itemId: createItemId(seed, Math.floor((eventMs - startMs) / DAY_MS), this.rows.length + 1),
        eventMs,
        ingestedMs: eventMs + MINUTE_MS + delayMs + drawBetween(random, 0, 1_500),
        ingestedTicks: drawBetween(random, 0, 9_999),
        ...aggregate,
        properties,
      };
      // Drawn all the same, so that what was called before stays as it was.
      if (!hasLeft) this.rows.push(row);
    }
  }
}

function isSecond(sunday: Date): boolean {
  return sunday.getUTCDate() > 7 && sunday.getUTCDate() <= 14;
}

function drawFeature(random: Random): FeatureProfile {
  const index = drawIndex(
    random,
    COMMON_FEATURES.map(({ weight }) => weight),
  );
  return COMMON_FEATURES[index]?.profile ?? FEATURES.mailDraft;
}

function describeSeries(
  tenantKey: string,
  subject: string,
  profile: FeatureProfile,
): TrafficRow['properties'] {
  return Object.freeze({
    userId: subject,
    tenantId: tenantKey,
    featureArea: profile.feature,
    model: profile.model,
    deployment: profile.deployment,
    '_MS.MetricNamespace': 'openai',
  });
}
