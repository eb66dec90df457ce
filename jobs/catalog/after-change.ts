import { readDoubleBindings } from '../../src/catalog/billing-places.ts';
import { releaseQuarantine } from '../../src/catalog/release-held-usage.ts';
import type { JobDependencies } from '../dependencies.ts';
import { recountUsage } from '../recount/recount-usage.ts';
import { takeUpItems } from '../rescan/take-up-items.ts';
import { followInOpenMeter } from './follow-in-openmeter.ts';

/**
 * What every change of the catalog is followed by: usage whose cause of quarantine is gone is taken up, and OpenMeter's
 * customers follow.
 * @returns tokens taken up, and what is wrong
 */
export async function afterCatalogChange(
  deps: JobDependencies,
  options: { now: Date; actor: string; customersChanged: boolean },
  signal?: AbortSignal,
): Promise<{ releasedTokenCount: bigint; problems: string[] }> {
  const released = await releaseQuarantine(deps.database, options);
  await recountUsage(deps, signal);
  const takenUp = await takeUpItems(deps, { all: false, signal });
  const problems: string[] = [];
  if (options.customersChanged) problems.push(...(await followInOpenMeter(deps, signal)));
  for (const double of await readDoubleBindings(deps.database, options.now)) {
    problems.push(
      `Customer ${double.customerId} would be billed ${double.subscriptionItemIds.length} times for meter ${double.eventName}, ` +
        `by items ${double.subscriptionItemIds.join(' and ')}; nothing is pushed to it until one of them is gone.`,
    );
  }
  return { releasedTokenCount: released + takenUp.tokenCount, problems };
}
