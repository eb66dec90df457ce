import { type BudgetStep, isMoney, narrowestScope } from '../../../../pricing/budgets/budget.ts';
import {
  EXPERIMENTATION,
  EXPERIMENTATION_LIMIT,
  experimentationSteps,
} from '../../../../pricing/budgets/templates.ts';
import type { NewBudget } from '../../../budgets/desk.ts';
import { NewBudgetBody, toNewBudget } from '../../../budgets/schemas.ts';
import { textOf } from '../../../pages/address.ts';
import { nothingApplied } from '../../../platform/errors.ts';
import { linesOf } from '../../frame/form-lines.ts';

/** Fields of a step, which repeat. A share is in percent; `stepDetail` is tokens a minute of slow, and the deployment of swap. */
export const STEP_FIELDS = ['stepShare', 'stepOn', 'stepAction', 'stepDetail'] as const;

/**
 * The form as a budget. Faults are named as fields of the API's body are; of a step, `steps.0.sharePermille`.
 * @throws TallystickError VALIDATION with each field that cannot be read
 */
export function readNewBudget(form: URLSearchParams): NewBudget {
  const text = (name: string) => textOf(form, name);
  const measure = text('measure') ?? 'cost';
  const contact = text('contact');
  const days = text('rollingDayCount');
  const named = { customerId: text('customerId'), feature: text('feature'), userId: text('subject') };
  const body = {
    name: text('name') ?? defaultName(form),
    scope: text('scope') ?? narrowestScope(named),
    ...named,
    perUser: form.has('perUser'),
    period: text('period') ?? 'month',
    rollingDayCount: days === undefined ? undefined : Number(days),
    measure,
    currency: isMoney(measure) ? (text('currency') ?? 'usd').toLowerCase() : undefined,
    limit: text('limit')?.replaceAll(',', '') ?? '',
    steps: linesOf(form, STEP_FIELDS).map((line) => readStep(line, contact)),
  };
  const parsed = NewBudgetBody.safeParse(JSON.parse(JSON.stringify(body)));
  if (!parsed.success) {
    throw nothingApplied(
      // Of the form's fields only numbers can be of another type.
      parsed.error.issues.map(({ path, code, message }) => ({
        field: nameOf(path),
        message: code === 'invalid_type' ? 'is no number' : message,
      })),
    );
  }
  return toNewBudget(parsed.data);
}

const nameOf = (path: readonly PropertyKey[]) =>
  path[0] === 'userId' ? 'subject' : path.map(String).join('.');

function defaultName(form: URLSearchParams): string {
  const whose =
    textOf(form, 'subject') ?? textOf(form, 'feature') ?? textOf(form, 'customerId') ?? 'Everything';
  return `${whose.slice(0, 150)}, ${(textOf(form, 'period') ?? 'month').replaceAll('_', ' ')}`;
}

function readStep(
  { stepShare, stepOn, stepAction, stepDetail }: Record<(typeof STEP_FIELDS)[number], string>,
  contact: string | undefined,
) {
  const action = stepAction || 'tell';
  const share = /^(\d{1,4})(?:\.(\d))? ?%?$/.exec(stepShare);
  return {
    // What is no share is no number either, and is refused as one.
    sharePermille: share === null ? stepShare : Number(share[1]) * 10 + Number(share[2] ?? 0),
    on: stepOn || 'actual',
    action,
    tokensPerMinute:
      action === 'swap' || stepDetail === ''
        ? undefined
        : /^\d{1,12}$/.test(stepDetail)
          ? Number(stepDetail)
          : stepDetail,
    deployment: action === 'swap' ? stepDetail || undefined : undefined,
    contact: action === 'tell' ? undefined : contact,
  };
}

/** The form as a template fills it in; null: there is no such template. */
export function fieldsOfTemplate(template: string | null): URLSearchParams | null {
  if (template !== EXPERIMENTATION.customerId) return null;
  const fields = new URLSearchParams({
    template,
    name: EXPERIMENTATION.name,
    scope: 'customer',
    customerId: EXPERIMENTATION.customerId,
    tenantKey: EXPERIMENTATION.customerId,
    limit: EXPERIMENTATION_LIMIT,
  });
  for (const { sharePermille, on, action } of experimentationSteps(undefined)) {
    const line = [String(sharePermille / 10), chosen(on), action === 'tell' ? '' : action, ''];
    for (const [place, name] of STEP_FIELDS.entries()) fields.append(name, line[place] ?? '');
  }
  return fields;
}

const chosen = (on: BudgetStep['on']) => (on === 'actual' ? '' : on);
