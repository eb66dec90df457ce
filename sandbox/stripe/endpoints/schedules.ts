import type Stripe from 'stripe';
import { type Form, type FormShape, readInteger, readObjects, requireText } from '../http/form.ts';
import { refuseMissing, refuseParameter } from '../http/refusal.ts';
import { toSeconds, type WireSubscriptionSchedule } from '../http/wire.ts';
import type { BillingCycle } from '../invoices/billing-cycle.ts';
import { nextEndMs } from '../periods.ts';
import { writeSchedule } from '../schedules.ts';
import type { Schedule, SchedulePhase, Subscription } from '../state.ts';
import { checkPrice } from '../subscriptions.ts';
import { type Endpoint, found, idOf, retrieve } from './endpoint.ts';
import { readProration } from './subscription-changes.ts';
import { living } from './subscriptions.ts';

/** Schedules of subscriptions that exist: `from_subscription`, then phases with prices, quantities and prorations. */
export function scheduleEndpoints(cycle: BillingCycle): Endpoint[] {
  const { account } = cycle;
  const { state } = account;
  return [
    retrieve('/v1/subscription_schedules/:id', (id) => found(state.schedules, 'schedule', id).wire),
    {
      method: 'POST',
      path: '/v1/subscription_schedules',
      shape: {
        from_subscription: 'text',
        expand: 'any',
      } satisfies FormShape<Stripe.SubscriptionScheduleCreateParams>,
      mutates: true,
      run: ({ form, nowMs }) => {
        const id = requireText(form, 'from_subscription');
        const subscription = living(found(state.subscriptions, 'subscription', id));
        if (subscription.wire.schedule !== null)
          throw refuseParameter('from_subscription', 'The subscription has a schedule already.');
        const schedule: Schedule = {
          wire: newWire(state.nextId('sub_sched'), subscription, nowMs),
          subscriptionId: id,
          phases: [currentPhase(subscription)],
        };
        subscription.wire.schedule = schedule.wire.id;
        state.schedules.set(schedule.wire.id, schedule);
        return render(schedule);
      },
    },
    {
      method: 'POST',
      path: '/v1/subscription_schedules/:id',
      shape: {
        phases: {
          start_date: 'text',
          end_date: 'text',
          items: { price: 'text', quantity: 'text' },
          proration_behavior: 'text',
        },
        end_behavior: 'text',
        proration_behavior: 'text',
        expand: 'any',
      } satisfies FormShape<Stripe.SubscriptionScheduleUpdateParams>,
      mutates: true,
      run: (call) => {
        const schedule = found(state.schedules, 'schedule', idOf(call));
        const subscription = found(state.subscriptions, 'subscription', schedule.subscriptionId);
        const phases = readPhases(call.form, schedule, call.nowMs);
        for (const { items } of phases)
          for (const { priceId } of items) checkPrice(account, { ...subscription, items: [] }, priceId);
        schedule.phases = phases;
        cycle.reconsider();
        return render(schedule);
      },
    },
  ];
}

function currentPhase(subscription: Subscription): SchedulePhase {
  return {
    startMs: subscription.periodStartMs,
    endMs: nextEndMs(subscription),
    items: subscription.items.map(({ price, quantity }) => ({
      priceId: price.id,
      quantity: quantity ?? null,
    })),
    prorationBehavior: 'create_prorations',
    isBegun: true,
  };
}

/** The first is the one that runs; each begins where the one before ends. */
function readPhases(form: Form, schedule: Schedule, nowMs: number): SchedulePhase[] {
  const given = readObjects(form, 'phases');
  if (given.length === 0) throw refuseMissing('phases');
  const phases: SchedulePhase[] = [];
  for (const [index, phase] of given.entries()) {
    const path = `phases[${index}]`;
    const start = readInteger(phase, 'start_date');
    const end = readInteger(phase, 'end_date');
    const before = phases.at(-1);
    const startMs = start === undefined ? (before?.endMs ?? schedule.phases[0]?.startMs) : start * 1_000;
    if (startMs === undefined || (before !== undefined && startMs !== before.endMs))
      throw refuseParameter(`${path}[start_date]`, 'A phase must begin where the one before ends.');
    if (index > 0 && startMs <= nowMs)
      throw refuseParameter(`${path}[start_date]`, 'You can not change a phase that has begun.');
    const items = readObjects(phase, 'items').map((item) => ({
      priceId: requireText(item, 'price'),
      quantity: readInteger(item, 'quantity') ?? null,
    }));
    if (items.length === 0) throw refuseMissing(`${path}[items]`);
    phases.push({
      startMs,
      endMs: end === undefined ? null : end * 1_000,
      items,
      prorationBehavior: readProration(phase),
      isBegun: index === 0,
    });
  }
  return phases;
}

function render(schedule: Schedule): WireSubscriptionSchedule {
  writeSchedule(schedule);
  return schedule.wire;
}

function newWire(id: string, { wire, customerId }: Subscription, nowMs: number): WireSubscriptionSchedule {
  return {
    id,
    object: 'subscription_schedule',
    application: null,
    billing_mode: wire.billing_mode,
    canceled_at: null,
    completed_at: null,
    created: toSeconds(nowMs),
    current_phase: null,
    customer: customerId,
    customer_account: null,
    default_settings: {
      application_fee_percent: null,
      billing_cycle_anchor: 'automatic',
      billing_thresholds: null,
      collection_method: 'charge_automatically',
      default_payment_method: null,
      description: null,
      invoice_settings: {
        account_tax_ids: null,
        custom_fields: null,
        days_until_due: null,
        description: null,
        footer: null,
        issuer: { type: 'self' },
      },
      on_behalf_of: null,
      transfer_data: null,
    },
    end_behavior: 'release',
    livemode: false,
    metadata: {},
    pause_schedules: [],
    phases: [],
    released_at: null,
    released_subscription: null,
    status: 'active',
    subscription: wire.id,
    test_clock: null,
  };
}
