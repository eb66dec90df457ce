import type Stripe from 'stripe';
import { isTokenType } from '../../pricing/usage/shape.ts';
import { UpstreamError, ValidationError } from '../platform/errors.ts';
import { type KeyedClient, paced, writeKeyed } from './keyed-writes.ts';
import { type BillingMeter, type BillingMeterEvent, LEGACY_METER_PREFIX } from './port.ts';
import { withRetry } from './retry.ts';

/** The last version of the API that takes usage records. */
const LEGACY = { apiVersion: '2025-02-24.acacia' };

export function isLegacyMeter(meterId: string): boolean {
  return meterId.startsWith(LEGACY_METER_PREFIX);
}

/**
 * What stands for a meter where a metered price has none: what the price's metadata says it prices. Null: it does not
 * say, and nothing can be billed through it.
 */
export function legacyMeterIdOf(priceMetadata: Readonly<Record<string, string>>): string | null {
  const { tallystick_model: model, tallystick_token_type: tokenType, tallystick_feature } = priceMetadata;
  if (!model || tokenType === undefined || !isTokenType(tokenType)) return null;
  return `${LEGACY_METER_PREFIX}${JSON.stringify([model, tokenType, tallystick_feature ?? '*'])}`;
}

/** A record replaces the one of its hour, as an event does on a meter with an hour window. */
export function toLegacyMeter(meterId: string): BillingMeter {
  return {
    stripeMeterId: meterId,
    eventName: meterId,
    displayName: `usage records of ${meterId.slice(LEGACY_METER_PREFIX.length)}`,
    aggregation: 'sum',
    eventTimeWindow: 'hour',
    status: 'active',
    payloadKeys: { customer: 'stripe_customer_id', value: 'value' },
  };
}

export interface LegacyClient extends KeyedClient {
  stripe: Stripe;
}

interface RecordSummary {
  id: string;
  total_usage: number;
  period: { start: number | null; end: number | null };
}

interface SummaryPage {
  data: RecordSummary[];
  has_more: boolean;
}

/**
 * Usage records for items without a meter, which the API takes no more at its present version. `action: set` replaces
 * what was said of the same instant: so absolute values of an hour may be sent any number of times.
 */
export class LegacyUsage {
  readonly #client: LegacyClient;
  /** By customer and meter: items hardly ever change, and each look costs a rationed read. */
  readonly #itemIds = new Map<string, string>();

  constructor(client: LegacyClient) {
    this.#client = client;
  }

  /**
   * Sets what a customer used in one hour.
   * @throws ValidationError for a negative value; UpstreamError, UPSTREAM_REJECTED when no item of the customer takes it
   */
  async send(event: BillingMeterEvent, signal?: AbortSignal): Promise<'delivered'> {
    if (event.value < 0n || event.value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new ValidationError('value', 'is no quantity that a usage record can hold');
    }
    const parameters = {
      quantity: Number(event.value),
      timestamp: Math.floor(event.timestamp.getTime() / 1_000),
      action: 'set',
    };
    const itemId = await this.#findItem(event.stripeCustomerId, event.eventName, signal);
    const path = `/v1/subscription_items/${encodeURIComponent(itemId)}/usage_records`;
    try {
      await writeKeyed(
        this.#client,
        {
          action: 'send a usage record',
          context: { path },
          intent: event.identifier,
          content: [path, parameters],
          ...(event.spentKeyCount === undefined ? {} : { spentCount: event.spentKeyCount }),
          run: (request) =>
            this.#client.stripe.rawRequest('POST', path, parameters, { ...request, ...LEGACY }),
        },
        signal,
      );
    } catch (error) {
      // The item may have been exchanged for another one: the next attempt looks again.
      this.#itemIds.delete(keyOf(event.stripeCustomerId, event.eventName));
      throw error;
    }
    return 'delivered';
  }

  /**
   * Stripe's total of one whole billing period: it tells no smaller parts.
   * @throws UpstreamError UPSTREAM_REJECTED for any other window
   */
  async readTotal(
    query: { stripeMeterId: string; stripeCustomerId: string; window: { start: Date; end: Date } },
    signal?: AbortSignal,
  ): Promise<{ windowStart: Date; value: bigint }[]> {
    const itemId = await this.#findItem(query.stripeCustomerId, query.stripeMeterId, signal);
    const path = `/v1/subscription_items/${encodeURIComponent(itemId)}/usage_record_summaries`;
    const { stripe, policy, limiter } = this.#client;
    const call = { action: 'read usage records', writes: false, context: { path } };
    const isAsked = ({ period }: RecordSummary) =>
      period.start === query.window.start.getTime() / 1_000 &&
      (period.end === null || period.end === query.window.end.getTime() / 1_000);
    // The newest first; an item that bills by the week has a hundred of them in two years.
    for (let after: string | undefined; ; ) {
      const page = { limit: 100, ...(after === undefined ? {} : { starting_after: after }) };
      const ask = () => stripe.rawRequest('GET', path, page, LEGACY);
      const paged = () => paced(limiter, call, ask, signal);
      const answer = (await withRetry(policy, call, paged, signal)) as unknown as SummaryPage;
      const found = answer.data.find(isAsked);
      if (found !== undefined) return [{ windowStart: query.window.start, value: BigInt(found.total_usage) }];
      after = answer.data.at(-1)?.id;
      if (!answer.has_more || after === undefined)
        throw refused('Usage records are summed by whole billing periods only.');
    }
  }

  async #findItem(customerId: string, meterId: string, signal: AbortSignal | undefined): Promise<string> {
    const key = keyOf(customerId, meterId);
    const known = this.#itemIds.get(key);
    if (known !== undefined) return known;
    const { stripe, policy } = this.#client;
    const call = {
      action: 'find the item of a usage record',
      writes: false,
      context: { customer: customerId },
    };
    const itemId = await withRetry(
      policy,
      call,
      async () => {
        for await (const subscription of stripe.subscriptions.list({ customer: customerId, limit: 100 })) {
          const list = stripe.subscriptionItems.list({ subscription: subscription.id, limit: 100 });
          for await (const { id, price } of list) {
            const isLegacy = price.recurring?.usage_type === 'metered' && price.recurring.meter === null;
            if (isLegacy && legacyMeterIdOf(price.metadata) === meterId) return id;
          }
        }
        return null;
      },
      signal,
    );
    if (itemId === null) throw refused('No item of the customer takes these usage records.');
    this.#itemIds.set(key, itemId);
    return itemId;
  }
}

const keyOf = (customerId: string, meterId: string) => `${customerId} ${meterId}`;

function refused(message: string): UpstreamError {
  return new UpstreamError(message, { system: 'stripe', code: 'UPSTREAM_REJECTED', retry: false });
}
