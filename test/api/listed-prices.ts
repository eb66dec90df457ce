import type { RetailItem } from '../../pricing/retail/item.ts';
import { readMeterFile } from '../../pricing/retail/meter-map.ts';
import type { LedgerDatabase } from '../../src/platform/database/database.ts';
import { listPriceSyncItems } from '../../src/prices/sync/items.ts';
import { requestPriceSync, startNextPriceSync } from '../../src/prices/sync/runs.ts';
import { applyPriceSync } from '../../src/prices/sync/sync.ts';

const METER = '00000000-0000-4000-8000-00000000000a';
/** A meter that nobody has named. */
export const UNNAMED_METER = '00000000-0000-4000-8000-00000000000b';

/** A synchronization that found twice the price of a gpt-4o prompt, and a meter without a meaning. */
export async function insertListedPrices(
  database: LedgerDatabase,
  now: Date,
): Promise<{ largeChange: string; unmapped: string }> {
  await requestPriceSync(database, { requestedBy: 'schedule', now });
  const run = await startNextPriceSync(database, now);
  if (run === null) throw new Error('a run was asked for');
  await applyPriceSync(database, {
    run,
    list: { items: [listed(METER, '0.005'), listed(UNNAMED_METER, '0.0025')], pageCount: 1 },
    fileRows: readMeterFile({
      meters: [{ meterId: METER, model: 'gpt-4o', deploymentType: 'global', tokenType: 'prompt' }],
    }),
    smallChangePercent: 20,
    now,
  });
  const items = await listPriceSyncItems(database, { status: 'pending', limit: 10 });
  const idOf = (wanted: string) =>
    String(items.find(({ verdict }) => verdict === wanted)?.priceSyncItemId ?? '');
  return { largeChange: idOf('large_change'), unmapped: idOf('unmapped') };
}

function listed(meterId: string, retailPrice: string): RetailItem {
  return {
    meterId,
    meterName: 'gpt-4o-0806-Inp-glbl Tokens',
    skuName: 'gpt-4o-0806-Inp-glbl',
    productName: 'Azure OpenAI',
    serviceName: 'Foundry Models',
    armRegionName: 'eastus2',
    currency: 'usd',
    retailPrice,
    unitOfMeasure: '1K',
    type: 'Consumption',
    tierMinimumUnits: '0',
    effectiveStartDate: new Date('2026-11-01T00:00:00Z'),
    effectiveEndDate: null,
  };
}
