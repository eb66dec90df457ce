import { type BudgetStep, STEP_ACTIONS, type StepAction } from '../../pricing/budgets/budget.ts';
import { ValidationError } from '../platform/errors.ts';

const FIX =
  'Write 80%:tell, 100%:stop, 90%:slow:20000 (tokens a minute), 95%:swap:gpt-4o-mini, or forecast:100%:tell.';

/**
 * A step as people write it: `80%:tell`, `90%:slow:20000`, `95%:swap:DEPLOYMENT`, `forecast:100%:tell`.
 * @throws ValidationError
 */
export function parseStep(text: string, contact?: string): BudgetStep {
  const parts = text.trim().split(':');
  const on = parts[0] === 'forecast' ? 'forecast' : 'actual';
  if (parts[0] === 'forecast' || parts[0] === 'actual') parts.shift();
  const [share = '', action = '', ...rest] = parts;
  const detail = rest.join(':');
  const found = /^(\d{1,4})(?:\.(\d))? ?%$/.exec(share);
  if (found === null || !isAction(action))
    throw new ValidationError('step', `${text.slice(0, 100)} is no step`, FIX);
  const step = { sharePermille: Number(found[1]) * 10 + Number(found[2] ?? 0), on, action } as const;
  if (action === 'slow' && !/^\d{1,12}$/.test(detail)) {
    throw new ValidationError('step', `${text.slice(0, 100)} does not say how many tokens a minute`, FIX);
  }
  if ((action === 'slow' || action === 'swap') === (detail === '')) {
    throw new ValidationError(
      'step',
      `${text.slice(0, 100)} ${detail === '' ? 'is not whole' : 'says too much'}`,
      FIX,
    );
  }
  return {
    ...step,
    ...(action === 'slow' ? { tokensPerMinute: Number(detail) } : {}),
    ...(action === 'swap' ? { deployment: detail } : {}),
    ...(contact === undefined || action === 'tell' ? {} : { contact }),
  };
}

/** The same back. */
export function stepText({ sharePermille, on, action, tokensPerMinute, deployment }: BudgetStep): string {
  const share = `${Math.floor(sharePermille / 10)}${sharePermille % 10 === 0 ? '' : `.${sharePermille % 10}`}%`;
  const detail = tokensPerMinute ?? deployment;
  return [...(on === 'forecast' ? [on] : []), share, action, ...(detail === undefined ? [] : [detail])].join(
    ':',
  );
}

function isAction(text: string): text is StepAction {
  return (STEP_ACTIONS as readonly string[]).includes(text);
}
