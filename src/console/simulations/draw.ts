import { html } from 'hono/html';
import type { Plan } from '../../../pricing/plans/plan.ts';
import { TOKEN_TYPES } from '../../../pricing/usage/tokens.ts';
import { TOKEN_WORDS } from '../../../pricing/usage/words.ts';
import type { Html } from '../../pages/html.ts';
import type { ConsoleView } from '../frame/define-page.ts';
import { lineChoice, lineField, linesOf, offered, padded } from '../frame/form-lines.ts';
import type { Offered } from '../frame/offered.ts';
import { SIMULATIONS_PATH } from './address.ts';
import { COST_FIELDS, SELL_FIELDS, SWAP_FIELDS } from './fields.ts';

export const RUN_ACT = 'run';

/** What a form of simulations offers beside what all forms do. */
export interface SimulationChoices extends Offered {
  /** Plans that somebody is on. */
  plansInUse: readonly string[];
  /** That anybody is billed in, usd first. */
  currencies: readonly string[];
}

/** The form of a scenario with what was typed. Nothing typed is as it is. */
export function simulationForm(fields: URLSearchParams, choices: SimulationChoices, view: ConsoleView): Html {
  const text = (name: string) => fields.get(name) ?? '';
  const currencies = choices.currencies.map((currency) => [currency, currency.toUpperCase()] as const);
  return html`<form class="quote-form" method="post" action="${SIMULATIONS_PATH}/${RUN_ACT}">${view.formField}
<div class="pair"><div>
  <fieldset class="panel"><legend>Which usage</legend>
    <div class="line">
      <label class="wide"><span>From</span><input type="date" name="from" value="${text('from')}" required></label>
      <label class="wide"><span>To, this day included</span><input type="date" name="to" value="${text('to')}" required></label>
      ${lineChoice('ofPlan', 'Whose', text('ofPlan'), [['', 'everybody’s'], ...choices.plansInUse.map((plan) => [plan, `customers on ${plan}`] as const)], true)}
      ${[...linesOf(fields, ['customer']), { customer: '' }].slice(0, 4).map(({ customer }) => lineField('customer', 'Only of customer', customer, { list: 'customers', wide: true, hint: 'id' }))}
    </div>
  </fieldset>
  <fieldset class="panel" id="swaps"><legend>Another model</legend>
    ${padded(linesOf(fields, SWAP_FIELDS), 0).map(
      (
        line,
      ) => html`<div class="line">${lineField('swapFrom', 'Instead of', line.swapFrom ?? '', { list: 'models', wide: true, hint: 'nothing', length: 256 })}
      ${lineField('swapTo', 'use', line.swapTo ?? '', { list: 'models', wide: true, length: 256 })}
      ${lineField('swapFeature', 'in feature', line.swapFeature ?? '', { list: 'features', wide: true, hint: 'all', length: 512 })}</div>`,
    )}
    <div class="foot"><button class="quiet" type="button" data-adds="#swaps > .line">Another swap</button><span class="muted">The same tokens; whether the answers stay as good is not measured.</span></div>
  </fieldset>
  <fieldset class="panel"><legend>What is left out, and what it is called</legend>
    <div class="line">${lineField('without', 'Without the usage of feature', text('without'), { list: 'features', wide: true, hint: 'none' })}${lineField('name', 'Called', text('name'), { wide: true, hint: 'after what it changes', length: 100 })}</div>
  </fieldset>
</div><div>
  <fieldset class="panel"><legend>Which plan</legend>
    <div class="line">
      ${lineChoice('plan', 'Everybody pays by', text('plan'), [['', 'what they have'], ...choices.plans.flatMap(planOptions)], true)}
      ${lineField('markup', 'or cost and %', text('markup'), { numeric: true, hint: 'none', length: 20 })}
      ${lineField('discount', 'Discount %', text('discount'), { numeric: true, hint: 'none', length: 20 })}
      ${lineField('minimum', 'Minimum a month', text('minimum'), { numeric: true, hint: 'as it is', length: 30, wide: true })}
      ${lineChoice('minimumCurrency', 'of those billed in', text('minimumCurrency') || (choices.currencies[0] ?? 'usd'), currencies, true)}
    </div>
  </fieldset>
  <fieldset class="panel" id="sells"><legend>What customers pay</legend>
    ${padded(linesOf(fields, SELL_FIELDS), 0).map(
      (
        line,
      ) => html`<div class="line">${lineField('sellModel', 'Model', line.sellModel ?? '', { list: 'models', wide: true, hint: 'any', length: 256 })}
      ${lineField('sellFeature', 'Feature', line.sellFeature ?? '', { list: 'features', wide: true, hint: 'any', length: 512 })}
      ${tokenChoice('sellType', line.sellType)}${lineField('sellAmount', 'becomes', line.sellAmount ?? '', { numeric: true, hint: '+10', length: 30 })}
      ${lineChoice('sellUnit', 'in', line.sellUnit ?? '', [['', '%'], ...choices.currencies.map((currency) => [currency, `${currency.toUpperCase()} / million`] as const)])}</div>`,
    )}
    <div class="foot"><button class="quiet" type="button" data-adds="#sells > .line">Another price</button></div>
  </fieldset>
  <fieldset class="panel" id="costs"><legend>What Azure asks</legend>
    ${padded(linesOf(fields, COST_FIELDS), 0).map(
      (
        line,
      ) => html`<div class="line">${lineField('costModel', 'Model', line.costModel ?? '', { list: 'models', wide: true, hint: 'any', length: 256 })}
      ${tokenChoice('costType', line.costType)}${lineField('costAmount', 'becomes', line.costAmount ?? '', { numeric: true, hint: '-20', length: 30 })}
      ${lineChoice('costUnit', 'in', line.costUnit ?? '', [
        ['', '%'],
        ['usd', 'USD / million'],
      ])}</div>`,
    )}
    <div class="foot"><button class="quiet" type="button" data-adds="#costs > .line">Another price</button></div>
  </fieldset>
</div></div>
  <p class="send"><button>Work it out</button></p>
  ${offered('models', choices.models)}${offered('features', choices.features)}
  <datalist id="customers">${choices.customers.map(({ customerId, name }) => html`<option value="${customerId}">${name}</option>`)}</datalist>
</form>`;
}

function tokenChoice(name: string, chosen = ''): Html {
  return lineChoice(
    name,
    'Tokens',
    chosen,
    [
      ['', 'all'],
      ...TOKEN_TYPES.map((type) => [type, TOKEN_WORDS[type].customer.replace(/ tokens$/, '')] as const),
    ],
    true,
  );
}

/** As it is in force from month to month, or one version for the whole period. */
function planOptions({ planId, name, versions }: Plan): (readonly [string, string])[] {
  const called = name === planId ? planId : `${name} (${planId})`;
  return [
    [planId, called],
    ...versions.map(
      ({ versionId, effectiveFrom }) =>
        [`${planId} ${versionId}`, `${called}, version from ${effectiveFrom.slice(0, 10)}`] as const,
    ),
  ];
}
