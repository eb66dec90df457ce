import { html } from 'hono/html';
import { BUDGET_MEASURES, BUDGET_PERIODS, BUDGET_SCOPES } from '../../../../pricing/budgets/budget.ts';
import { checkBudget } from '../../../../pricing/budgets/check.ts';
import { EXPERIMENTATION } from '../../../../pricing/budgets/templates.ts';
import { createBudget } from '../../../budgets/desk.ts';
import { makeTemplateCustomer } from '../../../budgets/template.ts';
import { textOf } from '../../../pages/address.ts';
import type { Html } from '../../../pages/html.ts';
import { TallystickError, ValidationError } from '../../../platform/errors.ts';
import { type ConsoleView, definePage, type PageAct } from '../../frame/define-page.ts';
import { requiredText } from '../../frame/fields.ts';
import {
  type FieldOptions,
  lineChoice,
  lineField,
  linesOf,
  offered,
  padded,
} from '../../frame/form-lines.ts';
import { gatherOffered, type Offered } from '../../frame/offered.ts';
import { budgetPath, NEW_BUDGET_PATH } from '../address.ts';
import { fieldsOfTemplate, readNewBudget, STEP_FIELDS } from './fields.ts';

/** As many steps as stand there to be filled in; without a script nobody adds one. */
const STEP_LINES = 4;

const create: PageAct = {
  scopes: ['finance'],
  makes: true,
  run: async (form, { caller, dependencies: { database, clock } }) => {
    const { actor } = caller;
    const now = clock.now();
    const terms = readNewBudget(form);
    // What contradicts itself makes no customer, either.
    if (form.has('template') && terms.customerId !== null && checkBudget(terms).length === 0) {
      const tenantKey =
        textOf(form, 'tenantKey') === undefined
          ? terms.customerId
          : requiredText(form, 'tenantKey', 'Give it as the gateway does.', 512);
      await makeTemplateCustomer(database, { customerId: terms.customerId, tenantKey, actor, now });
    }
    try {
      const budget = await createBudget(database, terms, { actor, now });
      return {
        notice: 'Made: it is judged within a minute, from the beginning of its window.',
        to: budgetPath(budget),
      };
    } catch (error) {
      if (!(error instanceof TallystickError) || error.code !== 'UNKNOWN_CUSTOMER') throw error;
      throw new ValidationError('customerId', 'there is no such customer', 'The list at the field has them.');
    }
  },
};

export const newBudgetPage = definePage<Offered>({
  path: NEW_BUDGET_PATH,
  title: 'New budget',
  scopes: ['finance'],
  gather: (snapshot) => gatherOffered(snapshot),
  show: (choices, view) => ({ body: budgetForm(choices, view) }),
  acts: { create },
});

