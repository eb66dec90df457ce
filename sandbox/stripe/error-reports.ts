import { MINUTE_MS } from '../../src/platform/clock.ts';
import { recordThinEvent } from './events.ts';
import type { AcceptedMeterEvent, MeterEventFate } from './meter-events.ts';
import type { StripeEvent, StripeState } from './state.ts';

/** Errors are reported together, and only so many of them by name. */
const REPORT_AFTER_MS = MINUTE_MS;
const SAMPLE_COUNT = 5;

interface PendingReport {
  eventName: string;
  fate: MeterEventFate;
  firstMs: number;
  count: number;
  identifiers: string[];
}

/** Thin events about meter events that had been answered 2xx and were lost afterwards. */
export class MeterErrorReports {
  readonly #state: StripeState;
  readonly #pending = new Map<string, PendingReport>();
  #nextDueMs = Number.POSITIVE_INFINITY;

  constructor(state: StripeState) {
    this.#state = state;
  }

  /** A report names the request's idempotency key; the identifier only where there was none. */
  note(accepted: AcceptedMeterEvent & { key: string | null }, fate: MeterEventFate, atMs: number): void {
    if (fate === 'stored' || fate === 'dropped') return;
    const key = `${accepted.eventName}|${fate}`;
    const report = this.#pending.get(key) ?? {
      eventName: accepted.eventName,
      fate,
      firstMs: atMs,
      count: 0,
      identifiers: [],
    };
    report.count += 1;
    if (report.identifiers.length < SAMPLE_COUNT)
      report.identifiers.push(accepted.key ?? accepted.identifier);
    this.#pending.set(key, report);
    this.#nextDueMs = Math.min(this.#nextDueMs, report.firstMs + REPORT_AFTER_MS);
  }

  nextDueMs(): number {
    return this.#nextDueMs;
  }

  /** Makes the reports that are due, at the instant they became so. */
  flush(): StripeEvent[] {
    const atMs = this.#nextDueMs;
    const events: StripeEvent[] = [];
    for (const [key, report] of this.#pending) {
      if (report.firstMs + REPORT_AFTER_MS > atMs) continue;
      this.#pending.delete(key);
      events.push(this.#record(report, atMs));
    }
    this.#nextDueMs = Math.min(
      Number.POSITIVE_INFINITY,
      ...[...this.#pending.values()].map((report) => report.firstMs + REPORT_AFTER_MS),
    );
    return events;
  }

  #record(report: PendingReport, atMs: number): StripeEvent {
    const named = [...this.#state.meters.values()].filter((known) => known.event_name === report.eventName);
    const meter = named.find(({ status }) => status === 'active') ?? named[0];
    const code = report.fate;
    const noMeter = code === 'no_meter';
    return recordThinEvent(
      this.#state,
      {
        type: noMeter ? 'v1.billing.meter.no_meter_found' : 'v1.billing.meter.error_report_triggered',
        relatedObject:
          meter === undefined
            ? null
            : { id: meter.id, type: 'billing.meter', url: `/v1/billing/meters/${meter.id}` },
        data: {
          developer_message_summary: `There is 1 kind of error in ${report.count} meter event(s): ${code}.`,
          reason: {
            error_count: report.count,
            error_types: [
              {
                code,
                error_count: report.count,
                sample_errors: report.identifiers.map((identifier) => ({
                  error_message: `The meter event for ${report.eventName} was not counted: ${code}.`,
                  request: { identifier },
                })),
              },
            ],
          },
          validation_start: new Date(report.firstMs).toISOString(),
          validation_end: new Date(atMs).toISOString(),
        },
      },
      atMs,
    );
  }
}
