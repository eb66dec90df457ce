import Stripe from 'stripe';
import type { StripeStandIn } from '../../../sandbox/stripe/stand-in.ts';
import type { LedgerDatabase } from '../../../src/platform/database/database.ts';
import { createStripeWebhookRoute } from '../../../webhooks/stripe.ts';
import { FormCalls } from '../../setup/form-calls.ts';
import { Draws } from '../draws.ts';
import type { Life } from './life.ts';

const SECRET = 'whsec_simulation';

/** Stripe's webhooks as they arrive: some never, some twice, in any order, minutes or rounds after what they tell of. */
export class Post {
  readonly #calls: FormCalls;
  readonly #draws: Draws;
  readonly #chances: Life['webhooks'];
  readonly #seen = new Set<string>();
  #waiting: object[] = [];

  constructor(seed: number, stripe: StripeStandIn, chances: Life['webhooks']) {
    this.#draws = new Draws(seed, 'post');
    this.#calls = new FormCalls(stripe.apiKey, (request) => stripe.app.fetch(request));
    this.#chances = chances;
  }

  /** Takes up what has happened since. */
  async collect(): Promise<void> {
    if (this.#chances === null) return;
    const { lost, doubled } = this.#chances;
    const events = await this.#calls.listAll<{ id: string }>('/v1/events?');
    for (const event of events) {
      if (this.#seen.has(event.id)) continue;
      this.#seen.add(event.id);
      if (this.#draws.chance(lost)) continue;
      this.#waiting.push(event, ...(this.#draws.chance(doubled) ? [event] : []));
    }
  }

  /** Some of what waits, to be delivered in this order; a worker that dies over it has lost it. */
  take(): object[] {
    const shuffled = this.#draws.shuffle(this.#waiting);
    const count = this.#draws.between(0, shuffled.length);
    this.#waiting = shuffled.slice(count);
    return shuffled.slice(0, count);
  }
}

/** What the service does with them. */
export async function receiveWebhooks(
  events: readonly object[],
  dependencies: { database: LedgerDatabase; clock: { now: () => Date } },
): Promise<number> {
  const route = createStripeWebhookRoute({
    ...dependencies,
    enqueue: async () => {},
    webhookSecret: SECRET,
    thinWebhookSecret: undefined,
  });
  for (const event of events) {
    const body = JSON.stringify(event);
    const signature = Stripe.webhooks.generateTestHeaderString({ payload: body, secret: SECRET });
    const response = await route.request('/', {
      method: 'POST',
      body,
      headers: { 'stripe-signature': signature },
    });
    if (response.status !== 200) throw new Error(`A webhook was answered ${response.status}`);
  }
  return events.length;
}
