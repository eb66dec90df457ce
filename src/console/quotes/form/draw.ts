import { html } from 'hono/html';
import { DEPLOYMENT_TYPES } from '../../../../pricing/prices/rows.ts';
import type { Html } from '../../../pages/html.ts';
import type { QuoteTerms } from '../../../platform/seller.ts';
import type { ConsoleView } from '../../frame/define-page.ts';
import {
  type FieldOptions,
  lineChoice,
  lineField,
  linesOf,
  offered,
  padded,
} from '../../frame/form-lines.ts';
import type { Offered } from '../../frame/offered.ts';
import { alsoOf, basisOf, SWAP_FIELDS, USAGE_FIELDS, USER_FIELDS } from './fields.ts';

/** Where the form shows what it would be, and where it is saved. */
export const NEW_QUOTE_PATH = '/console/quotes/new';
export const SAVE_ACT = 'save';

/** The form of a quote with what was typed; its parts are those of the request. */
export function quoteForm(
  fields: URLSearchParams,
  choices: Offered,
  view: ConsoleView,
  { validDays, contractMonths }: QuoteTerms,
): Html {
  const basis = basisOf(fields);
  const asked = Number(/^\d{1,2}$/.exec(fields.get('rows') ?? '')?.[0] ?? 0);
  const usageLines = padded(linesOf(fields, USAGE_FIELDS), basis === 'usage' ? asked : 0);
  const userLines = padded(linesOf(fields, USER_FIELDS), basis === 'users' ? asked : 0);
  const choice = (value: 'usage' | 'like' | 'users', words: string) =>
    html`<label class="choice"><input type="radio" name="basis" value="${value}"${value === basis ? html` checked` : ''}> ${words}</label>`;
  const field = fieldOf(fields);
  return html`<form class="quote-form" method="get" action="${NEW_QUOTE_PATH}" data-live="answer customer-page inside">
  <fieldset class="panel"><legend>What they will use in a month</legend>
    <div class="choices-of">${choice('usage', 'Tokens')}${choice('like', 'Like a customer')}${choice('users', 'Active users')}</div>
    <div class="of-usage">${usageLines.map(usageLine)}
      <div class="foot"><button class="quiet" name="rows" value="${usageLines.length + 1}" data-adds=".of-usage > .line">Another model</button>
      <label class="choice"><input type="checkbox" name="textOnly" value="yes"${fields.get('textOnly') === 'yes' ? html` checked` : ''}> Text only: no audio, no images, nothing written to caches</label></div>
    </div>
    <div class="of-like line">
      ${field('likeCustomer', 'Customer', { list: 'customers', wide: true, hint: 'id' })}
      ${field('likePeriod', 'Month', { hint: 'last 30 days' })}
      ${field('scale', 'Times', { hint: '1', numeric: true })}
    </div>
    <div class="of-users">${userLines.map(userLine)}
      <div class="foot"><button class="quiet" name="rows" value="${userLines.length + 1}" data-adds=".of-users > .line">Another feature</button></div>
    </div>
  </fieldset>
  <fieldset class="panel"><legend>How it would run</legend>
    ${[...linesOf(fields, SWAP_FIELDS), {}].map(swapLine)}
    <div class="line">
      ${field('cachedPercent', 'Cached %', { hint: 'as it is', numeric: true })}
      ${field('batchPercent', 'Batch %', { hint: '0', numeric: true })}
      ${select(fields, 'tier', 'Tier', [['', 'as it is'], ...DEPLOYMENT_TYPES.map((type) => [type, type.replaceAll('_', ' ')] as const)])}
      ${field('region', 'Region', { hint: 'any' })}
    </div>
  </fieldset>
  <fieldset class="panel"><legend>At which prices</legend>
    <div class="line">
      ${select(fields, 'plan', 'Plan', [['', 'customer’s, or the usual prices'], ...choices.plans.map(({ planId, name }) => [planId, name === planId ? planId : `${name} (${planId})`] as const)], true)}
      ${field('margin', 'Margin %', { hint: 'none', numeric: true })}
      ${field('currency', 'Currency', { hint: 'usd', length: 3 })}
      ${field('customer', 'Customer', { list: 'customers', wide: true, hint: 'a new one' })}
      ${select(
        fields,
        'mode',
        'Beside what they use',
        [
          ['', 'nothing: new'],
          ['merge', 'on top of it'],
          ['replace', 'instead of it'],
        ],
        true,
      )}
    </div>
  </fieldset>
  <fieldset class="panel"><legend>For whom</legend>
    <div class="line">
      ${field('title', 'Title', { hint: 'Quote for AI usage', wide: true, length: 200 })}
      ${field('preparedFor', 'Prepared for', { hint: 'name of the customer', wide: true, length: 200 })}
      ${field('validDays', 'Valid for (days)', { hint: String(validDays), numeric: true })}
      ${field('contractMonths', 'Term (months)', { hint: contractMonths === null ? 'not said' : String(contractMonths), numeric: true })}
      ${field('at', 'Prices as of', { hint: 'now', wide: true })}
    </div>
  </fieldset>
  <p class="send"><button class="quiet">Calculate</button> ${view.formButton(`${NEW_QUOTE_PATH}/${SAVE_ACT}`, 'Save and get the link')}</p>
  ${offered('models', choices.models)}${offered('features', choices.features)}
  <datalist id="customers">${choices.customers.map(({ customerId, name }) => html`<option value="${customerId}">${name}</option>`)}</datalist>
</form>`;
}

