import type { Scenario } from '../scenario.ts';
import type { StandIn, StandInContext } from '../stand-in.ts';
import { StripeCore } from './core.ts';
import { StripeFaults } from './faults.ts';
import { StripeHttp } from './http/http.ts';
import { type StripeStandInOptions, withDefaults } from './http/options.ts';
import { invoicedTokens } from './invoices/invoiced-tokens.ts';
import { toMajorUnits } from './money.ts';
import type { WebhookFaults } from './webhook-faults.ts';

/**
 * A model of Stripe's metered billing, for the demo, tests and benchmarks. It is no Stripe.
 *
 * It models: API keys; form calls with unknown parameters refused; cursors and `has_more`; expansion of four
 * levels; idempotency keys (24 hours, stored refusals and 500s
 * repeated); meter events with identifiers unique for 24
 * hours, 35 days back and 5 minutes ahead, whole values of at most 15 digits, one call in flight per
 * customer and event name, a rate in real time, events lost after a 2xx when the meter or customer does not
 * exist or the payload lacks what the meter reads (told by thin events with at most five samples); `sum`, `count` and `last` meters and event time
 * windows, where the event received last counts; hourly and daily summaries; an aggregation delay; products,
 * prices and meters made, changed and found by `lookup_key`; graduated and volume tiers with flat amounts;
 * renewals, drafts, grace, finalization with numbers, previews; signed webhooks. Answers are typed by the SDK.
 *
 * Of the lives of subscriptions: several per customer, anchors on the 29th to 31st, trials, paused collection,
 * cancellation at once or with the period, items added, removed or given another price, in the flexible and the classic
 * billing mode; licensed quantities, billed ahead, with prorations; days, weeks, months and years, in the flexible mode
 * beside each other; billing thresholds; schedules whose phases change prices; subscriptions that pause and resume; prices
 * by the package. Where the documents leave a reading open, an option says which is played. Of invoices: drafts held, changed, deleted, voided; texts of lines; invoice items, pending or on a draft, 250
 * of them; credit notes and their previews; customers who cannot pay; coupons and discounts, billing credits, exclusive
 * and inclusive tax (rates put on by hand, and Stripe Tax) and the customer's credit balance, in Stripe's order of applying
 * them (`adjustments/adjust.ts`). Events are listed for 30 days.
 *
 * Of an account: restricted keys and what each may do, another account than the key's, and test clocks, whose customers
 * live by the clock's time and are in no list that does not name it.
 *
 * It does not model: payments (who has a payment method has paid at once; who has none never has, and there are no
 * retries), transfers, promotion codes, exempt customers, tiers of licensed prices, phases that begin a schedule,
 * `cancel_at`, one-off invoices, refunds, the v2 meter event stream, API versions other than the SDK's. Parameters that Tallystick
 * has no use for are unknown to it. Where Stripe's behaviour is unknown (docs/stripe.md lists it), it takes the harsher
 * reading.
 *
 * Time is the virtual clock's, but the rate, the latency and webhook signatures are real. Every effect is in
 * the journal before its answer leaves; the state is rebuilt from scenario and journal.
 */
