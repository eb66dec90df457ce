import { html } from 'hono/html';
import { readPurchases } from '../../costs/provisioned/provisioned.ts';
import { observedWindow, readPurchaseUse } from '../../costs/provisioned/usage.ts';
import { readCostRows } from '../../costs/rollups/cost-rows.ts';
import { type CostSeries, readCostSeries } from '../../costs/rollups/cost-series.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { type ConsoleView, definePage } from '../frame/define-page.ts';
import { costChart, costsMost, headline, lacking } from '../rollups/draw.ts';
import { gatherBasis, type RollupBasis } from '../rollups/gather.ts';
import { dearestSeries, drawnWindowOf, trendsOf, trendWindowOf } from '../rollups/trends.ts';
import { type ModelRow, modelsTable } from './tables.ts';
import { THROUGHPUT_TABLE, type ThroughputRow } from './throughput.ts';

const DRAWN_MODELS = 10;
/** More than anybody runs. */
const MOST_ROWS = 10_000;

interface Material {
  basis: RollupBasis;
  series: CostSeries[];
  models: ModelRow[];
  deployments: ModelRow[];
  throughput: ThroughputRow[];
}

async function gather(snapshot: LedgerSnapshot, view: ConsoleView): Promise<Material> {
  const basis = await gatherBasis(snapshot, view);
  const models = await gatherRows(snapshot, view, basis, 'model');
  const deployments = await gatherRows(snapshot, view, basis, 'deployment');
  const observed = observedWindow(view.now);
  const throughput: ThroughputRow[] = [];
  for (const purchase of await readPurchases(snapshot)) {
    throughput.push({ purchase, use: await readPurchaseUse(snapshot, purchase, observed) });
  }
  return {
    basis,
    series: dearestSeries(models.days, view.period.window, DRAWN_MODELS),
    models: models.rows,
    deployments: deployments.rows,
    throughput,
  };
}

/** What each costs, and its days; what it brings nothing here shows. */
async function gatherRows(
  snapshot: LedgerSnapshot,
  view: ConsoleView,
  { scope, comparison: { before } }: RollupBasis,
  by: 'model' | 'deployment',
): Promise<{ rows: ModelRow[]; days: CostSeries[] }> {
  const days = await readCostSeries(snapshot, { ...scope, window: drawnWindowOf(view), by, top: null });
  const trendOf = trendsOf(days, trendWindowOf(view));
  const rows = await readCostRows(snapshot, { ...scope, groupBy: [by], before }, MOST_ROWS);
  const completed = rows.map((row) => {
    const { [by]: value = '' } = row.dimensions;
    return { ...row, value, trend: trendOf.get(value) };
  });
  return { rows: completed, days };
}

function show({ basis, series, models, deployments, throughput }: Material, view: ConsoleView) {
  const { period, now, address } = view;
  const tables = {
    models: modelsTable('model', view),
    deployments: modelsTable('deployment', view),
  };
  const nameOf = (model: string) => model || 'not told';
  return {
    body: html`<p class="lead">${costsMost(models, basis, ({ value }) => value || 'Usage without a model')}</p>
${headline(basis)}
${lacking(basis)}
${costChart(series, { window: period.window, now, title: 'Cost by day and model', nameOf })}
${dataTable(tables.models, models, address)}
${dataTable(tables.deployments, deployments, address)}
${dataTable(THROUGHPUT_TABLE, throughput, address)}
<p class="muted">Bought and used are weighted tokens, as Azure counts them against a purchase. Idle is capacity that nobody is charged for.</p>`,
    csv: {
      models: () => csvOfTable(tables.models, models, address.query),
      deployments: () => csvOfTable(tables.deployments, deployments, address.query),
      throughput: () => csvOfTable(THROUGHPUT_TABLE, throughput, address.query),
    },
  };
}

export const modelsPage = definePage<Material>({
  path: '/console/models',
  title: 'What models and deployments cost',
  scopes: ['sales', 'finance'],
  rail: { title: 'Models', key: 'm' },
  choices: ['period'],
  gather,
  show,
});
