import { readAttributedCustomers } from '../../src/catalog/attribution.ts';
import { storeAttributions } from '../../src/catalog/attributions.ts';
import type { JobDependencies } from '../dependencies.ts';

/**
 * Makes OpenMeter's customers follow the ledger's. They only attribute; one that OpenMeter does not take, or not with all
 * its users, is kept as such, told, tried again, and stops nothing.
 * @returns what is wrong and was not told before
 * @throws UpstreamError when OpenMeter takes nobody
 */
export async function followInOpenMeter(deps: JobDependencies, signal?: AbortSignal): Promise<string[]> {
  const startedAt = deps.clock.now();
  const customers = await readAttributedCustomers(deps.database, deps.settings.openMeterSubjectsMax);
  const problems = await deps.metering.upsertCustomers(customers, signal);
  return await storeAttributions(
    deps.database,
    { customers, problems },
    { startedAt, now: deps.clock.now() },
  );
}
