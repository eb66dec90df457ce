import { setTimeout as delay } from 'node:timers/promises';
import Stripe from 'stripe';
import { notificationOf } from './events.ts';
import type { StripeEvent, StripeState } from './state.ts';
import { WebhookFaults } from './webhook-faults.ts';

/** Real waits before each further attempt. Live Stripe goes on for three days. */
const RETRY_DELAYS_MS = [100, 500, 2_000];
const TIMEOUT_MS = 10_000;
/** One that is to come after the next goes out alone when no other follows so soon. */
const HELD_BACK_MS = 1_000;
const FORGED_SECRET = 'whsec_of_somebody_else';

export interface ThinDestination {
  url: string;
  secret: string;
}

export interface WebhookSenderOptions {
  state: StripeState;
  thinDestination: ThinDestination | null;
  /** Told once an event has reached an address (or never will), so that a restart does not send it again. */
  onSettled: (eventId: string, url: string) => void;
}

/** Sends events to the configured addresses over HTTP, signed as Stripe signs, in the order they happened. */
export class WebhookSender {
  readonly #options: WebhookSenderOptions;
  readonly faults: WebhookFaults;
  readonly #aborter = new AbortController();
  /** `event|url` pairs that need no sending. */
  readonly #settled = new Set<string>();
  #queue: Promise<void> = Promise.resolve();
  #active = false;
  #heldBack: (() => Promise<void>) | null = null;

  constructor(options: WebhookSenderOptions) {
    this.#options = options;
    this.faults = new WebhookFaults(options.state.seed);
  }

  /** During a replay: this pair was dealt with in an earlier run. */
  markSettled(eventId: string, url: string): void {
    this.#settled.add(`${eventId}|${url}`);
  }

  /** Nothing is sent before this: a replay must first know what has been sent already. */
  start(): void {
    this.#active = true;
    for (const event of this.#options.state.events.values()) this.enqueue(event);
  }

  enqueue(event: StripeEvent): void {
    if (!this.#active) return;
    for (const { url, secret } of this.#destinationsOf(event)) {
      const pair = `${event.id}|${url}`;
      if (this.#settled.has(pair)) continue;
      this.#settled.add(pair);
      this.#schedule(async () => {
        if (this.faults.draw('forgePercent')) await this.#forge(event, url);
        const reached = await this.#send(event, url, secret);
        if (this.faults.draw('duplicatePercent')) await this.#send(event, url, secret);
        if (reached || !this.#aborter.signal.aborted) this.#options.onSettled(event.id, url);
      });
    }
  }

  /** Resolves when everything recorded so far was sent or given up. */
  idle(): Promise<void> {
    this.#release();
    return this.#queue;
  }

  /** One after the other, but for one that is held back until the next has gone. */
  #schedule(delivery: () => Promise<void>): void {
    if (this.#heldBack === null && this.faults.draw('reorderPercent')) {
      this.#heldBack = delivery;
      setTimeout(() => this.#release(), HELD_BACK_MS).unref();
      return;
    }
    this.#queue = this.#queue.then(delivery);
    this.#release();
  }

  #release(): void {
    const delivery = this.#heldBack;
    this.#heldBack = null;
    if (delivery !== null) this.#queue = this.#queue.then(delivery);
  }

  /** A copy with another id, signed by who does not know the secret. */
  async #forge(event: StripeEvent, url: string): Promise<void> {
    const payload = JSON.stringify({ ...notificationOf(event), id: `${event.id}_forged` });
    await this.#post(url, payload, FORGED_SECRET).catch(() => false);
  }

  close(): void {
    this.#active = false;
    this.#aborter.abort();
  }

  #destinationsOf(event: StripeEvent): { url: string; secret: string }[] {
    const { state, thinDestination } = this.#options;
    if (event.thin) return thinDestination === null ? [] : [thinDestination];
    return [...state.webhookEndpoints.values()]
      .filter(({ enabled_events }) => enabled_events.includes('*') || enabled_events.includes(event.type))
      .map(({ url, secret = '' }) => ({ url, secret }));
  }

  async #send(event: StripeEvent, url: string, secret: string): Promise<boolean> {
    const payload = JSON.stringify(notificationOf(event));
    const { signal } = this.#aborter;
    for (const waitMs of [0, ...RETRY_DELAYS_MS]) {
      try {
        await delay(waitMs, undefined, { signal });
        if (await this.#post(url, payload, secret)) return true;
      } catch {
        if (signal.aborted) return false;
      }
    }
    return false;
  }

  async #post(url: string, payload: string, secret: string): Promise<boolean> {
    // Signed anew for every attempt, with the real time: that is what the receiver checks it against.
    const signature = await Stripe.webhooks.generateTestHeaderStringAsync({ payload, secret });
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': signature },
      body: payload,
      signal: AbortSignal.any([this.#aborter.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    await response.arrayBuffer();
    return response.ok;
  }
}
