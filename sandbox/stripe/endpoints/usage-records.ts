import type Stripe from 'stripe';
import type { BillingAccount } from '../account.ts';
import { type FormShape, readInteger, readText } from '../http/form.ts';
import { refuseMissing, refuseParameter } from '../http/refusal.ts';
import { toSeconds } from '../http/wire.ts';
import { type Endpoint, found, idOf } from './endpoint.ts';

/** The version of the API that still takes usage records; at others the addresses do not exist. */
export const USAGE_RECORD_VERSION = '2025-02-24.acacia';
export const USAGE_RECORD_PATH = /^\/v1\/subscription_items\/[^/]+\/usage_record(s|_summaries)$/;

/** The face of 2025 and before, for items whose price has no meter. */
export function usageRecordEndpoints({ state }: BillingAccount): Endpoint[] {
  return [
    {
      method: 'POST',
      path: '/v1/subscription_items/:id/usage_records',
      shape: { quantity: 'text', timestamp: 'text', action: 'text' } satisfies FormShape,
      mutates: true,
      run: (call) => {
        const { form, nowMs } = call;
        const item = found(state.items, 'subscription_item', idOf(call));
        if ((item.price.recurring?.meter ?? null) !== null) {
          throw refuseParameter(
            'subscription_item',
            'Usage of a price with a meter is reported by meter events.',
          );
        }
        const quantity = readInteger(form, 'quantity');
        if (quantity === undefined) throw refuseMissing('quantity');
        if (quantity < 0) throw refuseParameter('quantity', 'Invalid integer: must be at least 0.');
        const timestamp = readInteger(form, 'timestamp') ?? toSeconds(nowMs);
        if (timestamp < item.current_period_start || timestamp >= item.current_period_end) {
          throw refuseParameter(
            'timestamp',
            "Cannot create the usage record with this timestamp because it is outside of the subscription's current period.",
          );
        }
        if (timestamp > toSeconds(nowMs) + 300) {
          throw refuseParameter(
            'timestamp',
            'Cannot create the usage record with a timestamp in the future.',
          );
        }
        const action = readText(form, 'action') ?? 'increment';
        if (action !== 'set' && action !== 'increment') {
          throw refuseParameter('action', 'Invalid action: must be one of set or increment');
        }
        const value = state.usageRecords.put(item.id, timestamp, BigInt(quantity), action);
        return {
          id: state.nextId('mbur'),
          object: 'usage_record',
          livemode: false,
          quantity: Number(value),
          subscription_item: item.id,
          timestamp,
        };
      },
    },
    {
      method: 'GET',
      path: '/v1/subscription_items/:id/usage_record_summaries',
      shape: { limit: 'text' } satisfies FormShape<Stripe.PaginationParams>,
      mutates: false,
      run: (call) => {
        const item = found(state.items, 'subscription_item', idOf(call));
        const { current_period_start: start, current_period_end: end } = item;
        const total = state.usageRecords.total(item.id, { fromMs: start * 1_000, untilMs: end * 1_000 });
        const summary = {
          id: `sis_${item.id}`,
          object: 'usage_record_summary',
          invoice: null,
          livemode: false,
          period: { start, end },
          subscription_item: item.id,
          total_usage: Number(total),
        };
        return { object: 'list', data: [summary], has_more: false, url: call.params.id };
      },
    },
  ];
}
