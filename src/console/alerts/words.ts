import { html } from 'hono/html';
import type { AlertKind, Severity } from '../../../pricing/alerts/facts.ts';
import type { ListedAlert } from '../../alerts/list.ts';
import type { RouteView } from '../../alerts/schemas.ts';
import type { Html } from '../../pages/html.ts';
import { instantCell } from '../../pages/numbers.ts';
import { nameCell } from '../../pages/texts.ts';

type Delivery = ListedAlert['deliveries'][number];

export const KIND_WORDS: Record<AlertKind, string> = {
  budget: 'budget',
  anomaly: 'anomaly',
  drift: 'drift',
  held_invoice: 'held invoice',
  quarantine_age: 'quarantine age',
  price_change: 'price change',
  failed_close: 'failed close',
  digest: 'digest',
  storm: 'too many at once',
  test: 'test',
};

export const STATE_WORDS: Record<Delivery['state'], string> = {
  waiting: 'waiting',
  sent: 'sent',
  given_up: 'given up',
  summarised: 'told with others',
  undone: 'undone before it was sent',
  route_ended: 'route ended',
};

export const SEVERITY_WORDS: Record<Severity, string> = {
  info: 'for information',
  warning: 'warning',
  urgent: 'urgent',
};

export const CHANNEL_WORDS: Record<RouteView['channel'], string> = {
  email: 'e-mail',
  slack: 'Slack',
  teams: 'Teams',
  webhook: 'signed webhook',
};

/** What became of it on a route: one that failed waits for its next try. */
export function stateInWords({ state, attemptCount }: Delivery): string {
  return state === 'waiting' && attemptCount > 0 ? 'failed, is tried again' : STATE_WORDS[state];
}

/** To whom it went, and what became of each. */
export function sentTo({ deliveries }: ListedAlert): Html {
  if (deliveries.length === 0) return html`<span class="muted">nobody</span>`;
  return html`${deliveries.map(
    (delivery) =>
      html`<span>${nameCell(delivery.routeName, 30)} <small class="${delivery.state === 'sent' ? 'muted' : ''}">${stateInWords(delivery)}</small></span><br>`,
  )}`;
}

/** Where it stands: taken back, a withdrawal itself, or still so. */
export function standingInWords(alert: ListedAlert): string {
  if (alert.ending !== null) return alert.ending === 'undone' ? 'withdraws another' : 'says that it is over';
  if (alert.withdrawnAs !== null) return alert.withdrawnAs === 'undone' ? 'withdrawn' : 'settled';
  if (alert.endedAt !== null) return 'over';
  return alert.isStanding ? 'goes on' : 'happened once';
}

/** `22:00 to 07:00, Europe/Berlin`, and what passes. */
export function quietInWords({ quietFrom, quietUntil, timeZone, urgentPasses }: RouteView): string {
  if (quietFrom === null || quietUntil === null) return 'never';
  return `${quietFrom} to ${quietUntil}, ${timeZone}${urgentPasses ? '; urgent ones pass' : ''}`;
}

/** How often it gets a digest, and when next. */
export function digestInWords({ digest, digestAt, nextDigestAt }: RouteView): Html | string {
  if (digest === 'none') return html`<span class="muted">none</span>`;
  const every = digest === 'day' ? 'daily' : 'on Mondays';
  return html`<span>${every} at ${digestAt}${nextDigestAt === null ? '' : html`<br><small class="muted">next ${instantCell(new Date(nextDigestAt))}</small>`}</span>`;
}
