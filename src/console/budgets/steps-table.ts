import { html } from 'hono/html';
import type { EnforcedStep } from '../../enforcement/steps.ts';
import { hasScope } from '../../identity/require-scope.ts';
import type { Html } from '../../pages/html.ts';
import { instantCell } from '../../pages/numbers.ts';
import type { TableDefinition } from '../../pages/table/columns.ts';
import { instantColumn } from '../../pages/table/made-columns.ts';
import { actorInWords, nameCell } from '../../pages/texts.ts';
import type { ConsoleView } from '../frame/define-page.ts';
import { seenField } from '../invoices/seen.ts';
import { stepSeen } from './step-acts.ts';
import { stepInWords } from './words.ts';

const isLifted = ({ liftedUntil }: EnforcedStep, now: Date) => liftedUntil !== null && liftedUntil > now;

/** Steps of one budget that gateways act on, each with its lift. */
export function stepsTable(view: ConsoleView): TableDefinition<EnforcedStep> {
  const mayAct = hasScope(view.caller, ['finance']);
  return {
    name: 'steps',
    caption: 'What gateways act on',
    empty: 'Nobody is slowed down, moved or stopped by it.',
    columns: [
      {
        name: 'step',
        title: 'Step',
        kind: 'text',
        isRowHeader: true,
        cell: (step) => stepInWords({ ...step, on: 'actual' }),
        csv: ({ sharePermille, action }) => `${sharePermille}-${action}`,
      },
      {
        name: 'holds',
        title: 'Holds',
        kind: 'text',
        cell: ({ subject }) => (subject === null ? 'all of whom it is' : nameCell(subject, 40)),
        csv: ({ subject }) => subject,
      },
      instantColumn<EnforcedStep>('since', 'Since', ({ reachedAt }) => reachedAt),
      instantColumn<EnforcedStep>('ends', 'Until', ({ endsAt }) => endsAt),
      {
        name: 'lifted',
        title: 'State',
        kind: 'text',
        cell: (step) => {
          const state = stateOf(step, view.now);
          return mayAct ? form(step, state, view) : state;
        },
        csv: ({ liftedUntil }) => liftedUntil?.toISOString() ?? null,
      },
    ],
  };
}

function stateOf(step: EnforcedStep, now: Date): Html {
  return isLifted(step, now)
    ? html`lifted until ${instantCell(step.liftedUntil)} by ${nameCell(actorInWords(step.liftedBy ?? ''), 40)}`
    : html`holds`;
}

function form(
  step: EnforcedStep,
  state: Html,
  { address: { path }, formField, typed, now }: ConsoleView,
): Html {
  const lifted = isLifted(step, now);
  const isTyped = typed?.get('step') === String(step.stepId);
  const said = (field: string, unsaid: string) => (isTyped ? (typed?.get(field) ?? unsaid) : unsaid);
  const hidden = html`${formField}${seenField(stepSeen(step))}<input type="hidden" name="step" value="${String(step.stepId)}">`;
  const reason = html`<label><span>Why</span><input name="reason" maxlength="2000" value="${said('reason', '')}"><small>May be left empty; kept in the audit log.</small></label>`;
  return html`<details${isTyped ? html` open` : ''}><summary>${state}<span class="unseen">: ${lifted ? 'restore' : 'lift'} step ${String(step.stepId)}</span></summary>
<form class="fields" method="post" action="${path}/${lifted ? 'restore' : 'lift'}">${hidden}
${lifted ? '' : html`<label><span>Let it be for so many hours</span><input name="hours" inputmode="numeric" maxlength="4" value="${said('hours', '4')}" required></label>`}
${reason}
<div class="acts"><button class="quiet">${lifted ? 'Restore it: it holds again at once' : 'Lift it'}</button></div></form></details>`;
}
