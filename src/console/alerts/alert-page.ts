import { html } from 'hono/html';
import { getAlert, type ListedAlert } from '../../alerts/list.ts';
import { listRoutes } from '../../alerts/route-store.ts';
import { operatorMessage } from '../../alerts/words.ts';
import type { Html } from '../../pages/html.ts';
import { instantCell } from '../../pages/numbers.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { csvOfTable } from '../../pages/table/page-of-rows.ts';
import { dataTable } from '../../pages/table/table.ts';
import { actorInWords, idCell, nameCell } from '../../pages/texts.ts';
import { type ConsoleView, definePage } from '../frame/define-page.ts';
import { ALERT_ACTS, readAlertId } from './acts.ts';
import { ALERT_PATH, ALERTS_PATH, alertPath } from './address.ts';
import { KIND_WORDS, SEVERITY_WORDS, standingInWords, stateInWords } from './words.ts';

type Delivery = ListedAlert['deliveries'][number];

interface Material {
  alert: ListedAlert;
  /** Routes that something can be sent to again. */
  livingRoutes: ReadonlySet<string>;
}

export const alertPage = definePage<Material>({
  path: ALERT_PATH,
  title: 'Alert',
  scopes: ['finance'],
  gather: async (snapshot, { params }) => ({
    alert: await getAlert(snapshot, readAlertId(params.alertId)),
    livingRoutes: new Set((await listRoutes(snapshot)).map(({ routeId }) => routeId)),
  }),
  show: ({ alert, livingRoutes }, view) => {
    const { subject, paragraphs, facts, path } = operatorMessage(alert);
    const table = deliveriesTable(livingRoutes, view);
    return {
      title: `Alert ${alert.alertId}: ${KIND_WORDS[alert.kind]}`,
      body: html`<p class="lead">${nameCell(subject, 500)}</p>
${notices(alert)}
${paragraphs.map((paragraph) => html`<p>${nameCell(paragraph, 2_000)}</p>`)}
<dl class="facts">
<dt>Kind</dt><dd>${KIND_WORDS[alert.kind]}, ${SEVERITY_WORDS[alert.severity]}</dd>
<dt>About</dt><dd>${aboutWhom(alert, view)}</dd>
<dt>Raised</dt><dd>${instantCell(alert.raisedAt)}</dd>
<dt>Stands</dt><dd>${standingInWords(alert)}${alert.endedAt === null ? '' : html`, since ${instantCell(alert.endedAt)}`}</dd>
${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${nameCell(value, 200)}</dd>`)}
</dl>
${dataTable(table, alert.deliveries, view.address)}
${alert.acknowledgedAt === null ? acknowledgeForm(view) : ''}
<p class="links">${path === null || path === ALERTS_PATH ? '' : html`<a href="${path}">What it is about</a> `}<a href="${ALERTS_PATH}">All alerts</a>${view.hasPage('/console/audit') ? html` <a href="/console/audit?target=alert-${alert.alertId}">In the audit log</a>` : ''}</p>`,
      csv: { deliveries: () => csvOfTable(table, alert.deliveries, view.address.query) },
    };
  },
  acts: ALERT_ACTS,
});

/** What was said of it, and which other takes it back. */
function notices(alert: ListedAlert): Html {
  const { acknowledgedAt, acknowledgedBy, acknowledgedReason, withdrawnByAlertId, withdrawsAlertId } = alert;
  return html`${withdrawnByAlertId === null ? '' : html`<p class="notice">It counts no longer: <a href="${alertPath(withdrawnByAlertId)}">alert ${withdrawnByAlertId}</a> says so to everybody who heard of it.</p>`}
${withdrawsAlertId === null ? '' : html`<p class="notice">It takes back <a href="${alertPath(withdrawsAlertId)}">alert ${withdrawsAlertId}</a>.</p>`}
${acknowledgedAt === null ? '' : html`<p class="notice">Acknowledged by ${nameCell(actorInWords(acknowledgedBy ?? ''), 60)}, ${instantCell(acknowledgedAt)}${acknowledgedReason === null ? '' : html`: ${nameCell(acknowledgedReason, 2_000)}`}</p>`}`;
}

function aboutWhom({ customerId, customerName }: ListedAlert, view: ConsoleView): Html {
  if (customerId === null) return html`<span class="muted">no one customer</span>`;
  const name = nameCell(customerName ?? customerId, 60);
  return view.hasPage('/console/customers/:customerId')
    ? html`<a href="/console/customers/${encodeURIComponent(customerId)}">${name}</a>`
    : name;
}

function deliveriesTable(livingRoutes: ReadonlySet<string>, view: ConsoleView): TableDefinition<Delivery> {
  return {
    name: 'deliveries',
    caption: 'What became of it on each route',
    empty: 'It went to nobody: no route of then asks for it, or its routes are not found yet.',
    columns: [
      {
        name: 'route',
        title: 'Route',
        kind: 'text',
        isRowHeader: true,
        cell: ({ routeName }) => nameCell(routeName, 40),
        csv: ({ routeName }) => routeName,
      },
      {
        name: 'state',
        title: 'State',
        kind: 'text',
        cell: (delivery) => stateInWords(delivery),
        csv: ({ state }) => state,
      },
      instant('sentAt', 'Sent', ({ sentAt }) => sentAt),
      {
        name: 'attemptCount',
        title: 'Tries',
        kind: 'number',
        cell: ({ attemptCount }) => String(attemptCount),
        csv: ({ attemptCount }) => String(attemptCount),
      },
      instant('nextAttemptAt', 'Next try', ({ nextAttemptAt }) => nextAttemptAt),
      {
        name: 'lastError',
        title: 'Last error',
        kind: 'text',
        cell: ({ lastError }) =>
          lastError === null ? html`<span class="muted">none</span>` : nameCell(lastError, 120),
        csv: ({ lastError }) => lastError,
      },
      {
        name: 'messageId',
        title: 'Id of the message',
        kind: 'text',
        cell: ({ messageId }) => idCell(messageId),
        csv: ({ messageId }) => messageId,
      },
      {
        name: 'acts',
        title: 'Acts',
        kind: 'text',
        cell: (delivery) => resendForm(delivery, livingRoutes, view),
      },
    ],
  };
}

const instant = (name: string, title: string, of: (delivery: Delivery) => string | null) => ({
  name,
  title,
  kind: 'text' as const,
  cell: (delivery: Delivery) => {
    const at = of(delivery);
    return at === null ? html`<span class="muted">–</span>` : instantCell(new Date(at));
  },
  csv: of,
});

/** What waits is sent anyway, and what is undone is not to be sent any more. */
function resendForm(
  { routeId, routeName, state }: Delivery,
  livingRoutes: ReadonlySet<string>,
  { address, formField }: ConsoleView,
): Html | string {
  if (!livingRoutes.has(routeId) || !['sent', 'given_up', 'summarised'].includes(state)) return '';
  return html`<form method="post" action="${address.path}/resend">${formField}<input type="hidden" name="route" value="${routeId}"><button class="quiet">Send again<span class="unseen"> to ${routeName}</span></button></form>`;
}

function acknowledgeForm({ address: { path }, formField, typed }: ConsoleView): Html {
  return html`<section class="panel" id="acts"><h2>Say that you see to it</h2>
<form class="fields" method="post" action="${path}/acknowledge">${formField}
<label><span>What you do about it</span><textarea name="reason" maxlength="2000">${typed?.get('reason') ?? ''}</textarea><small>May be left empty; kept in the audit log with your name.</small></label>
<div class="acts"><button>Acknowledge it</button></div></form></section>`;
}