function fieldOf(fields: URLSearchParams) {
  return (name: string, title: string, options: FieldOptions = {}) =>
    lineField(name, title, fields.get(name) ?? '', options);
}

function select(
  fields: URLSearchParams,
  name: string,
  title: string,
  options: readonly (readonly [value: string, words: string])[],
  isWide = false,
): Html {
  return lineChoice(name, title, fields.get(name) ?? '', options, isWide);
}

function usageLine(line: Partial<Record<(typeof USAGE_FIELDS)[number], string>>): Html {
  const also = Object.entries(alsoOf(line.also ?? ''));
  return html`<div class="line">
    ${lineField('model', 'Model', line.model ?? '', { list: 'models', wide: true, length: 256 })}
    ${lineField('feature', 'Feature', line.feature ?? '', { list: 'features', wide: true, hint: 'any', length: 256 })}
    ${lineField('prompt', 'Input tokens', line.prompt ?? '', { numeric: true, length: 30 })}
    ${lineField('cached', 'of them cached', line.cached ?? '', { numeric: true, hint: '0', length: 30 })}
    ${lineField('completion', 'Output tokens', line.completion ?? '', { numeric: true, length: 30 })}
    ${lineField('requests', 'Requests', line.requests ?? '', { numeric: true, hint: 'not needed', length: 30 })}
    <input type="hidden" name="also" value="${also.length === 0 ? '' : (line.also ?? '')}">
    ${also.length === 0 ? '' : html`<small class="muted">With ${also.map(([name, value]) => `${name} ${String(value)}`).join(', ')}</small>`}
  </div>`;
}

function userLine(line: Partial<Record<(typeof USER_FIELDS)[number], string>>): Html {
  return html`<div class="line">${lineField('userFeature', 'Feature', line.userFeature ?? '', { list: 'features', wide: true, length: 256 })}${lineField('userCount', 'Active users', line.userCount ?? '', { numeric: true, length: 30 })}</div>`;
}

function swapLine(line: Partial<Record<(typeof SWAP_FIELDS)[number], string>>): Html {
  return html`<div class="line">${lineField('swapFrom', 'Instead of', line.swapFrom ?? '', { list: 'models', wide: true, hint: 'nothing', length: 256 })}${lineField('swapTo', 'use', line.swapTo ?? '', { list: 'models', wide: true, length: 256 })}</div>`;
}
