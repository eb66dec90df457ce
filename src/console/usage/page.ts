import { html } from 'hono/html';
import { findCustomerIds } from '../../catalog/customers.ts';
import { type CostSeries, readCostSeries } from '../../costs/rollups/cost-series.ts';
import type { RollupFigures, RollupRow } from '../../costs/rollups/query.ts';
import { readRollupScope } from '../../costs/rollups/scope.ts';
import { readRollupTotals } from '../../costs/rollups/totals.ts';
import { addressWith, textOf } from '../../pages/address.ts';
import { countCell } from '../../pages/numbers.ts';
import type { TablePage } from '../../pages/table/columns.ts';
import { pagedTable } from '../../pages/table/table.ts';
import { shortened } from '../../pages/texts.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { type ConsoleView, definePage, type PageContent, type WholeCsv } from '../frame/define-page.ts';
import { calledIn, costChart, headline, lacking } from '../rollups/draw.ts';
import {
  gatherBasis,
  gatherRows,
  type RollupBasis,
  readNames,
  rollupCsv,
  type TableQuery,
} from '../rollups/gather.ts';
import { USAGE_KINDS, USAGE_PATH, type UsageKind } from './address.ts';
import { exportOf, tableNameOf, tabsOf, type UsageTab, usageTable } from './table.ts';

const DRAWN_CUSTOMERS = 10;

interface Material {
  basis: RollupBasis<RollupFigures>;
  series: CostSeries[];
  names: Map<string, string>;
  page: TablePage<RollupRow>;
}

/** Of what the address is, and by what it tells it apart. */
function readAsked({ address: { query } }: ConsoleView): { kind: UsageKind; name: string; tab: UsageTab } {
  const kind = USAGE_KINDS.find((known) => known === query.get('of')) ?? 'feature';
  const tab = tabsOf(kind).find((known) => known === query.get('by')) ?? 'customer';
  return { kind, name: query.get('name') ?? '', tab };
}

async function queryOf(
  snapshot: LedgerSnapshot,
  view: ConsoleView,
  tab: UsageTab,
  of: Pick<TableQuery, 'before' | 'conversions' | 'window' | 'filter'>,
): Promise<TableQuery> {
  const text = tab === 'day' ? undefined : textOf(view.address.query, tab);
  const narrowed =
    text === undefined
      ? {}
      : tab === 'customer'
        ? { customerIds: await findCustomerIds(snapshot, text) }
        : tab === 'day'
          ? {}
          : { holding: { dimension: tab, text } };
  return { ...of, filter: { ...of.filter, ...narrowed }, groupBy: [tab], withDays: tab !== 'day' };
}

async function gather(snapshot: LedgerSnapshot, view: ConsoleView): Promise<Material> {
  const { kind, name, tab } = readAsked(view);
  const basis = await gatherBasis(snapshot, view, { [kind]: name }, readRollupTotals);
  const { scope, comparison } = basis;
  const series = await readCostSeries(snapshot, { ...scope, by: 'customer', top: DRAWN_CUSTOMERS });
  const before = tab === 'day' ? null : comparison.before;
  const query = await queryOf(snapshot, view, tab, { ...scope, before });
  const page = await gatherRows(snapshot, usageTable(tab, new Map(), view), query, view);
  const names = await readNames(snapshot, [
    ...series.map(({ value }) => value),
    ...page.rows.map(({ dimensions }) => dimensions.customer),
  ]);
  return { basis, series, names, page };
}

function show({ basis, series, names, page }: Material, view: ConsoleView): PageContent {
  const { kind, name, tab } = readAsked(view);
  const { window } = view.period;
  const tabs = tabsOf(kind).map((other) => {
    const mark = other === tab ? html` aria-current="true"` : '';
    return html`<li><a href="${addressWith(view.address, { by: other })}#${tableNameOf(other)}"${mark}>by ${other}</a></li>`;
  });
  const users = html`<div><dt>Users</dt><dd>${countCell(basis.totals.activeUserCount)}<small>with tokens, each once</small></dd></div>`;
  return {
    title: name === '' ? `Usage without a ${kind}` : `Usage of the ${kind} ${shortened(name)}`,
    body: html`<p class="lead">What ${name === '' ? `usage without a ${kind}` : `this ${kind}`} cost and brought in ${view.period.words}, and whose it was.</p>
${headline(basis, users)}
${lacking(basis)}
${costChart(series, { window, now: view.now, title: 'Cost by day and customer', nameOf: calledIn(names) })}
<nav class="tabs" aria-label="Usage by"><ul>${tabs}</ul></nav>
${pagedTable(usageTable(tab, names, view), page, view.address)}`,
  };
}

/** All rows of each tab, by the name of its table. */
function usageCsv(view: ConsoleView): Record<string, WholeCsv<RollupRow>> {
  const { kind, name } = readAsked(view);
  return Object.fromEntries(
    tabsOf(kind).map((tab) => {
      const csv = rollupCsv<RollupRow>(
        exportOf(usageTable(tab, new Map(), view)),
        view,
        async (snapshot) => {
          const { now, period } = view;
          const filter = { [kind]: name };
          const scope = await readRollupScope(snapshot, { window: period.window, filter, now });
          return await queryOf(snapshot, view, tab, { ...scope, before: null });
        },
        async (_snapshot, rows) => rows,
      );
      return [tableNameOf(tab), csv];
    }),
  );
}

/** What the numbers of one feature, model or deployment are made of. */
export const usagePage = definePage<Material>({
  path: USAGE_PATH,
  title: 'Usage',
  scopes: ['sales', 'finance'],
  choices: ['period'],
  gather,
  show,
  wholeCsv: usageCsv,
});
