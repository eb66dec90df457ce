import { readApiSettings } from '../platform/http/dependencies.ts';
import type { AskApi } from '../platform/terminal/frame.ts';
import { withLocalApi } from '../service/local-api.ts';
import { createOptionalBilling, createOptionalInvoicing } from '../service/optional-billing.ts';
import { localUrl, withStores } from './setup.ts';

/**
 * Runs a command over the routes of the API, in this process and as the service is configured. Links lead to where that
 * service answers.
 */
export async function askApi<Result>(work: (ask: AskApi) => Promise<Result>): Promise<Result> {
  return await withStores(({ config, clock, stores }) =>
    withLocalApi(stores, createOptionalBilling(config), work, {
      clock,
      apiKey: config.TALLYSTICK_API_KEY,
      settings: { ...readApiSettings(config), publicUrl: config.PUBLIC_URL ?? localUrl(config) },
      ...createOptionalInvoicing(config),
    }),
  );
}
