import { decideOnFinding, snoozeFinding } from '../../anomalies/desk.ts';
import type { Finding } from '../../anomalies/findings.ts';
import { textOf } from '../../pages/address.ts';
import { addMs, DAY_MS } from '../../platform/clock.ts';
import { ValidationError } from '../../platform/errors.ts';
import { ROW_ID } from '../../platform/row-id.ts';
import type { ConsoleView, PageAct } from '../frame/define-page.ts';
import { requiredText } from '../frame/fields.ts';
import { requireSeen, type Seen } from '../invoices/seen.ts';

/** What a word on a finding is about. Its figures grow by the hour, and are not: it would be refused for growing. */
export const findingSeen = ({ state, decision, decisionReason, decidedAt, snoozedUntil }: Finding): Seen => [
  state,
  decision,
  decisionReason,
  decidedAt?.toISOString(),
  snoozedUntil?.toISOString(),
];

const WHY = 'Say why it is no anomaly.';

/** What a person says of a finding: by the functions of the API's routes. */
export const FINDING_ACTS: Readonly<Record<string, PageAct>> = {
  acknowledge: {
    scopes: ['finance'],
    run: async (form, view) => {
      const reason = textOf(form, 'reason') === undefined ? null : requiredText(form, 'reason', WHY, 2_000);
      const act = actOf(form, view);
      await decideOnFinding(view.dependencies.database, { ...act, decision: 'acknowledged', reason });
      return { notice: 'Acknowledged: it is real, and was told rightly.' };
    },
  },
  dismiss: {
    scopes: ['finance'],
    run: async (form, view) => {
      const reason = requiredText(form, 'reason', WHY, 2_000);
      const act = actOf(form, view);
      await decideOnFinding(view.dependencies.database, { ...act, decision: 'dismissed', reason });
      return { notice: 'Dismissed: it is none, for the reason that you gave.' };
    },
  },
  snooze: {
    scopes: ['finance'],
    run: async (form, view) => {
      const fix = 'Say for how many days, from 1 to 90.';
      const days = requiredText(form, 'days', fix, 3);
      if (!/^[1-9]\d*$/.test(days)) throw new ValidationError('days', 'is no whole number of days', fix);
      const act = actOf(form, view);
      await snoozeFinding(view.dependencies.database, {
        ...act,
        until: addMs(act.now, Number(days) * DAY_MS),
      });
      return { notice: `Snoozed: it needs somebody again in ${days} ${days === '1' ? 'day' : 'days'}.` };
    },
  },
};

function actOf(form: URLSearchParams, { caller, dependencies, params }: ConsoleView) {
  const findingId = readFindingId(params.findingId);
  return {
    findingId,
    actor: caller.actor,
    now: dependencies.clock.now(),
    requireSame: (before: Finding) => requireSeen(form, findingSeen(before), `Anomaly ${findingId}`),
  };
}

/** Of what is no id there is no finding, either. */
export function readFindingId(text: string | undefined): bigint {
  return ROW_ID.test(text ?? '') ? BigInt(text ?? '') : 0n;
}
