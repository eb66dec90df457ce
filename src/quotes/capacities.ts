import { sql } from 'kysely';
import { resolveModel } from '../../pricing/prices/lookup.ts';
import type { PriceBook } from '../../pricing/prices/price-book.ts';
import type { QuoteCapacity } from '../../pricing/quotes/capacity.ts';
import { createProvisionedCapacity } from '../../pricing/rating/provisioned.ts';
import { readPurchases } from '../costs/provisioned/provisioned.ts';
import { observedWindow, readPurchaseUse } from '../costs/provisioned/usage.ts';
import { addMs, type TimeWindow } from '../platform/clock.ts';
import type { LedgerDatabase } from '../platform/database/database.ts';
import { countedColumn } from '../usage/name-keys.ts';

/**
 * Throughput bought by the hour that is in force at an instant, with its deployments' use of the last days, whatever
 * was bought for them then.
 */
export async function readQuoteCapacities(
  database: LedgerDatabase,
  { at, now, priceBook }: { at: Date; now: Date; priceBook: PriceBook },
): Promise<QuoteCapacity[]> {
  const inForce = (await readPurchases(database, { start: at, end: addMs(at, 1) })).filter(
    ({ terms }) => terms.unitCount > 0,
  );
  if (inForce.length === 0) return [];
  const window = observedWindow(now);
  const [modelsByDeployment, uses] = await Promise.all([
    readModels(
      database,
      inForce.map(({ deployment }) => deployment),
      window,
    ),
    Promise.all(
      inForce.map((purchase) =>
        readPurchaseUse(database, { ...purchase, validFrom: window.start, validUntil: null }, window),
      ),
    ),
  ]);
  return inForce.map(({ deployment, terms }, index) => {
    const use = uses[index] ?? { hourCount: 0, usedWeight: 0n, busiestWeight: 0n };
    const seen = ['', ...(modelsByDeployment.get(deployment) ?? [])];
    const models = seen.flatMap((model) => resolveModel(priceBook, { model, deployment, at })?.model ?? []);
    return {
      deployment,
      capacity: createProvisionedCapacity(terms),
      models: [...new Set(models)].sort(),
      ...use,
    };
  });
}

async function readModels(
  database: LedgerDatabase,
  deployments: readonly string[],
  window: TimeWindow,
): Promise<Map<string, string[]>> {
  const { rows } = await sql<{ deployment: string; models: string[] }>`
    select ${countedColumn('deployment')} as deployment, array_agg(distinct model order by model) as models
      from hourly_usage
     where window_start >= ${window.start} and window_start < ${window.end}
       and ${countedColumn('deployment')} = any(${[...deployments]}::text[])
     group by 1`.execute(database);
  return new Map(rows.map(({ deployment, models }) => [deployment, models]));
}
