import { html } from 'hono/html';
import { LOCALES } from '../../../pricing/alerts/customer-words.ts';
import { ALERT_KINDS, SEVERITIES } from '../../../pricing/alerts/facts.ts';
import { CHANNELS, type RouteTerms } from '../../alerts/route-store.ts';
import { RouteBody, readTerms } from '../../alerts/schemas.ts';
import { textOf } from '../../pages/address.ts';
import { optionField } from '../../pages/form-fields.ts';
import type { Html } from '../../pages/html.ts';
import { errorFromZod } from '../../platform/http/problem.ts';
import type { ConsoleView } from '../frame/define-page.ts';
import { CHANNEL_WORDS, KIND_WORDS, SEVERITY_WORDS } from './words.ts';

/** What a route can be narrowed to; the others go to one route alone. */
const ROUTED_KINDS = ALERT_KINDS.filter((kind) => !['digest', 'storm', 'test'].includes(kind));

const LOCALE_WORDS: Record<(typeof LOCALES)[number], string> = { en: 'English', de: 'German' };

/**
 * What the form says of a route, by the rules of the API: an empty field is as if it were not there.
 * @throws TallystickError VALIDATION, which names every field that is wrong
 */
export function readRouteForm(form: URLSearchParams): RouteTerms {
  const text = (name: string) => {
    const value = textOf(form, name);
    return value === undefined ? {} : { [name]: value };
  };
  const isChecked = (name: string) => form.get(name) === 'yes';
  const said = RouteBody.safeParse({
    name: textOf(form, 'name') ?? '',
    channel: textOf(form, 'channel'),
    kinds: form.getAll('kinds'),
    emailAddresses: (textOf(form, 'emailAddresses') ?? '').split(/[\s,;]+/).filter((part) => part !== ''),
    urgentPasses: isChecked('urgentPasses'),
    skipsEmptyDigest: isChecked('skipsEmptyDigest'),
    ...text('audience'),
    ...text('customerId'),
    ...text('locale'),
    ...text('leastSeverity'),
    ...text('url'),
    ...text('secretName'),
    ...text('timeZone'),
    ...text('quietFrom'),
    ...text('quietUntil'),
    ...text('digest'),
    ...text('digestAt'),
  });
  if (!said.success) throw errorFromZod('body', said.error);
  return readTerms(said.data);
}

/** A form that makes a route. */
export function routeForm({ address, formField, typed: sent }: ConsoleView): Html {
  const typed = sent?.has('channel') === true ? sent : null;
  const said = (name: string, otherwise = '') => typed?.get(name) ?? otherwise;
  const isChosen = (name: string, value: string) => typed?.getAll(name).includes(value) === true;
  const choice = <Value extends string>(
    name: string,
    title: string,
    options: readonly (readonly [value: Value, words: string])[],
  ) =>
    html`<label><span>${title}</span><select name="${name}">${options.map(([value, words]) => optionField(value, words, said(name, options[0]?.[0]) === value))}</select></label>`;
  const box = (name: string, value: string, words: string, isOn: boolean) =>
    html`<label class="choice"><input type="checkbox" name="${name}" value="${value}"${isOn ? html` checked` : ''}> ${words}</label>`;
  return html`<details class="panel" id="new-route"${typed === null ? '' : html` open`}><summary>Make a route</summary>
<form class="fields" method="post" action="${address.path}/create">${formField}
<label><span>Name</span><input name="name" value="${said('name')}" required maxlength="100"></label>
${choice(
  'channel',
  'Channel',
  CHANNELS.map((channel) => [channel, CHANNEL_WORDS[channel]]),
)}
<label><span>Mail addresses</span><input name="emailAddresses" value="${said('emailAddresses')}" maxlength="4000" autocomplete="off"><small>Of e-mail; several separated by commas.</small></label>
<label><span>Address of the webhook</span><input name="url" value="${said('url')}" maxlength="2000" inputmode="url" autocomplete="off" placeholder="https://"><small>Of a signed webhook; only its host is shown again.</small></label>
<label><span>Name of the secret</span><input name="secretName" value="${said('secretName')}" maxlength="100" autocomplete="off" placeholder="ALERT_SECRET_…"><small>Of every channel but e-mail: the environment variable that has it, never the secret itself.</small></label>
<fieldset><legend>Kinds; none chosen: all</legend><div class="choices-of">${ROUTED_KINDS.map((kind) => box('kinds', kind, KIND_WORDS[kind], isChosen('kinds', kind)))}</div></fieldset>
${choice(
  'leastSeverity',
  'At least',
  SEVERITIES.map((severity) => [severity, SEVERITY_WORDS[severity]]),
)}
<label><span>Customer</span><input name="customerId" value="${said('customerId')}" maxlength="512" autocomplete="off"><small>Its id; left empty: all.</small></label>
${choice('audience', 'Who reads it', [
  ['operator', 'people of the house'],
  ['customer', 'the customer: only its own budgets'],
])}
${choice(
  'locale',
  'Language, for the customer',
  LOCALES.map((locale) => [locale, LOCALE_WORDS[locale]]),
)}
<label><span>Time zone</span><input name="timeZone" value="${said('timeZone', 'UTC')}" maxlength="64" autocomplete="off"><small>Such as Europe/Berlin.</small></label>
<fieldset><legend>Quiet hours</legend><div class="fields">
<label><span>From</span><input type="time" name="quietFrom" value="${said('quietFrom')}"></label>
<label><span>Until</span><input type="time" name="quietUntil" value="${said('quietUntil')}"></label>
${box('urgentPasses', 'yes', 'urgent ones pass', typed === null || isChosen('urgentPasses', 'yes'))}</div></fieldset>
<fieldset><legend>Digest</legend><div class="fields">
${choice('digest', 'How often', [
  ['none', 'none'],
  ['day', 'daily'],
  ['week', 'on Mondays'],
])}
<label><span>At</span><input type="time" name="digestAt" value="${said('digestAt', '08:00')}"></label>
${box('skipsEmptyDigest', 'yes', 'not when there is nothing to say', isChosen('skipsEmptyDigest', 'yes'))}</div></fieldset>
<div class="acts"><button>Make the route</button></div></form></details>`;
}