function budgetForm(choices: Offered, view: ConsoleView): Html {
  const { typed, faults, address, formField } = view;
  const fields = typed ?? fieldsOfTemplate(address.query.get('template')) ?? new URLSearchParams();
  const said = (name: string) => fields.get(name) ?? '';
  const field = (name: string, title: string, options: FieldOptions) =>
    lineField(name, title, said(name), { ...options, fault: faults.get(name) });
  const choice = (name: string, title: string, options: readonly (readonly [string, string])[]) =>
    lineChoice(name, title, said(name), options, true, faults.get(name));
  const words = (values: readonly string[], unsaid: string) => [
    ['', unsaid] as const,
    ...values.map((value) => [value, value.replaceAll('_', ' ')] as const),
  ];
  const lines = padded(linesOf(fields, STEP_FIELDS), STEP_LINES);
  return html`${
    fields.has('template')
      ? html`<p class="lead">A customer of its own for experiments, unless there is one, with a strict cap.</p>`
      : html`<p class="lead">A limit, and what is done at which share of it. <a class="button" href="${NEW_BUDGET_PATH}?template=${EXPERIMENTATION.customerId}">For internal experimentation</a></p>`
  }
<form class="quote-form" method="post" action="${NEW_BUDGET_PATH}/create">${formField}${fields.has('template') ? html`<input type="hidden" name="template" value="${said('template')}">` : ''}
<div class="pair"><div>
  <fieldset class="panel"><legend>Of what</legend><div class="line">
    ${choice('scope', 'Scope', words(BUDGET_SCOPES, 'as named beside'))}
    ${field('customerId', 'Customer', { list: 'customers', wide: true, hint: 'id' })}
    ${field('feature', 'Feature', { list: 'features', wide: true, hint: 'none' })}
    ${field('subject', 'User', { wide: true, hint: 'of the customer' })}
    ${fields.has('template') ? field('tenantKey', 'Tenant, as the gateway names it', { wide: true }) : ''}
  </div>
  <label class="choice"><input type="checkbox" name="perUser" value="yes"${fields.has('perUser') ? html` checked` : ''}> Each user of it has the limit${faults.has('perUser') ? html` <small class="bad">${faults.get('perUser')}</small>` : ''}</label>
  </fieldset>
  <fieldset class="panel"><legend>How much</legend><div class="line">
    ${field('limit', 'Limit', { numeric: true, wide: true, hint: '50.00', length: 40 })}
    ${choice('measure', 'Of', words(BUDGET_MEASURES.slice(1), 'cost'))}
    ${field('currency', 'Currency, of money', { wide: true, hint: 'usd', length: 3 })}
    ${choice(
      'period',
      'Each',
      words(
        BUDGET_PERIODS.filter((period) => period !== 'month'),
        'month',
      ),
    )}
    ${field('rollingDayCount', 'Days, of rolling days', { numeric: true, wide: true, length: 3 })}
    ${field('name', 'Called', { wide: true, hint: 'after what it is of', length: 200 })}
  </div></fieldset>
</div><div>
  <fieldset class="panel" id="ladder"><legend>What is done</legend>
    ${lines.map((line, place) => stepLine(line, place, faults))}
    <div class="foot"><button class="quiet" type="button" data-adds="#ladder > .line">Another step</button><span class="muted">Slow says how many tokens a minute, another deployment which.</span></div>
    ${faults.has('steps') ? html`<small class="bad">${faults.get('steps')}</small>` : ''}
  </fieldset>
  <fieldset class="panel"><legend>Whom those who are slowed down or stopped shall ask</legend><div class="line">
    ${field('contact', 'Contact', { wide: true, length: 200 })}
  </div></fieldset>
</div></div>
<p class="send"><button>Make the budget</button></p>
${offered('features', choices.features)}
<datalist id="customers">${choices.customers.map(({ customerId, name }) => html`<option value="${customerId}">${name}</option>`)}</datalist></form>`;
}

function stepLine(
  line: Partial<Record<(typeof STEP_FIELDS)[number], string>>,
  place: number,
  faults: ReadonlyMap<string, string>,
): Html {
  const fault = (...names: string[]) =>
    names.map((name) => faults.get(`steps.${place}.${name}`)).find((each) => each !== undefined);
  return html`<div class="line">
    ${lineField('stepShare', 'At %', line.stepShare ?? '', { numeric: true, length: 6, fault: fault('sharePermille') })}
    ${lineChoice(
      'stepOn',
      'of what',
      line.stepOn ?? '',
      [
        ['', 'is used'],
        ['forecast', 'is forecast'],
      ],
      false,
      fault('on'),
    )}
    ${lineChoice(
      'stepAction',
      'do',
      line.stepAction ?? '',
      [
        ['', 'tell'],
        ['slow', 'slow down'],
        ['swap', 'another deployment'],
        ['stop', 'stop'],
        ['bill', 'invoice'],
      ],
      false,
      fault('action'),
    )}
    ${lineField('stepDetail', 'to', line.stepDetail ?? '', { length: 256, fault: fault('tokensPerMinute', 'deployment', 'contact') })}</div>`;
}
