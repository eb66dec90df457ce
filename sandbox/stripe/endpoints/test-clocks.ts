import type Stripe from 'stripe';
import { DAY_MS } from '../../../src/platform/clock.ts';
import { type FormShape, readInteger, readText } from '../http/form.ts';
import { PAGING_SHAPE, toPage } from '../http/paging.ts';
import { refuseMissing, refuseParameter } from '../http/refusal.ts';
import { toSeconds, type WireTestClock } from '../http/wire.ts';
import type { BillingCycle } from '../invoices/billing-cycle.ts';
import type { TestClock } from '../state.ts';
import { type Endpoint, found, idOf, retrieve } from './endpoint.ts';

const PATH = '/v1/test_helpers/test_clocks';
/** An advance is only asked for: Stripe says by status and event when it is done. */
const ADVANCE_TAKES_MS = 5_000;
/** "Up to two intervals from the current time"; periods here are months. */
const MOST_ADVANCE_SECONDS = 62 * 86_400;
const LIVES_MS = 30 * DAY_MS;

/** Test clocks: customers made on one live by its time, and are in no list that does not name it. */
export function testClockEndpoints(cycle: BillingCycle): Endpoint[] {
  const { state, emit } = cycle.account;
  return [
    {
      method: 'GET',
      path: PATH,
      shape: PAGING_SHAPE satisfies FormShape<Stripe.TestHelpers.TestClockListParams>,
      mutates: false,
      run: ({ form }) =>
        toPage(
          [...state.testClocks.values()].map(({ wire }) => wire),
          form,
          PATH,
        ),
    },
    retrieve(`${PATH}/:id`, (id) => found(state.testClocks, 'test_clock', id).wire),
    {
      method: 'POST',
      path: PATH,
      shape: {
        frozen_time: 'text',
        name: 'text',
        expand: 'any',
      } satisfies FormShape<Stripe.TestHelpers.TestClockCreateParams>,
      mutates: true,
      run: ({ form, nowMs }) => {
        const frozenTime = readInteger(form, 'frozen_time');
        if (frozenTime === undefined) throw refuseMissing('frozen_time');
        const wire: WireTestClock = {
          id: state.nextId('clock'),
          object: 'test_helpers.test_clock',
          created: toSeconds(nowMs),
          deletes_after: toSeconds(nowMs + LIVES_MS),
          frozen_time: frozenTime,
          livemode: false,
          name: readText(form, 'name') ?? null,
          status: 'ready',
          status_details: {},
        };
        state.testClocks.set(wire.id, { wire, readyAtMs: null });
        emit('test_helpers.test_clock.created', wire, nowMs);
        return wire;
      },
    },
    {
      method: 'POST',
      path: `${PATH}/:id/advance`,
      shape: {
        frozen_time: 'text',
        expand: 'any',
      } satisfies FormShape<Stripe.TestHelpers.TestClockAdvanceParams>,
      mutates: true,
      run: (call) => {
        const clock = found(state.testClocks, 'test_clock', idOf(call));
        advance(clock, readInteger(call.form, 'frozen_time'), call.nowMs);
        cycle.reconsider();
        emit('test_helpers.test_clock.advancing', clock.wire, call.nowMs);
        return clock.wire;
      },
    },
  ];
}

function advance(clock: TestClock, target: number | undefined, nowMs: number): void {
  const { wire } = clock;
  if (target === undefined) throw refuseMissing('frozen_time');
  if (wire.status !== 'ready')
    throw refuseParameter('frozen_time', 'The clock is advancing.', 'invalid_state');
  if (target <= wire.frozen_time || target > wire.frozen_time + MOST_ADVANCE_SECONDS) {
    throw refuseParameter('frozen_time', 'must be later than the clock, by at most two intervals');
  }
  wire.status = 'advancing';
  wire.status_details = { advancing: { target_frozen_time: target } };
  clock.readyAtMs = nowMs + ADVANCE_TAKES_MS;
}
