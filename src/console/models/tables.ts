import { formatPico } from '../../../pricing/money.ts';
import type { CostRow } from '../../costs/rollups/cost-rows.ts';
import type { CostFigures } from '../../costs/rollups/query.ts';
import { shareCell } from '../../pages/numbers.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import type { ConsoleView } from '../frame/define-page.ts';
import { COST, COST_CHANGE, dollarCell, REQUESTS, TOKENS, unitCost } from '../rollups/columns.ts';
import { shareOf } from '../rollups/decide.ts';
import { trendColumn, trendWindowOf, type WithTrend } from '../rollups/trends.ts';
import { usageNameCell } from '../usage/name-cell.ts';

/** A model or a deployment with its last days. */
export interface ModelRow extends CostRow, WithTrend {
  value: string;
}

const MILLION = 1_000_000n;

export function modelsTable(kind: 'model' | 'deployment', view: ConsoleView): TableDefinition<ModelRow> {
  const isDeployment = kind === 'deployment';
  return {
    name: `${kind}s`,
    caption: isDeployment ? 'Deployments' : 'Models',
    sort: '-cost',
    filters: [
      {
        name: kind,
        title: isDeployment ? 'Deployment' : 'Model',
        matches: ({ value }, text) => value.toLowerCase().includes(text.toLowerCase()),
      },
    ],
    empty: 'Nothing was used in this period.',
    columns: [
      {
        name: kind,
        title: isDeployment ? 'Deployment' : 'Model',
        kind: 'text',
        isRowHeader: true,
        cell: ({ value }) => usageNameCell(view, kind, value),
        csv: ({ value }) => value,
        sortBy: ({ value }) => value,
      },
      COST,
      COST_CHANGE,
      trendColumn(trendWindowOf(view)),
      TOKENS,
      unitCost('costPerMillion', 'a million', ({ tokenCount }) => tokenCount, { per: MILLION, digits: 2 }),
      REQUESTS,
      unitCost('costPerRequest', 'a request', ({ requestCount }) => requestCount, { digits: 4 }),
      ...(isDeployment ? IDLE : []),
    ],
  };
}

/** What of bought capacity nobody is charged for, beside what is. */
const IDLE: TableDefinition<CostFigures>['columns'] = [
  {
    name: 'idle',
    title: 'Idle',
    kind: 'number',
    cell: ({ idleCostPicoUsd }) => dollarCell(idleCostPicoUsd),
    csv: ({ idleCostPicoUsd }) => formatPico(idleCostPicoUsd),
    sortBy: ({ idleCostPicoUsd }) => idleCostPicoUsd,
  },
  {
    name: 'idleShare',
    title: 'Idle share',
    kind: 'number',
    cell: ({ idleCostPicoUsd, provisionedCostPicoUsd }) =>
      shareCell(shareOf(idleCostPicoUsd, idleCostPicoUsd + provisionedCostPicoUsd)),
  },
];