export function createStripeStandIn(
  context: StandInContext,
  scenario: Scenario,
  options: StripeStandInOptions = {},
): StripeStandIn {
  const settings = withDefaults(options);
  const core = new StripeCore(context, scenario, settings);
  const faults = new StripeFaults(context.seed);
  const http = new StripeHttp({
    core,
    faults,
    apiKey: settings.apiKey,
    restrictedKeys: settings.restrictedKeys,
    latencyMs: context.latencyMs,
    callsPerSecond: settings.callsPerSecond,
    otherCallsPerSecond: settings.otherCallsPerSecond,
  });
  const { state } = core;
  const tokensOf = (customerId: string): bigint => {
    let total = 0n;
    for (const meterId of state.tokenMeterIds) {
      const meter = state.meters.get(meterId);
      if (meter !== undefined) total += state.usage.aggregate(customerId, meter);
    }
    for (const itemId of state.usageRecords.itemIds()) {
      const subscription = state.subscriptions.get(state.items.get(itemId)?.subscription ?? '');
      if (subscription?.customerId === customerId)
        total += state.usageRecords.total(itemId, { fromMs: 0, untilMs: Number.POSITIVE_INFINITY });
    }
    return total;
  };
  const tenantOf = (customerId: string) => state.customers.get(customerId)?.metadata.tenant_id ?? customerId;

  return {
    app: http.app,
    apiKey: settings.apiKey,
    faults,
    webhookFaults: core.sender.faults,
    setSummaryLag: (lagMs) => core.setSummaryLag(lagMs),
    withholdCurrencyOptions: (withholds) => {
      state.withholdsOptions = withholds;
    },
    refuseFinalizations: (tenantKey, code) => {
      for (const id of state.customers.keys()) {
        if (tenantOf(id) !== tenantKey) continue;
        if (code === null) state.finalizationRefusals.delete(id);
        else state.finalizationRefusals.set(id, code);
      }
    },
    setSummariesStanding: (standing) => {
      core.summariesUntilMs = standing ? context.clock.nowMs() - 1 : Number.POSITIVE_INFINITY;
    },
    tokenTotal: () => {
      const customerIds = new Set([...state.usage.customerIds(), ...state.customers.keys()]);
      return [...customerIds].reduce((sum, id) => sum + tokensOf(id), 0n);
    },
    tokenTotalByCustomer: () =>
      new Map([...state.customers.keys()].map((id) => [tenantOf(id), tokensOf(id)] as const)),
    usageBetween: (
      tenantKey,
      startMs,
      endMs,
      { eventName, receivedUntilMs = Number.POSITIVE_INFINITY } = {},
    ) => {
      const range = {
        startSeconds: startMs / 1_000,
        endSeconds: endMs / 1_000,
        receivedUntilMs,
      };
      let total = 0n;
      for (const { customerId, meterId } of state.usage.pairs()) {
        const meter = state.meters.get(meterId);
        if (meter === undefined || (eventName !== undefined && meter.event_name !== eventName)) continue;
        if (tenantOf(customerId) === tenantKey) total += state.usage.aggregate(customerId, meter, range);
      }
      return total;
    },
    invoicedTokenTotal: () => {
      const nowMs = context.clock.nowMs();
      core.catchUp(nowMs);
      return invoicedTokens(state, (invoiceId) => {
        const invoice = state.invoices.get(invoiceId);
        if (invoice === undefined) return { lines: [], total: 0 };
        return { lines: core.cycle.lines(invoice, nowMs), total: core.cycle.render(invoice, nowMs).total };
      });
    },
    usageByHour: () =>
      state.usage.pairs().flatMap(({ customerId, meterId }) => {
        const meter = state.meters.get(meterId);
        if (meter === undefined) return [];
        const hours = state.usage.aggregateByWindow(customerId, meter, undefined, 3_600);
        return [...hours].map(([seconds, value]) => ({
          tenantKey: tenantOf(customerId),
          eventName: meter.event_name,
          hourMs: seconds * 1_000,
          value,
        }));
      }),
    advance: (nowMs) => core.catchUp(nowMs),
    invoiceReport() {
      const nowMs = context.clock.nowMs();
      core.catchUp(nowMs);
      return [...state.invoices.values()].map((invoice) => {
        const rendered = core.cycle.render(invoice, nowMs);
        return {
          invoiceId: rendered.id,
          number: rendered.number,
          customer: tenantOf(invoice.customerId),
          period: {
            start: new Date(invoice.periodStartMs).toISOString(),
            end: new Date(invoice.periodEndMs).toISOString(),
          },
          currency: rendered.currency,
          total: toMajorUnits(BigInt(rendered.total), rendered.currency),
          status: rendered.status ?? 'draft',
          finalizedAtMs: toMs(rendered.status_transitions.finalized_at),
          lines: core.cycle.lines(invoice, nowMs).map((line) => ({
            description: line.description ?? '',
            quantity: line.quantity_decimal ?? '0',
            amount: toMajorUnits(BigInt(line.amount), rendered.currency),
          })),
        };
      });
    },
    thinEventIds: () => [...state.events.values()].filter((event) => event.thin).map((event) => event.id),
    webhooksIdle: () => core.sender.idle(),
    close() {
      http.close();
      core.close();
    },
  };
}

export interface StripeStandIn extends StandIn {
  /** The key it accepts. */
  apiKey: string;
  faults: StripeFaults;
  webhookFaults: WebhookFaults;
  /** Virtual milliseconds before summaries, previews and invoices see a meter event; can change at any time. */
  setSummaryLag(lagMs: number): void;
  /** Whether prices keep their amounts in other currencies to themselves, although they are billed by them. */
  withholdCurrencyOptions(withholds: boolean): void;
  /** With which code no invoice of a customer is finalized, by whomsoever; null: all are again. */
  refuseFinalizations(tenantKey: string, code: string | null): void;
  /** From now on event summaries show nothing that comes, and all of it once they go on. Invoices count as ever. */
  setSummariesStanding(standing: boolean): void;
  /** Token meter values per tenant key, for all customers that exist. */
  tokenTotalByCustomer(): Map<string, bigint>;
  /**
   * What all meters together, or one, count of a customer with timestamps in `[startMs, endMs)`, of all events or of
   * those received by an instant; for checks.
   */
  usageBetween(
    tenantKey: string,
    startMs: number,
    endMs: number,
    of?: { eventName?: string; receivedUntilMs?: number },
  ): bigint;
  /** Tokens on final invoices that were not taken back, by their lines, less what credit notes gave back. */
  invoicedTokenTotal(): bigint;
  /** What each meter counts of each customer in each UTC hour, by all events received; for checks. */
  usageByHour(): { tenantKey: string; eventName: string; hourMs: number; value: bigint }[];
  /** All invoices, oldest first, drafts included, each as it stands now. */
  invoiceReport(): StripeInvoiceReport[];
  /** Thin events have no list endpoint; a real account only sends them. */
  thinEventIds(): string[];
  /** Resolves when every webhook recorded so far was sent or given up. */
  webhooksIdle(): Promise<void>;
}

interface StripeInvoiceReport {
  invoiceId: string;
  number: string | null;
  /** Tenant key. */
  customer: string;
  /** Service period, ISO instants, half-open. */
  period: { start: string; end: string };
  currency: string;
  /** Decimal text in major units. */
  total: string;
  status: string;
  /** Null for a draft. */
  finalizedAtMs: number | null;
  lines: { description: string; quantity: string; amount: string }[];
}

function toMs(seconds: number | null): number | null {
  return seconds === null ? null : seconds * 1_000;
}
