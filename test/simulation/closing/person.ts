import { meterEventName } from '../../../sandbox/stripe/seed.ts';
import { FormCalls } from '../../setup/form-calls.ts';
import type { Act, Happening, Life } from './life.ts';

/** An item of a customer's meter that got a price at an instant. */
interface Swap {
  tenantKey: string;
  eventName: string;
  atMs: number;
  unit: string;
  /** By when it was made; `atMs` is the second of it. */
  madeMs: number;
  /** Nothing was prorated: what the meter counted before, in the running period, Stripe bills on no invoice. */
  isForgoing: boolean;
}

const STORAGE_UNIT_CENTS = 120;

/** What was done at Stripe, as it was answered: the oracle's own record of prices and ends. */
export class Person {
  readonly swaps: Swap[] = [];
  readonly endedAtMs = new Map<string, number>();
  /** What the other system fed, by customer. */
  readonly fed: { tenantKey: string; atMs: number; quantity: number }[] = [];
  readonly #calls: FormCalls;
  readonly #nowMs: () => number;
  readonly #left: Happening[];
  readonly #storageItems = new Set<string>();

  constructor(
    life: Life,
    parts: { apiKey: string; send: (request: Request) => Promise<Response>; nowMs: () => number },
  ) {
    this.#left = [...life.happenings];
    this.#calls = new FormCalls(parts.apiKey, parts.send);
    this.#nowMs = parts.nowMs;
  }

  get hasWork(): boolean {
    return this.#left[0] !== undefined && this.#left[0].atMs <= this.#nowMs();
  }

  /** Does what is due, one call after the other, while the workers go on. */
  async act(): Promise<void> {
    while (this.hasWork) {
      const next = this.#left.shift();
      if (next !== undefined && !this.endedAtMs.has(next.tenantKey)) await this.#do(next.tenantKey, next.act);
    }
  }

  async #do(tenantKey: string, act: Act): Promise<void> {
    const calls = this.#calls;
    const customers = await calls.listAll<{ id: string; metadata: Record<string, string> }>('/v1/customers?');
    const customer = customers.find(({ metadata }) => metadata.tenant_id === tenantKey);
    const [subscription] = await calls.listAll<{ id: string; currency: string; current_period_end: number }>(
      `/v1/subscriptions?customer=${customer?.id}&`,
    );
    if (customer === undefined || subscription === undefined) return;
    switch (act.kind) {
      case 'swap':
        return await this.#swap(tenantKey, subscription, act);
      case 'cancel':
        return await this.#cancel(tenantKey, subscription.id, act.how);
      case 'add_storage':
        return await this.#addStorage(tenantKey, subscription);
      case 'feed_storage':
        return await this.#feedStorage(tenantKey, customer.id, act.quantity);
    }
  }

  async #swap(
    tenantKey: string,
    { id, currency }: { id: string; currency: string },
    { model, tokenType, unit, proration }: Extract<Act, { kind: 'swap' }>,
  ): Promise<void> {
    const items = await this.#calls.listAll<WireItem>(`/v1/subscription_items?subscription=${id}&`);
    const item = items.find(
      ({ price: { metadata } }) =>
        metadata.tallystick_model === model && metadata.tallystick_token_type === tokenType,
    );
    if (item === undefined) return;
    const { price } = item;
    const other = await this.#calls.post<{ id: string }>('/v1/prices', {
      product: price.product,
      currency,
      unit_amount_decimal: unit,
      metadata: price.metadata,
      recurring: { interval: 'month', usage_type: 'metered', meter: price.recurring.meter },
    });
    const swapped = await this.#calls.post<WireItem>(`/v1/subscription_items/${item.id}`, {
      price: other.id,
      proration_behavior: proration,
    });
    const atMs = swapped.current_period_start * 1_000;
    const eventName = meterEventName(model, tokenType);
    const isForgoing = proration === 'none';
    this.swaps.push({ tenantKey, eventName, atMs, unit, madeMs: this.#nowMs(), isForgoing });
  }

  async #cancel(tenantKey: string, id: string, how: Extract<Act, { kind: 'cancel' }>['how']): Promise<void> {
    if (how === 'at_period_end') {
      await this.#calls.post(`/v1/subscriptions/${id}`, { cancel_at_period_end: true });
      const items = await this.#calls.listAll<WireItem>(`/v1/subscription_items?subscription=${id}&`);
      this.endedAtMs.set(tenantKey, (items[0]?.current_period_end ?? 0) * 1_000);
      return;
    }
    const ended = await this.#calls.delete<{ ended_at: number }>(
      `/v1/subscriptions/${id}${how === 'invoice_now' ? '?invoice_now=true' : ''}`,
    );
    this.endedAtMs.set(tenantKey, ended.ended_at * 1_000);
  }

  async #addStorage(tenantKey: string, { id, currency }: { id: string; currency: string }): Promise<void> {
    const eventName = storageEventName(tenantKey);
    const meter = await this.#calls.post<{ id: string }>('/v1/billing/meters', {
      event_name: eventName,
      display_name: 'Storage',
      default_aggregation: { formula: 'sum' },
    });
    const product = await this.#calls.post<{ id: string }>('/v1/products', { name: 'Storage in GB' });
    const price = await this.#calls.post<{ id: string }>('/v1/prices', {
      product: product.id,
      currency,
      unit_amount: STORAGE_UNIT_CENTS,
      recurring: { interval: 'month', usage_type: 'metered', meter: meter.id },
    });
    await this.#calls.post('/v1/subscription_items', { subscription: id, price: price.id });
    this.#storageItems.add(tenantKey);
  }

  async #feedStorage(tenantKey: string, customerId: string, quantity: number): Promise<void> {
    if (!this.#storageItems.has(tenantKey)) return;
    const atSeconds = Math.floor(this.#nowMs() / 1_000);
    await this.#calls.post('/v1/billing/meter_events', {
      event_name: storageEventName(tenantKey),
      payload: { stripe_customer_id: customerId, value: quantity },
      identifier: `storage_${tenantKey}_${this.fed.length}`,
      timestamp: atSeconds,
    });
    this.fed.push({ tenantKey, atMs: atSeconds * 1_000, quantity });
  }
}

interface WireItem {
  id: string;
  current_period_start: number;
  current_period_end: number;
  price: { product: string; metadata: Record<string, string>; recurring: { meter: string } };
}

function storageEventName(tenantKey: string): string {
  return `storage_gb_of_${tenantKey}`;
}
