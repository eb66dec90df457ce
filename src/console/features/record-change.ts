import { html } from 'hono/html';
import { ChangeBody, toChange } from '../../anomalies/changes/schemas.ts';
import { recordChange } from '../../anomalies/changes/store.ts';
import { hasScope } from '../../identity/require-scope.ts';
import { textOf } from '../../pages/address.ts';
import type { Html } from '../../pages/html.ts';
import { errorFromZod } from '../../platform/http/problem.ts';
import type { ConsoleView, PageAct } from '../frame/define-page.ts';
import { type FieldOptions, lineChoice, lineField, offered } from '../frame/form-lines.ts';
import { dollars } from '../rollups/draw.ts';
import { FEATURES_PATH } from './address.ts';

/** By the functions of the API's route, whose fields the form's are; those of another kind of change are left aside. */
export const RECORD_ACT: PageAct = {
  scopes: ['finance'],
  makes: true,
  run: async (form, { caller, dependencies: { database, clock } }) => {
    const kind = textOf(form, 'kind') ?? 'swap';
    const text = (name: string) => textOf(form, name) ?? '';
    const read = ChangeBody.safeParse({
      kind,
      feature: text('changedFeature'),
      madeOn: text('madeOn'),
      note: text('note'),
      ...(kind === 'swap'
        ? { fromModel: text('fromModel'), toModel: text('toModel') }
        : { subject: text('subject') }),
      ...(kind === 'cap' ? { dayLimit: text('dayLimit').replaceAll(',', '') } : {}),
    });
    if (!read.success) throw errorFromZod('body', read.error);
    const { forecastDayPicoUsd } = await recordChange(database, {
      ...toChange(read.data),
      actor: caller.actor,
      now: clock.now(),
    });
    return {
      notice:
        forecastDayPicoUsd === null
          ? 'Recorded. What a day of it should save is not known: the 30 days before do not tell.'
          : `Recorded: by the 30 days before, a day of it should save ${dollars(forecastDayPicoUsd)}.`,
    };
  },
};

/** The form, filled in by what was typed, or by the address of a link that leads to it. */
export function recordForm(
  { features, models }: { features: readonly string[]; models: readonly string[] },
  view: ConsoleView,
): Html | string {
  if (!hasScope(view.caller, RECORD_ACT.scopes)) return '';
  const { typed, faults, formField, now } = view;
  const filled = typed ?? view.address.query;
  const said = (name: string) => filled.get(name) ?? '';
  const field = (name: string, title: string, options: FieldOptions = {}) =>
    lineField(name, title, said(name), { wide: true, fault: faults.get(name), ...options });
  const day = said('madeOn') || now.toISOString().slice(0, 10);
  return html`<form class="quote-form" id="record" method="post" action="${FEATURES_PATH}/record">${formField}
<fieldset class="panel"><legend>Record what was changed to save cost</legend>
<div class="line">
  ${lineChoice(
    'kind',
    'What',
    said('kind') || 'swap',
    [
      ['swap', 'another model'],
      ['cache', 'a cache for a user'],
      ['cap', 'a cap on a user'],
    ],
    true,
    faults.get('kind'),
  )}
  ${field('changedFeature', 'Of feature', { list: 'changed-features', hint: 'no feature', length: 256, fault: faults.get('feature') })}
  <label class="wide"><span>Made on (UTC day)</span><input type="date" name="madeOn" value="${day}" required>${faults.has('madeOn') ? html`<small class="bad">${faults.get('madeOn')}</small>` : ''}</label>
  ${field('note', 'Note', { length: 2_000 })}
</div>
<div class="line">
  ${field('fromModel', 'From, of another model', { list: 'changed-models', length: 256 })}
  ${field('toModel', 'to', { list: 'changed-models', length: 256 })}
  ${field('subject', 'User, of a cache or a cap', { length: 256 })}
  ${field('dayLimit', 'At most in a day, of a cap', { numeric: true, hint: 'USD', length: 60 })}
</div>
<div class="foot"><button>Record it</button><span class="muted">What it should save is kept with it; what it really saves is shown above, from the day after.</span></div>
</fieldset>${offered('changed-features', features)}${offered('changed-models', models)}</form>`;
}
