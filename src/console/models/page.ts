import { html } from 'hono/html';
import { readPurchases } from '../../costs/provisioned/provisioned.ts';
import { observedWindow, readPurchaseUse } from '../../costs/provisioned/usage.ts';
import { type DailySeries, readDailySeries } from '../../costs/rollups/series.ts';
import { knownCostOf } from '../../costs/rollups/show.ts';
import type { Html } from '../../pages/html.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import { nameCell } from '../../pages/texts.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { type ConsoleView, definePage } from '../frame/define-page.ts';
import { lastDays, shareOf } from '../rollups/decide.ts';
import { costChart, headline, lacking } from '../rollups/draw.ts';
import { gatherAll, gatherBasis, type RollupBasis } from '../rollups/gather.ts';
import { type ModelRow, modelsTable } from './tables.ts';
import { THROUGHPUT_TABLE, type ThroughputRow } from './throughput.ts';

const DRAWN_MODELS = 10;
const TREND_DAYS = 7;

interface Material {
  basis: RollupBasis;
  series: DailySeries[];
  models: ModelRow[];
  deployments: ModelRow[];
  throughput: ThroughputRow[];
}

async function gather(snapshot: LedgerSnapshot, view: ConsoleView): Promise<Material> {
  const basis = await gatherBasis(snapshot, view);
  const series = await readDailySeries(snapshot, { ...basis.scope, by: 'model', top: DRAWN_MODELS });
  const observed = observedWindow(view.now);
  const throughput: ThroughputRow[] = [];
  for (const purchase of await readPurchases(snapshot)) {
    throughput.push({ purchase, use: await readPurchaseUse(snapshot, purchase, observed) });
  }
  return {
    basis,
    series,
    models: await gatherRowsOf(snapshot, view, basis, 'model'),
    deployments: await gatherRowsOf(snapshot, view, basis, 'deployment'),
    throughput,
  };
}

async function gatherRowsOf(
  snapshot: LedgerSnapshot,
  view: ConsoleView,
  { scope, before }: RollupBasis,
  by: 'model' | 'deployment',
): Promise<ModelRow[]> {
  const rows = await gatherAll(snapshot, { ...scope, groupBy: [by], before, withDays: false });
  const window = lastDays(view.period.window, view.now, TREND_DAYS);
  const trends = await gatherAll(snapshot, {
    ...scope,
    window,
    groupBy: [by],
    before: null,
    withDays: true,
  });
  const trendOf = new Map(trends.map((row) => [row.dimensions[by], row]));
  return rows.map((row) => ({
    ...row,
    value: row.dimensions[by] ?? '',
    trend: trendOf.get(row.dimensions[by]),
  }));
}

function show({ basis, series, models, deployments, throughput }: Material, view: ConsoleView) {
  const { period, now, address } = view;
  const trendWindow = lastDays(period.window, now, TREND_DAYS);
  const tables = {
    models: modelsTable('model', trendWindow),
    deployments: modelsTable('deployment', trendWindow),
  };
  const nameOf = (model: string) => model || 'not told';
  return {
    body: html`<p class="lead">${answer(models, basis)}</p>
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

function answer(models: readonly ModelRow[], { totals }: RollupBasis): Html {
  const [first] = models.toSorted((one, other) => (knownCostOf(other) < knownCostOf(one) ? -1 : 1));
  if (first === undefined) return html`Nothing has been used in this period.`;
  const share = shareOf(knownCostOf(first), knownCostOf(totals));
  return html`${nameCell(first.value || 'Usage without a model')} costs the most${share === null ? '' : `, ${(share * 100).toFixed(0)} % of all`}.`;
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
