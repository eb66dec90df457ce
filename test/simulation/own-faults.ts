import type { AzureFault } from '../../sandbox/azure/faults.ts';
import { Draws } from './draws.ts';
import type { Profile } from './profile.ts';
import type { SimulatedSystem, SystemName } from './transport.ts';
import type { Witness } from './witness.ts';
import type { World } from './world.ts';

const METER_EVENTS = '/v1/billing/meter_events';
const REFUSAL = 'customer_tax_location_invalid';

const AZURE_OWN_FAULTS: [AzureFault, ...AzureFault[]] = [
  'partial',
  'timeout',
  'too_large',
  'unavailable',
  'empty',
  'no_content',
  'throttled_with_retry_after',
  'bad_query',
  'forbidden',
];

/** The stand-ins as systems of the simulation, with the faults that are theirs and not the network's. */
export function createSystems(
  parts: Pick<World, 'seed' | 'azure' | 'openMeter' | 'stripe' | 'weather'> & {
    profile: Profile;
    witness: Witness;
  },
): Record<SystemName, SimulatedSystem> {
  const { seed, azure, openMeter, stripe, profile, witness, weather } = parts;
  const weatherOf = (name: SystemName) => ({
    isDown: () => weather.down === name,
    faultChance: () => (weather.stormy ? profile.callFaultChance[name] : 0),
  });
  const losses = new Draws(seed, 'lost pushes');
  const refusals = new Draws(seed, 'refused finalizations');
  /** Invoices that somebody has tried to finalize: what is refused the first time is cured the next. */
  const finalized = new Set<string>();
  openMeter.setFaults({
    staleReadMs: profile.openMeterStaleReadMs,
    dropRate: profile.openMeterDropRate,
  });
  return {
    azure: {
      name: 'azure',
      answer: async (request) => await azure.app.fetch(request),
      ...weatherOf('azure'),
      playOwnFault: (draws) => {
        const fault = draws.pick(AZURE_OWN_FAULTS);
        azure.setFaults({ next: [fault] });
        return fault;
      },
      observe: () => {},
    },
    openmeter: {
      name: 'openmeter',
      answer: async (request) => {
        const refused =
          isIngest(request) && witness.holdsPoison(await request.clone().text(), profile.poisonShare);
        if (!refused) return await openMeter.app.fetch(request);
        return Response.json({ title: 'Bad Request', detail: 'event is invalid' }, { status: 400 });
      },
      ...weatherOf('openmeter'),
      observe: (request, body, response) => {
        if (isIngest(request)) witness.sawEvents(body, response.status);
        else witness.sawOther('openmeter', request, response.status);
      },
    },
    stripe: {
      name: 'stripe',
      answer: async (request) => {
        const { pathname } = new URL(request.url);
        const isPush = pathname === METER_EVENTS;
        if (pathname.endsWith('/finalize') && !finalized.has(pathname)) {
          finalized.add(pathname);
          const isRefused = refusals.chance(profile.finalizationRefusalChance);
          if (isRefused) stripe.faults.add({ kind: 'reject', code: REFUSAL, path: pathname, count: 1 });
        }
        if (isPush && weather.stormy && losses.chance(profile.stripeDropRate))
          stripe.faults.dropNextMeterEvents(1);
        return await stripe.app.fetch(request);
      },
      ...weatherOf('stripe'),
      playOwnFault: (draws: Draws, request: Request) => {
        if (request.method === 'GET') return null;
        const kind = draws.pick<'fail' | 'fail_after'>(['fail', 'fail_after']);
        stripe.faults.add({ kind, count: 1 });
        return kind;
      },
      observe: (request, body, response) => {
        if (new URL(request.url).pathname === METER_EVENTS) witness.sawPush(body, response.status);
        else witness.sawOther('stripe', request, response.status);
        witness.sawKey(request, response);
      },
    },
  };
}

function isIngest(request: Request): boolean {
  return request.method === 'POST' && new URL(request.url).pathname === '/api/v1/events';
}
