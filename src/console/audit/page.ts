import { html } from 'hono/html';
import { textOf } from '../../pages/address.ts';
import type { TablePage, TableSort } from '../../pages/table/columns.ts';
import { choosePage, csvCells, csvColumns, readTableQuery } from '../../pages/table/page-of-rows.ts';
import { pagedTable } from '../../pages/table/table.ts';
import {
  type AuditFilter,
  type AuditRecord,
  countAudit,
  listAudit,
  listAuditActions,
} from '../../platform/database/audit-log.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { type ConsoleView, definePage, type WholeCsv } from '../frame/define-page.ts';
import { auditTable } from './table.ts';

interface Material {
  page: TablePage<AuditRecord>;
  actions: string[];
}

/** Which acts the address asks for. */
function readFilter({ address: { query } }: ConsoleView): AuditFilter {
  return {
    actor: textOf(query, 'actor'),
    action: textOf(query, 'action'),
    target: textOf(query, 'target'),
  };
}

const isOldestFirst = (sort: TableSort | null) => sort?.isDescending === false;

async function gather(snapshot: LedgerSnapshot, view: ConsoleView): Promise<Material> {
  const filter = readFilter(view);
  const actions = await listAuditActions(snapshot);
  const recordCount = await countAudit(snapshot, filter);
  const { offset, pageSize, ...page } = choosePage(auditTable(actions), view.address.query, recordCount);
  const asked = { limit: pageSize, offset, isOldestFirst: isOldestFirst(page.sort) };
  return { actions, page: { ...page, rows: await listAudit(snapshot, filter, asked) } };
}

export const auditPage = definePage<Material>({
  path: '/console/audit',
  title: 'Who changed what',
  scopes: [],
  rail: { title: 'Audit', key: 'a' },
  gather,
  show: ({ actions, page }, view) => ({
    body: html`<p class="lead">Every change of money, customers, prices, plans, keys and quarantine, with its author. Rows are only ever added.</p>
${pagedTable(auditTable(actions), page, view.address)}`,
  }),
  wholeCsv: (view) => {
    const filter = readFilter(view);
    const definition = auditTable([]);
    const isAscending = isOldestFirst(readTableQuery(definition, view.address.query).sort);
    const acts: WholeCsv<AuditRecord> = {
      columns: csvColumns(definition),
      read: (snapshot, after, limit) =>
        listAudit(snapshot, filter, { limit, after: after?.auditId ?? null, isOldestFirst: isAscending }),
      toCells: (record) => csvCells(definition, record),
    };
    return { acts };
  },
});
