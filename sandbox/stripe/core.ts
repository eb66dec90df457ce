import { join } from 'node:path';
import { Journal } from '../journal.ts';
import type { Scenario } from '../scenario.ts';
import type { StandInContext } from '../stand-in.ts';
import { couponEndpoints } from './endpoints/coupons.ts';
import { creditGrantEndpoints } from './endpoints/credit-grants.ts';
import { creditNoteEndpoints } from './endpoints/credit-notes.ts';
import { customerBalanceEndpoints } from './endpoints/customer-balance.ts';
import { customerEndpoints } from './endpoints/customers.ts';
import type { Endpoint } from './endpoints/endpoint.ts';
import { eventEndpoints, newWebhookEndpoint } from './endpoints/events.ts';
import { invoiceChangeEndpoints } from './endpoints/invoice-changes.ts';
import { invoiceItemEndpoints } from './endpoints/invoice-items.ts';
import { invoiceEndpoints } from './endpoints/invoices.ts';
import { meterEndpoints } from './endpoints/meters.ts';
import { productEndpoints } from './endpoints/products.ts';
import { scheduleEndpoints } from './endpoints/schedules.ts';
import { subscriptionItemEndpoints } from './endpoints/subscription-items.ts';
import { subscriptionPauseEndpoints } from './endpoints/subscription-pauses.ts';
import { subscriptionEndpoints } from './endpoints/subscriptions.ts';
import { taxEndpoints } from './endpoints/taxes.ts';
import { testClockEndpoints } from './endpoints/test-clocks.ts';
import { usageRecordEndpoints } from './endpoints/usage-records.ts';
import { MeterErrorReports } from './error-reports.ts';
import { recordSnapshotEvent } from './events.ts';
import { expandAnswer } from './http/expand.ts';
import { checkShape, decodeForm, type Form } from './http/form.ts';
import { IdempotencyStore } from './http/idempotency.ts';
import type { StripeStandInSettings } from './http/options.ts';
import { toSeconds } from './http/wire.ts';
import { BillingCycle } from './invoices/billing-cycle.ts';
import { watchThresholds } from './invoices/thresholds.ts';
import {
  type AcceptedMeterEvent,
  MeterEventIntake,
  type MeterEventLoss,
  renderMeterEvent,
} from './meter-events.ts';
import { seedState } from './seed.ts';
import { StripeState } from './state.ts';
import { WebhookSender } from './webhook-sender.ts';

/** Everything that happened to the account, in order; see Journal. */
type JournalEntry =
  | {
      at: number;
      kind: 'meter_event';
      event: AcceptedMeterEvent;
      fingerprint: string;
      key: string | null;
      loss: MeterEventLoss | null;
    }
  | {
      at: number;
      kind: 'call';
      endpoint: string;
      params: Record<string, string>;
      body: string;
      key: string | null;
    }
  /** A failure, or a refusal: the answer was kept without an effect of its own. */
  | { at: number; kind: 'kept'; fingerprint: string; key: string; status: number; text: string }
  | { at: number; kind: 'advance' }
  | { at: number; kind: 'summary_lag'; lagMs: number }
  | { at: number; kind: 'webhook_settled'; eventId: string; url: string };

export interface Answer {
  status: number;
  text: string;
  /** The stored answer to an earlier call with the same key. */
  replayed?: true;
}

export const METER_EVENT_PATH = '/v1/billing/meter_events';
const METER_EVENT_SHAPE = {
  event_name: 'text',
  payload: 'any',
  identifier: 'text',
  timestamp: 'text',
  expand: 'any',
} as const;

/** The account without its HTTP face: each call takes effect and reaches the journal before it returns. */
export class StripeCore {
  readonly state: StripeState;
  readonly cycle: BillingCycle;
  readonly sender: WebhookSender;
  readonly endpoints: Map<string, Endpoint>;
  readonly #context: StandInContext;
  readonly #journal: Journal<JournalEntry>;
  readonly #intake: MeterEventIntake;
  readonly #reports: MeterErrorReports;
  readonly #idempotency = new IdempotencyStore();
  #summaryLagMs: number;
  /** Where event summaries stand still; changes nothing that is kept. */
  summariesUntilMs = Number.POSITIVE_INFINITY;

