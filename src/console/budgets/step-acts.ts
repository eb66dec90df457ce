import { liftStep, restoreStep } from '../../enforcement/lifts.ts';
import type { EnforcedStep } from '../../enforcement/steps.ts';
import { textOf } from '../../pages/address.ts';
import { addMs, HOUR_MS } from '../../platform/clock.ts';
import { TallystickError, ValidationError } from '../../platform/errors.ts';
import { ROW_ID } from '../../platform/row-id.ts';
import type { ConsoleView, PageAct } from '../frame/define-page.ts';
import { requiredText } from '../frame/fields.ts';
import { requireSeen, type Seen } from '../invoices/seen.ts';

/** What lifting a step, or restoring it, is about. */
export const stepSeen = ({ stepId, liftedUntil }: EnforcedStep): Seen => [stepId, liftedUntil?.toISOString()];

/** What a person of finance does with a step that gateways act on: by the functions of the API's routes. */
export const STEP_ACTS: Readonly<Record<string, PageAct>> = {
  lift: {
    scopes: ['finance'],
    run: async (form, view) => {
      const fix = 'Say for how many hours, such as 4; 744 at most.';
      const hours = requiredText(form, 'hours', fix, 4);
      if (!/^[1-9]\d*$/.test(hours)) throw new ValidationError('hours', 'is no whole number of hours', fix);
      const act = actOf(form, view);
      const until = addMs(act.now, Number(hours) * HOUR_MS);
      await liftStep(view.dependencies.database, { ...act, until });
      return {
        notice: `Lifted for ${hours} ${hours === '1' ? 'hour' : 'hours'}: gateways let it be, and after that it holds again.`,
      };
    },
  },
  restore: {
    scopes: ['finance'],
    run: async (form, view) => {
      await restoreStep(view.dependencies.database, actOf(form, view));
      return { notice: 'Restored: gateways act on it again.' };
    },
  },
};

function actOf(form: URLSearchParams, { caller, dependencies, params }: ConsoleView) {
  const { budgetId = '' } = params;
  const step = form.get('step') ?? '';
  return {
    // Of what is no id there is no step, either.
    stepId: ROW_ID.test(step) ? BigInt(step) : 0n,
    reason:
      textOf(form, 'reason') === undefined ? null : requiredText(form, 'reason', 'Say it shorter.', 2_000),
    actor: caller.actor,
    now: dependencies.clock.now(),
    requireSame: (before: EnforcedStep) => {
      if (before.budgetId !== budgetId) {
        throw new TallystickError(`Step ${before.stepId} is of another budget.`, {
          code: 'NOT_FOUND',
          retry: false,
          fix: 'Open the page of that budget.',
        });
      }
      requireSeen(form, stepSeen(before), `Step ${before.stepId}`);
    },
  };
}
