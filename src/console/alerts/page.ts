import { html } from 'hono/html';
import { ALERT_KINDS } from '../../../pricing/alerts/facts.ts';
import {
  type AlertFilter,
  countAlerts,
  DELIVERY_STATES,
  type ListedAlert,
  listAlerts,
} from '../../alerts/list.ts';
import { listRoutes } from '../../alerts/route-store.ts';
import { type RouteView, showRoute } from '../../alerts/schemas.ts';
import { textOf } from '../../pages/address.ts';
import type { TablePage } from '../../pages/table/columns.ts';
import { choosePage, csvCells, csvColumns, csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable, pagedTable } from '../../pages/table/table.ts';
import { groupDigits } from '../../pages/words.ts';
import { type ConsoleView, definePage, type WholeCsv } from '../frame/define-page.ts';
import { ROUTE_ACTS } from './acts.ts';
import { ALERTS_PATH } from './address.ts';
import { routeForm } from './route-form.ts';
import { routesTable } from './routes-table.ts';
import { ALERTS_TABLE, EXPORTED_ALERTS } from './table.ts';

interface Material {
  page: TablePage<ListedAlert>;
  routes: RouteView[];
  givenUpCount: number;
}

/** Which alerts the address asks for. */
function readFilter({ address: { query } }: ConsoleView): AlertFilter {
  return {
    kind: ALERT_KINDS.find((kind) => kind === textOf(query, 'kind')),
    state: DELIVERY_STATES.find((state) => state === textOf(query, 'state')),
    customerId: textOf(query, 'customer'),
  };
}

export const alertsPage = definePage<Material>({
  path: ALERTS_PATH,
  title: 'Alerts',
  scopes: ['finance'],
  rail: { title: 'Alerts', key: 't' },
  gather: async (snapshot, view) => {
    const filter = readFilter(view);
    const alertCount = await countAlerts(snapshot, filter);
    const { offset, pageSize, ...page } = choosePage(ALERTS_TABLE, view.address.query, alertCount);
    const rows = await listAlerts(snapshot, filter, { beforeId: null, limit: pageSize, offset });
    return {
      page: { ...page, rows },
      routes: (await listRoutes(snapshot)).map(showRoute),
      givenUpCount: await countAlerts(snapshot, { state: 'given_up', isUnseen: true }),
    };
  },
  show: ({ page, routes, givenUpCount }, view) => {
    const table = routesTable(view);
    return {
      body: html`<p class="lead">${answer(routes, givenUpCount)}</p>
${pagedTable(ALERTS_TABLE, page, view.address)}
${dataTable(table, routes, view.address)}
${routeForm(view)}`,
      csv: { routes: () => csvOfTable(table, routes, view.address.query) },
    };
  },
  wholeCsv: (view) => {
    const filter = readFilter(view);
    const alerts: WholeCsv<ListedAlert> = {
      columns: csvColumns(EXPORTED_ALERTS),
      read: (snapshot, after, limit) =>
        listAlerts(snapshot, filter, { beforeId: after?.alertId ?? null, limit }),
      toCells: (alert) => csvCells(EXPORTED_ALERTS, alert),
    };
    return { alerts };
  },
  acts: ROUTE_ACTS,
});

/** Whether people hear of what they should. */
function answer(routes: readonly RouteView[], givenUpCount: number): string {
  if (routes.length === 0) return 'Nobody is told of anything: there is no route.';
  const to = `${groupDigits(String(routes.length))} ${routes.length === 1 ? 'route takes' : 'routes take'} alerts`;
  if (givenUpCount === 0) return `${to}, and none waits for you because it could not be sent.`;
  const count = groupDigits(String(givenUpCount));
  return `${to}. ${count} ${givenUpCount === 1 ? 'alert was' : 'alerts were'} given up, and nobody has acknowledged ${givenUpCount === 1 ? 'it' : 'them'}.`;
}
