import { formatDecimal, formatPico } from '../../../pricing/money.ts';
import {
  createProvisionedCapacity,
  hourlyCapacityWeight,
  hourlyCostPicoUsd,
  WEIGHT_DIGITS,
} from '../../../pricing/rating/provisioned.ts';
import type { ProvisionedPurchase } from '../../costs/provisioned/provisioned.ts';
import { OBSERVED_DAYS, type PurchaseUse } from '../../costs/provisioned/usage.ts';
import { countCell, instantCell, shareCell } from '../../pages/numbers.ts';
import type { Column, TableDefinition } from '../../pages/table/columns.ts';
import { nameCell } from '../../pages/texts.ts';
import { dollarCell } from '../rollups/columns.ts';
import { shareOf } from '../rollups/decide.ts';

export interface ThroughputRow {
  purchase: ProvisionedPurchase;
  use: PurchaseUse;
}

const ONE_TOKEN = 10n ** BigInt(WEIGHT_DIGITS);
const capacityOf = ({ purchase }: ThroughputRow) => createProvisionedCapacity(purchase.terms);
const boughtOf = (row: ThroughputRow) => hourlyCapacityWeight(capacityOf(row)) * BigInt(row.use.hourCount);

/** Weighted tokens, in their millionths. */
function weight(name: string, title: string, read: (row: ThroughputRow) => bigint): Column<ThroughputRow> {
  return {
    name,
    title,
    kind: 'number',
    cell: (row) => countCell(read(row) / ONE_TOKEN),
    csv: (row) => formatDecimal(read(row), WEIGHT_DIGITS),
    sortBy: read,
  };
}

/** Throughput bought by the hour, and what of it was used of late. */
export const THROUGHPUT_TABLE: TableDefinition<ThroughputRow> = {
  name: 'throughput',
  caption: `Throughput bought, and used in the last ${OBSERVED_DAYS} days`,
  sort: 'deployment',
  empty: 'No throughput is bought by the hour.',
  columns: [
    {
      name: 'deployment',
      title: 'Deployment',
      kind: 'text',
      isRowHeader: true,
      cell: ({ purchase }) => nameCell(purchase.deployment),
      csv: ({ purchase }) => purchase.deployment,
      sortBy: ({ purchase }) => purchase.deployment,
    },
    {
      name: 'from',
      title: 'From',
      kind: 'text',
      cell: ({ purchase }) => instantCell(purchase.validFrom),
      csv: ({ purchase }) => purchase.validFrom.toISOString(),
      sortBy: ({ purchase }) => purchase.validFrom.getTime(),
    },
    {
      name: 'until',
      title: 'Until',
      kind: 'text',
      cell: ({ purchase }) =>
        purchase.validUntil === null ? 'further notice' : instantCell(purchase.validUntil),
      csv: ({ purchase }) => purchase.validUntil?.toISOString() ?? null,
      sortBy: ({ purchase }) => purchase.validUntil?.getTime() ?? null,
    },
    {
      name: 'hourlyCost',
      title: 'An hour',
      kind: 'number',
      cell: (row) => dollarCell(hourlyCostPicoUsd(capacityOf(row))),
      csv: (row) => formatPico(hourlyCostPicoUsd(capacityOf(row))),
      sortBy: (row) => hourlyCostPicoUsd(capacityOf(row)),
    },
    weight('bought', 'Bought', boughtOf),
    weight('used', 'Used', ({ use }) => use.usedWeight),
    {
      name: 'usedShare',
      title: 'of it',
      kind: 'number',
      cell: (row) => shareCell(shareOf(row.use.usedWeight, boughtOf(row))),
    },
    weight('busiest', 'Busiest hour', ({ use }) => use.busiestWeight),
  ],
};
