import { html } from 'hono/html';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { instantColumn } from '../../pages/table/made-columns.ts';
import { nameCell } from '../../pages/texts.ts';
import type { AuditRecord } from '../../platform/database/audit-log.ts';

/** Acts, as they were written down. @param actions the kinds that can be chosen */
export function auditTable(actions: readonly string[]): TableDefinition<AuditRecord> {
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
