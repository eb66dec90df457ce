import { OpenMeter } from '@openmeter/sdk';
import { TallystickError } from '../platform/errors.ts';
import { upsertCustomers } from './customers.ts';
import { findEvents, ingestEvents } from './events.ts';
import { createRetryingFetch, type OpenMeterCallOptions } from './fetch.ts';
import { ensureMeters, listMeterSlugs, queryHourly, queryHourTotals } from './meters.ts';
import type { MeteringSystem } from './port.ts';

export type { OpenMeterCallOptions } from './fetch.ts';

export interface OpenMeterConfig {
  /** Address without a path, e.g. `https://openmeter.cloud`. */
  OPENMETER_URL?: string | undefined;
  /** Sent as Bearer. Self-hosted OpenMeter has no key of its own; a gateway in front may want one. */
  OPENMETER_API_KEY?: string | undefined;
}

/**
 * OpenMeter through its own SDK, with the SDK's defects worked around in one place (docs/openmeter.md lists
 * them). Holds no state and opens no connection before the first call.
 * @throws TallystickError CONFIG when OPENMETER_URL is missing
 */
export function createOpenMeter(config: OpenMeterConfig, options: OpenMeterCallOptions = {}): MeteringSystem {
  if (config.OPENMETER_URL === undefined) {
    throw new TallystickError('OPENMETER_URL is missing', {
      code: 'CONFIG',
      retry: false,
      fix: 'Set OPENMETER_URL to the address of your OpenMeter.',
    });
  }
  const sdk = new OpenMeter({
    baseUrl: config.OPENMETER_URL,
    fetch: createRetryingFetch(options),
    ...(config.OPENMETER_API_KEY === undefined ? {} : { apiKey: config.OPENMETER_API_KEY }),
  });
  return {
    ingestEvents: (eventBodies, signal) => ingestEvents(sdk, eventBodies, signal),
    queryHourly: (meter, window, signal) => queryHourly(sdk, meter, window, signal),
    queryHourTotals: (meter, window, signal) => queryHourTotals(sdk, meter, window, signal),
    ensureMeters: (signal) => ensureMeters(sdk, signal),
    upsertCustomers: (customers, signal) => upsertCustomers(sdk, customers, signal),
    findEvents: (query, signal) => findEvents(sdk, query, signal),
    describe: async (signal) => ({ meterSlugs: await listMeterSlugs(sdk, signal) }),
  };
}