  constructor(context: StandInContext, scenario: Scenario, settings: StripeStandInSettings) {
    this.#context = context;
    const state = new StripeState(context.seed);
    this.state = state;
    this.sender = new WebhookSender({
      state,
      thinDestination: settings.thinWebhook,
      onSettled: (eventId, url) =>
        this.#journal.append({ at: context.clock.nowMs(), kind: 'webhook_settled', eventId, url }),
    });
    this.#summaryLagMs = settings.aggregationDelayMs;
    // Read at every use: the lag can change while the stand-in runs.
    const readLag = () => this.#summaryLagMs;
    const readSummariesUntil = () => this.summariesUntilMs;
    this.cycle = new BillingCycle({
      state,
      gracePeriodHours: settings.gracePeriodHours,
      draftQuantities: settings.draftQuantities,
      get aggregationDelayMs() {
        return readLag();
      },
      emit: (type, object, atMs) => this.sender.enqueue(recordSnapshotEvent(state, type, object, atMs)),
    });
    this.#reports = new MeterErrorReports(state);
    this.#intake = new MeterEventIntake(state);
    this.state.roundsLinesToSteps = settings.roundsLinesToSteps;
    this.state.thresholdPeriods = settings.thresholdPeriods;
    this.state.packageQuantities = settings.packageQuantities;
    this.state.showsTrials = settings.showsTrials;
    this.state.taxRounding = settings.taxRounding;
    this.state.creditsOnDrafts = settings.creditsOnDrafts;
    this.state.creditScopes = settings.creditScopes;
    this.state.creditsFormerPrices = settings.creditsFormerPrices;
    seedState(this.cycle, scenario, settings);
    if (settings.webhook !== null) {
      const { url, secret } = settings.webhook;
      const created = toSeconds(scenario.options.startMs);
      newWebhookEndpoint(state, { url, secret, enabledEvents: settings.webhook.enabledEvents, created });
    }
    const { cycle } = this;
    this.endpoints = new Map(
      [
        ...customerEndpoints(cycle),
        ...customerBalanceEndpoints(state),
        ...couponEndpoints(state),
        ...creditGrantEndpoints(cycle.account),
        ...taxEndpoints(state),
        ...subscriptionEndpoints(cycle),
        ...subscriptionPauseEndpoints(cycle),
        ...scheduleEndpoints(cycle),
        ...testClockEndpoints(cycle),
        ...subscriptionItemEndpoints(cycle),
        ...productEndpoints(cycle.account),
        ...meterEndpoints({
          state,
          intake: this.#intake,
          get aggregationDelayMs() {
            return readLag();
          },
          get summariesUntilMs() {
            return readSummariesUntil();
          },
        }),
        ...invoiceEndpoints(cycle),
        ...invoiceChangeEndpoints(cycle),
        ...invoiceItemEndpoints(cycle),
        ...creditNoteEndpoints(cycle),
        ...usageRecordEndpoints(cycle.account),
        ...eventEndpoints(state),
      ].map((endpoint) => [`${endpoint.method} ${endpoint.path}`, endpoint]),
    );
    const { stateDirectory } = context;
    this.#journal = new Journal(stateDirectory === null ? null : join(stateDirectory, 'stripe.jsonl'));
    for (const entry of this.#journal.takeReplay()) this.#replay(entry);
    this.sender.start();
  }

  /** Plays everything that is due, in order of its instant. */
  catchUp(nowMs: number): void {
    if (this.#playDue(nowMs)) this.#journal.append({ at: nowMs, kind: 'advance' });
  }

  /** From now on summaries, previews and invoices see a meter event so long after it came. */
  setSummaryLag(lagMs: number): void {
    const nowMs = this.#context.clock.nowMs();
    this.catchUp(nowMs);
    this.#summaryLagMs = lagMs;
    this.#journal.append({ at: nowMs, kind: 'summary_lag', lagMs });
  }

  /** @throws StripeRefusal */
  sendMeterEvent(
    form: Form,
    body: string,
    key: string | null,
    drawLoss: () => MeterEventLoss | null,
  ): Answer {
    const nowMs = this.#context.clock.nowMs();
    this.catchUp(nowMs);
    const fingerprint = `POST ${METER_EVENT_PATH} ${body}`;
    const stored = key === null ? null : this.#idempotency.find(key, fingerprint, nowMs);
    if (stored !== null) return { ...stored, replayed: true };
    checkShape(form, METER_EVENT_SHAPE);
    const event = this.#intake.check(form, nowMs);
    const entry = { at: nowMs, kind: 'meter_event', event, fingerprint, key, loss: drawLoss() } as const;
    this.#journal.append(entry);
    return this.#takeMeterEvent(entry);
  }

  /** @throws StripeRefusal */
  call(name: string, params: Record<string, string>, form: Form, body: string, key: string | null): Answer {
    const endpoint = this.endpoints.get(name);
    if (endpoint === undefined) throw new RangeError(`no endpoint ${name}`);
    const nowMs = this.#context.clock.nowMs();
    this.catchUp(nowMs);
    const fingerprint = `${name} ${JSON.stringify(params)} ${body}`;
    const stored = key === null ? null : this.#idempotency.find(key, fingerprint, nowMs);
    if (stored !== null) return { ...stored, replayed: true };
    checkShape(form, endpoint.shape);
    const answer = this.#run(endpoint, params, form, nowMs);
    if (endpoint.mutates) {
      this.#journal.append({ at: nowMs, kind: 'call', endpoint: name, params, body, key });
    }
    if (key !== null) this.#idempotency.store(key, fingerprint, answer, nowMs);
    return answer;
  }

  /** Stripe keeps an answered 500, and a refusal of what it had begun to do, under the key too, and repeats it. */
  keepFailure(fingerprint: string, key: string, { status, text }: Answer): void {
    const entry = { at: this.#context.clock.nowMs(), kind: 'kept', fingerprint, key, status, text } as const;
    this.#journal.append(entry);
    this.#idempotency.store(key, fingerprint, entry, entry.at);
  }

  close(): void {
    this.sender.close();
    this.#journal.close();
  }

  #run(endpoint: Endpoint, params: Record<string, string>, form: Form, nowMs: number): Answer {
    const object = expandAnswer(this.state, endpoint.run({ form, params, nowMs }), form);
    return { status: 200, text: JSON.stringify(object) };
  }

  #takeMeterEvent(entry: Extract<JournalEntry, { kind: 'meter_event' }>): Answer {
    const fate = this.#intake.take(entry.event, entry.at, entry.loss);
    this.#reports.note({ ...entry.event, key: entry.key }, fate, entry.at);
    if (fate === 'stored')
      watchThresholds(this.cycle, entry.event.payload.stripe_customer_id ?? '', entry.at);
    const answer = { status: 200, text: JSON.stringify(renderMeterEvent(entry.event, entry.at)) };
    if (entry.key !== null) this.#idempotency.store(entry.key, entry.fingerprint, answer, entry.at);
    return answer;
  }

  #replay(entry: JournalEntry): void {
    if (entry.kind === 'webhook_settled') {
      this.sender.markSettled(entry.eventId, entry.url);
      return;
    }
    this.#playDue(entry.at);
    if (entry.kind === 'summary_lag') this.#summaryLagMs = entry.lagMs;
    if (entry.kind === 'meter_event') this.#takeMeterEvent(entry);
    if (entry.kind === 'kept') this.#idempotency.store(entry.key, entry.fingerprint, entry, entry.at);
    if (entry.kind !== 'call') return;
    const endpoint = this.endpoints.get(entry.endpoint);
    if (endpoint === undefined)
      throw new RangeError(`the journal names an unknown endpoint ${entry.endpoint}`);
    const answer = this.#run(endpoint, entry.params, decodeForm(entry.body), entry.at);
    const fingerprint = `${entry.endpoint} ${JSON.stringify(entry.params)} ${entry.body}`;
    if (entry.key !== null) this.#idempotency.store(entry.key, fingerprint, answer, entry.at);
  }

  #playDue(nowMs: number): boolean {
    for (let played = false; ; played = true) {
      const cycleDueMs = this.cycle.nextDueMs();
      const reportsDueMs = this.#reports.nextDueMs();
      if (Math.min(cycleDueMs, reportsDueMs) > nowMs) return played;
      if (cycleDueMs <= reportsDueMs) this.cycle.step();
      else for (const event of this.#reports.flush()) this.sender.enqueue(event);
    }
  }
}
