import { html } from 'hono/html';
import { ALERT_KINDS } from '../../../pricing/alerts/facts.ts';
import { DELIVERY_STATES, type ListedAlert } from '../../alerts/list.ts';
import { operatorMessage } from '../../alerts/words.ts';
import type { Column, TableDefinition } from '../../pages/table/columns.ts';
import { instantColumn } from '../../pages/table/made-columns.ts';
import { actorInWords, nameCell } from '../../pages/texts.ts';
import { alertPath } from './address.ts';
import { KIND_WORDS, SEVERITY_WORDS, STATE_WORDS, sentTo, standingInWords } from './words.ts';

const { sortBy: _, ...WHEN } = instantColumn<ListedAlert>('raisedAt', 'When', ({ raisedAt }) => raisedAt);

/** What was raised, about whom, and what became of it on each route. */
export const ALERTS_TABLE: TableDefinition<ListedAlert> = {
  name: 'alerts',
  caption: 'Alerts, the newest first',
  empty:
    'Nothing was told yet: no budget reached a step, nothing stands out, and nothing waits for too long.',
  filters: [
    {
      name: 'kind',
      title: 'Kind',
      options: ALERT_KINDS.map((kind) => ({ value: kind, title: KIND_WORDS[kind] })),
    },
    {
      name: 'state',
      title: 'With a delivery that is',
      options: DELIVERY_STATES.map((state) => ({ value: state, title: STATE_WORDS[state] })),
    },
    { name: 'customer', title: 'About the customer (id)' },
  ],
  columns: [
    WHEN,
    {
      name: 'subject',
      title: 'What',
      kind: 'text',
      isRowHeader: true,
      cell: (alert) =>
        html`<a href="${alertPath(alert.alertId)}">${nameCell(operatorMessage(alert).subject, 120)}</a>`,
      csv: (alert) => operatorMessage(alert).subject,
    },
    {
      name: 'kind',
      title: 'Kind',
      kind: 'text',
      cell: ({ kind, severity }) =>
        html`<span>${KIND_WORDS[kind]}<br><small class="muted">${SEVERITY_WORDS[severity]}</small></span>`,
      csv: ({ kind }) => kind,
    },
    {
      name: 'customerId',
      title: 'About',
      kind: 'text',
      cell: ({ customerId, customerName }) =>
        customerId === null ? html`<span class="muted">–</span>` : nameCell(customerName ?? customerId, 30),
      csv: ({ customerId }) => customerId,
    },
    {
      name: 'deliveries',
      title: 'Sent to',
      kind: 'text',
      cell: sentTo,
      csv: ({ deliveries }) => deliveries.map(({ routeName, state }) => `${routeName}: ${state}`).join('; '),
    },
    {
      name: 'standing',
      title: 'Stands',
      kind: 'text',
      cell: (alert) =>
        html`<span>${standingInWords(alert)}${alert.acknowledgedBy === null ? '' : html`<br><small class="muted">seen by ${nameCell(actorInWords(alert.acknowledgedBy), 30)}</small>`}</span>`,
      csv: (alert) => standingInWords(alert),
    },
  ],
};

/** Only in the CSV. */
const exported = (name: string, csv: (alert: ListedAlert) => string | null): Column<ListedAlert> => ({
  name,
  title: name,
  kind: 'text',
  cell: () => '',
  csv,
});

/** The same with what only the CSV has. */
export const EXPORTED_ALERTS: TableDefinition<ListedAlert> = {
  ...ALERTS_TABLE,
  columns: [
    ...ALERTS_TABLE.columns,
    exported('id', ({ alertId }) => String(alertId)),
    exported('severity', ({ severity }) => severity),
    exported('customerName', ({ customerName }) => customerName),
    exported('withdraws', ({ withdrawsAlertId }) => withdrawsAlertId?.toString() ?? null),
    exported('endedAt', ({ endedAt }) => endedAt?.toISOString() ?? null),
    exported('acknowledgedAt', ({ acknowledgedAt }) => acknowledgedAt?.toISOString() ?? null),
    exported('acknowledgedBy', ({ acknowledgedBy }) => acknowledgedBy),
  ],
};
