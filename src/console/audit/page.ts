import { html } from 'hono/html';
import { textOf } from '../../pages/address.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { instantColumn } from '../../pages/table/made-columns.ts';
import { csvCells, csvColumns, readTableQuery } from '../../pages/table/page-of-rows.ts';
import { pagedTable } from '../../pages/table/table.ts';
import { nameCell } from '../../pages/texts.ts';
import {
  type AuditRecord,
  countAudit,
  listAudit,
  listAuditActions,
} from '../../platform/database/audit-log.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { type ConsoleView, definePage, type WholeCsv } from '../frame/define-page.ts';

interface Material {
  records: AuditRecord[];
  recordCount: number;
  pageCount: number;
  actions: string[];
}

function auditTable(actions: readonly string[]): TableDefinition<AuditRecord> {
  return {
    name: 'acts',
    caption: 'Acts, the newest first',
    sort: '-at',
    empty: 'Nobody has changed anything yet.',
    filters: [
      { name: 'action', title: 'What', options: actions.map((action) => ({ value: action, title: action })) },
      { name: 'actor', title: 'Who' },
      { name: 'target', title: 'To what' },
    ],
    columns: [
      { ...instantColumn('at', 'When', ({ at }) => at), sortBy: ({ auditId }) => auditId },
      {
        name: 'actor',
        title: 'Who',
        kind: 'text',
        cell: ({ actor }) => nameCell(actor),
        csv: ({ actor }) => actor,
      },
      {
        name: 'action',
        title: 'What',
        kind: 'text',
        isRowHeader: true,
        cell: ({ action }) => action,
        csv: ({ action }) => action,
      },
      {
        name: 'target',
        title: 'To what',
        kind: 'text',
        cell: ({ target }) => nameCell(target),
        csv: ({ target }) => target,
      },
      {
        name: 'details',
        title: 'What it was and became',
        kind: 'text',
        cell: ({ details }) =>
          html`<details><summary>show</summary><code>${JSON.stringify(details, null, 1)}</code></details>`,
        csv: ({ details }) => JSON.stringify(details),
      },
    ],
  };
}

/** What the address asks for: which acts, and in which order. */
function readQuery({ address: { query } }: ConsoleView) {
  const { pageNumber, pageSize, sort } = readTableQuery(auditTable([]), query);
  return {
    filter: {
      actor: textOf(query, 'actor'),
      action: textOf(query, 'action'),
      target: textOf(query, 'target'),
    },
    isOldestFirst: sort?.isDescending === false,
    pageNumber,
    pageSize,
    sort,
  };
}

async function gather(snapshot: LedgerSnapshot, view: ConsoleView): Promise<Material> {
  const { filter, isOldestFirst, pageNumber, pageSize } = readQuery(view);
  const recordCount = await countAudit(snapshot, filter);
  const pageCount = Math.max(1, Math.ceil(recordCount / pageSize));
  const offset = (Math.min(pageNumber, pageCount) - 1) * pageSize;
  return {
    records: await listAudit(snapshot, filter, { limit: pageSize, offset, isOldestFirst }),
    recordCount,
    pageCount,
    actions: await listAuditActions(snapshot),
  };
}

export const auditPage = definePage<Material>({
  path: '/console/audit',
  title: 'Who changed what',
  scopes: [],
  rail: { title: 'Audit', key: 'a' },
  gather,
  show: ({ records: rows, recordCount: rowCount, pageCount, actions }, view) => {
    const { pageNumber, sort } = readQuery(view);
    const page = { rows, rowCount, pageNumber: Math.min(pageNumber, pageCount), pageCount, sort };
    return {
      body: html`<p class="lead">Every change of money, customers, prices, plans, keys and quarantine, with its author. Rows are only ever added.</p>
${pagedTable(auditTable(actions), page, view.address)}`,
    };
  },
  wholeCsv: (view) => {
    const { filter, isOldestFirst } = readQuery(view);
    const definition = auditTable([]);
    const acts: WholeCsv<AuditRecord> = {
      columns: csvColumns(definition),
      read: (snapshot, after, limit) =>
        listAudit(snapshot, filter, { limit, after: after?.auditId ?? null, isOldestFirst }),
      toCells: (record) => csvCells(definition, record),
    };
    return { acts };
  },
});
