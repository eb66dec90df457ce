import { html } from 'hono/html';
import { instantCell } from '../../pages/numbers.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { csvOfTable, readTableQuery } from '../../pages/table/page-of-rows.ts';
import { pagedTable } from '../../pages/table/table.ts';
import {
  type AuditRecord,
  countAudit,
  listAudit,
  listAuditActions,
} from '../../platform/database/audit-log.ts';
import type { LedgerSnapshot } from '../../platform/database/snapshot.ts';
import { type ConsoleView, definePage } from '../frame/define-page.ts';

interface Material {
  records: AuditRecord[];
  recordCount: number;
  actions: string[];
}

/** A CSV has at most so many; narrower filters tell the rest. */
const CSV_ROWS = 100_000;

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
      {
        name: 'at',
        title: 'When',
        kind: 'text',
        cell: ({ at }) => instantCell(at),
        csv: ({ at }) => at.toISOString(),
        sortBy: ({ auditId }) => auditId,
      },
      { name: 'actor', title: 'Who', kind: 'text', cell: ({ actor }) => actor, csv: ({ actor }) => actor },
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
        cell: ({ target }) => target,
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

async function gather(snapshot: LedgerSnapshot, { address: { query } }: ConsoleView): Promise<Material> {
  const textOf = (name: string) => {
    const text = query.get(name)?.trim().replaceAll('\0', '') ?? '';
    return text === '' ? undefined : text;
  };
  const filter = { actor: textOf('actor'), action: textOf('action'), target: textOf('target') };
  const { pageNumber, pageSize, sort } = readTableQuery(auditTable([]), query);
  const isCsv = query.has('csv');
  return {
    records: await listAudit(snapshot, filter, {
      limit: isCsv ? CSV_ROWS : pageSize,
      offset: isCsv ? 0 : (pageNumber - 1) * pageSize,
      isOldestFirst: sort?.isDescending === false,
    }),
    recordCount: await countAudit(snapshot, filter),
    actions: await listAuditActions(snapshot),
  };
}

export const auditPage = definePage<Material>({
  path: '/console/audit',
  title: 'Who changed what',
  scopes: [],
  rail: { title: 'Audit', key: 'a' },
  gather,
  show: ({ records, recordCount, actions }, { address }) => {
    const definition = auditTable(actions);
    const { pageNumber, pageSize, sort } = readTableQuery(definition, address.query);
    const pageCount = Math.max(1, Math.ceil(recordCount / pageSize));
    return {
      body: html`<p class="lead">Every change of money, customers, prices, plans, keys and quarantine, with its author. Rows are only ever added.</p>
${pagedTable(definition, { rows: records, rowCount: recordCount, pageNumber: Math.min(pageNumber, pageCount), pageCount, sort }, address)}`,
      csv: { acts: () => csvOfTable(definition, records, address.query) },
    };
  },
});
