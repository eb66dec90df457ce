import { html } from 'hono/html';
import type { Finding } from '../../anomalies/findings.ts';
import type { Html } from '../../pages/html.ts';
import type { ConsoleView } from '../frame/define-page.ts';
import { seenField } from '../invoices/seen.ts';
import { findingSeen } from './acts.ts';

/** What may be said of a finding; of what was withdrawn there is nothing to say. */
export function findingForms(
  finding: Finding,
  { address: { path }, formField, typed }: ConsoleView,
): Html | string {
  const { state, decision, raisedAt } = finding;
  if (state === 'withdrawn') return '';
  const snooze =
    decision === null && raisedAt !== null
      ? html`<form class="fields" method="post" action="${path}/snooze">${formField}${seenField(findingSeen(finding))}
<label><span>Needs somebody again in so many days, at most 90</span><input name="days" inputmode="numeric" maxlength="3" value="${typed?.get('days') ?? '1'}" required></label>
<div class="acts"><button class="quiet">Snooze it</button></div></form>`
      : '';
  return html`<section class="panel" id="say"><h2>${decision === null ? 'What is it?' : 'Say something else of it'}</h2>
<p class="muted">What you say is kept in the audit log with your name, and counts in how often telling was right. Nothing is stopped by it.</p>
<form class="fields" method="post" action="${path}/acknowledge">${formField}${seenField(findingSeen(finding))}
<label><span>Why</span><textarea name="reason" maxlength="2000">${typed?.get('reason') ?? ''}</textarea><small>Needed to dismiss it.</small></label>
<div class="acts"><button>Acknowledge: it is real</button><button class="danger" formaction="${path}/dismiss">Dismiss: it is none</button></div></form>
${snooze}</section>`;
}
