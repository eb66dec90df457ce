import type { JobDependencies } from '../../../jobs/dependencies.ts';
import { SANDBOX_WORKSPACE_ID } from '../../../sandbox/azure/azure-stand-in.ts';
import type { Clock } from '../../../src/platform/clock.ts';
import { loadConfig } from '../../../src/platform/config.ts';
import type { LedgerDatabase } from '../../../src/platform/database/database.ts';
import { createLogger } from '../../../src/platform/log.ts';
import { createJobDependencies } from '../../../src/service/services.ts';

/** An address nobody listens on: a bench that calls a system it did not name fails at once. */
const NOWHERE = 'http://127.0.0.1:9';

/** The production wiring with the outside addresses that a bench names; the others lead nowhere. */
export function createBenchDependencies(given: {
  environment: Record<string, string>;
  database: LedgerDatabase;
  clock: Clock;
}): JobDependencies {
  const config = loadConfig({
    AZURE_LOGS_WORKSPACE_ID: SANDBOX_WORKSPACE_ID,
    AZURE_LOGS_ENDPOINT: NOWHERE,
    AZURE_RETAIL_PRICES_URL: 'off',
    OPENMETER_URL: NOWHERE,
    STRIPE_API_BASE: NOWHERE,
    STRIPE_API_KEY: 'sk_test_tallystick',
    ...given.environment,
  });
  return createJobDependencies(config, {
    database: given.database,
    clock: given.clock,
    log: createLogger('error'),
  });
}
